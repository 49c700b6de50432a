import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * A secret of the control plane's own, in a file for this user alone: beside the control database, not in it, so that a copy of that
 * database alone is worth nothing to whoever finds it.
 */

/** What the file says. One that is not there is made of what `make` gives. */
export async function loadOwnFile(file: string, make: () => string): Promise<string> {
  return (await findOwnFile(file)) ?? (await create(file, make()));
}

/** Undefined: there is no such file yet. */
export async function findOwnFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written aside and linked into place: of two processes that begin at once, both get the secret of the first. */
async function create(file: string, text: string): Promise<string> {
  const aside = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(aside, text, { mode: 0o600, flag: "wx" });
  try {
    await link(aside, file);
    return text;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return await readFile(file, "utf8");
  } finally {
    await unlink(aside);
  }
}
