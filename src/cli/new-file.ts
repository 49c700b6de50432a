import { access, open } from "node:fs/promises";
import type { IpaiError } from "../errors/error.ts";

/** Files that commands write for people: always new ones, on the disk when the command has ended. */

type Exists = (file: string) => IpaiError;

/** `exists`: the error when there is a file of that name; it is not replaced. */
export async function writeNew(path: string, content: Buffer | string, exists: Exists): Promise<void> {
  await using file = await open(path, "wx").catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EEXIST" ? exists(path) : error;
  });
  await file.writeFile(content);
  await file.sync();
}

/** For whoever does something first that is better not done when the file cannot be written. */
export async function requireNew(path: string, exists: Exists): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) throw exists(path);
}
