import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { manifestSql } from "../../src/procedures/backup/manifest.ts";
import { folder, root, sql, until } from "./sandbox.ts";

/** Code of the practice modules in the stack's addons folder, as a developer would bring it. */
export const addons = join(folder, "addons");

/** The code that a fresh practice stack has installed. */
export async function installedCode(): Promise<void> {
  // The folder itself stays: containers have it mounted.
  for (const name of await readdir(addons)) if (name !== ".git") await rm(join(addons, name), { recursive: true });
  await cp(join(root, "sandbox/addons"), addons, { recursive: true });
}

/** The next release; the broken one is the good one with two files gone wrong. */
export async function bring(release: "good" | "broken"): Promise<void> {
  for (const layer of release === "good" ? ["good"] : ["good", "broken"])
    await cp(join(root, "sandbox/releases", layer), addons, { recursive: true });
}

export async function put(path: string, text: string): Promise<void> {
  const file = join(addons, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** Edits a file of the addons; the text to replace must be there. */
export async function edit(path: string, from: string, to: string): Promise<void> {
  const file = join(addons, path);
  const text = await readFile(file, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${JSON.stringify(from)}`);
  await writeFile(file, text.replace(from, to));
}

/** Everything in the database, row by row and column by column, in one text: equal texts mean equal databases. */
export function fingerprint(): Promise<string> {
  return sql(manifestSql);
}

/**
 * The same, of a database that nothing changes by itself any more: whatever is scheduled is put off, and what has begun may end.
 * Odoo's own actions are due at midnight or on the first start, so a test that runs then would see their work as its own.
 */
export async function fingerprintAtRest(): Promise<string> {
  await sql(
    "update ir_cron set nextcall = greatest(nextcall, now() at time zone 'UTC') + interval '30 days'; delete from ir_cron_trigger",
  );
  let last = "";
  await until("the database is at rest", async () => {
    const before = last;
    last = await fingerprint();
    return last === before;
  });
  return last;
}
