import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { commandLinePage } from "./docs/command-line.ts";
import { configurationPage } from "./docs/configuration.ts";
import { errorsPage } from "./docs/errors.ts";
import { findingsPage } from "./docs/findings.ts";

/**
 * Writes the references that come from the program itself, so that they cannot be wrong: `node scripts/docs.ts`. With `--check` it
 * writes nothing, names what is out of date and ends with 1.
 */

const root = join(import.meta.dirname, "..");

/** Every generated page: its path and the function that makes its text. */
export const pages: Readonly<Record<string, () => Promise<string>>> = {
  "docs/errors.md": errorsPage,
  "docs/findings.md": findingsPage,
  "docs/configuration.md": async () => configurationPage(),
  "docs/cli.md": commandLinePage,
};

/** Those of the given pages whose file is not what the program says now. */
export async function findStale(candidates: typeof pages): Promise<readonly string[]> {
  const checked = await Promise.all(
    Object.entries(candidates).map(async ([name, make]) => ({
      name,
      isFresh: (await make()) === (await readPage(name)),
    })),
  );
  return checked.filter(({ isFresh }) => !isFresh).map(({ name }) => name);
}

async function readPage(name: string): Promise<string> {
  return readFile(join(root, name), "utf8").catch(() => "");
}

async function main(): Promise<void> {
  if (process.argv.includes("--check")) {
    const stale = await findStale(pages);
    for (const name of stale) process.stderr.write(`${name} is out of date: node scripts/docs.ts\n`);
    process.exitCode = stale.length === 0 ? 0 : 1;
    return;
  }
  for (const [name, make] of Object.entries(pages)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), await make());
  }
}

if (import.meta.main) await main();
