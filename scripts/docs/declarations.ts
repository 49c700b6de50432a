import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const sourceFolder = join(import.meta.dirname, "..", "..", "src");

/** A module adds what it declares to a catalogue when it is loaded: loads every one that names the function it declares with. */
export async function loadDeclarations(declare: "defineError" | "defineFinding"): Promise<void> {
  const names = await readdir(sourceFolder, { recursive: true });
  const sources = names
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => join(sourceFolder, name));
  const texts = await Promise.all(sources.map((path) => readFile(path, "utf8")));
  for (const [index, path] of sources.entries()) if (texts[index]?.includes(declare)) await import(path);
}
