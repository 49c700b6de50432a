import type { Context } from "../context.ts";
import { table } from "../render/text.ts";

/** The doors for other programs, and how they are knocked at. */
export async function listHooks(context: Context, options: { readonly json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const { hooks, serve } = app.config;
  const rows = Object.entries(hooks).map(([name, { stack, procedure, input }]) => ({
    ...{ name, stack, procedure, input, url: `${serve.url}/api/hooks/${name}` },
  }));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) terminal.out("No hook is configured: hooks in ipai.yaml.");
  else {
    terminal.out(
      table([
        ["NAME", "STACK", "PROCEDURE", "ADDRESS"],
        ...rows.map((row) => [row.name, row.stack, row.procedure, row.url]),
      ]),
    );
    terminal.out('\nPOST, with "Authorization: Bearer SECRET"; or signed: x-ipai-signature, or x-hub-signature-256.');
  }
  return 0;
}
