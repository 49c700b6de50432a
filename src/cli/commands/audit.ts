import { readFile } from "node:fs/promises";
import { z } from "zod";
import { exportLinks, findFault, type Link, listLinks } from "../../engine/audit.ts";
import { defineError } from "../../errors/error.ts";
import type { Context } from "../context.ts";
import { table } from "../render/text.ts";

/** Who did what, for whoever asks for proof. */

export const ChainBroken = defineError<{ number: number; reason: string }>("audit.broken", {
  exitCode: 24,
  message: (d) => `The audit chain does not hold: ${d.reason}.`,
  hint: () =>
    "Everything before that entry can be relied on, nothing after it. Compare with an export that was kept elsewhere.",
});

export const BadExport = defineError<{ file: string; line: number }>("audit.bad_export", {
  exitCode: 14,
  message: (d) => `${d.file}, line ${d.line}, is no entry of an audit chain.`,
  hint: () => "It has to be what `ipai audit export` prints: one entry a line, from the first on.",
});

interface Options {
  readonly json?: boolean;
  readonly limit?: string;
  readonly head?: string;
}

export async function listAudit(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const links = await listLinks(app.control, Number(options.limit ?? 20));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(links, null, 2));
  else if (links.length === 0) terminal.out("Nothing yet.");
  else
    terminal.out(
      table([
        ["NUMBER", "AT (UTC)", "WHO", "WHAT", "STACK", "OF WHAT"],
        ...links.map(({ number, at, actor, action, stack, subject }) => [
          String(number),
          at,
          actor,
          action,
          stack ?? "",
          subject,
        ]),
      ]),
    );
  return 0;
}

export async function exportAudit(context: Context): Promise<number> {
  await using app = await context.openApp();
  const links = await exportLinks(app.control, app.actor, app.principal.via, new Date());
  for (const link of links) context.terminal.out(JSON.stringify(link));
  return 0;
}

/** Of the control database, or of an export, which needs no control database at all. */
export async function verifyAudit(context: Context, file: string | undefined, options: Options): Promise<number> {
  const links = file === undefined ? await ownLinks(context) : await readExport(file);
  const fault = findFault(links, options.head);
  if (fault !== undefined) throw ChainBroken(fault);
  const head = links.at(-1)?.hash;
  const said = { entries: links.length, head: head ?? null };
  context.terminal.out(
    options.json === true
      ? JSON.stringify(said)
      : `${links.length} entries, and every one follows on the one before.\nHead: ${head ?? "none"}\nKept elsewhere, it shows whether entries go missing at the end: ipai audit verify --head HEAD`,
  );
  return 0;
}

async function ownLinks(context: Context): Promise<readonly Link[]> {
  await using app = await context.openApp();
  return await listLinks(app.control);
}

const link = z.object({
  number: z.number(),
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  stack: z.string().nullable(),
  subject: z.string(),
  detail: z.record(z.string(), z.json()),
  previous: z.string(),
  hash: z.string(),
});

async function readExport(file: string): Promise<readonly Link[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line, index) => {
    try {
      return link.parse(JSON.parse(line));
    } catch {
      throw BadExport({ file, line: index + 1 });
    }
  });
}
