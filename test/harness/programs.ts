import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { folder, inOdoo, inTools, psql, run } from "./sandbox.ts";

/** Programs of the practice stack, as somebody starts them by hand. */

/** A program of PostgreSQL as its superuser, with its connection, as words of a shell. */
export function postgresTool(program: string): string {
  const connection = psql.slice(psql.indexOf("psql") + 1, psql.indexOf("-XAtq"));
  return `${inTools.join(" ")} runuser -u postgres -- ${program} ${connection.join(" ")}`;
}

/** Odoo's own program as Odoo's user, up to its first argument. */
export async function odooProgram(): Promise<readonly [string, ...string[]]> {
  const [, ...lines] = (await readFile(join(folder, "ipai.yaml"), "utf8")).split("\n");
  const { stacks } = JSON.parse(lines.join("\n")) as {
    stacks: { sandbox: { odoo: { command: string[]; environment: Record<string, string> } } };
  };
  const { command, environment } = stacks.sandbox.odoo;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [...inOdoo, "/usr/bin/env", ...variables, ...command] as [string, ...string[]];
}

/** Everything in a script of bash has to go well. */
export async function shell(script: string): Promise<void> {
  const ended = await run("bash", ["-euo", "pipefail", "-c", script], { directory: "/" });
  if (ended.exitCode !== 0) throw new Error(`${script}\n${ended.stderr}`);
}
