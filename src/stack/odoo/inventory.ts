import { z } from "zod";
import { contentHashScript } from "./content-hash.ts";

/** Reads the addons on the host. */
export const inventoryScript = `import ast, hashlib, json, os, sys
${contentHashScript}
def hash_of(top):
    def listing(folder):
        with os.scandir(os.path.join(top, folder)) as entries:
            found = list(entries)
        folders = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
        return folders, [entry.name for entry in found if not entry.is_dir()]
    def digest_of(path):
        digest = hashlib.sha256()
        with open(os.path.join(top, path), "rb") as handle:
            for chunk in iter(lambda: handle.read(1 << 20), b""):
                digest.update(chunk)
        return digest.digest()
    return content_hash(listing, digest_of)

for root in sys.argv[1:]:
    if not os.path.isdir(root):
        print(json.dumps({"missing": root}))
        continue
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        manifest = os.path.join(folder, "__manifest__.py")
        if not os.path.isfile(manifest):
            continue
        try:
            with open(manifest, encoding="utf-8") as handle:
                data = ast.literal_eval(handle.read())
            print(json.dumps({"name": name, "folder": folder, "version": str(data.get("version", "1.0")),
                "depends": list(data.get("depends", [])), "installable": bool(data.get("installable", True)),
                "hash": hash_of(folder)}))
        except Exception as error:
            print(json.dumps({"name": name, "folder": folder, "broken": str(error)}))
`;

const readable = z.object({
  name: z.string(),
  folder: z.string(),
  version: z.string(),
  depends: z.array(z.string()),
  installable: z.boolean(),
  hash: z.string(),
});
const broken = z.object({ name: z.string(), folder: z.string(), broken: z.string() });
const missing = z.object({ missing: z.string() });

export type Addon = z.infer<typeof readable>;
export type BrokenAddon = z.infer<typeof broken>;

export interface Inventory {
  readonly addons: readonly Addon[];
  readonly broken: readonly BrokenAddon[];
  readonly missingFolders: readonly string[];
}

/** Parses what the script printed. When two folders hold a module, the first one counts, as it does for Odoo. */
export function parseInventory(lines: unknown): Inventory {
  const rows = z.array(z.union([readable, broken, missing])).parse(lines);
  const seen = new Set<string>();
  const first = rows.filter((row) => "missing" in row || (!seen.has(row.name) && seen.add(row.name)));
  return {
    addons: first.filter((row) => "hash" in row),
    broken: first.filter((row) => "broken" in row),
    missingFolders: first.filter((row) => "missing" in row).map((row) => row.missing),
  };
}

/** The version as Odoo stores it: a manifest's `1.1.0` becomes `18.0.1.1.0` in series 18.0. */
export function adaptVersion(version: string, series: string): string {
  return version === series || version.startsWith(`${series}.`) ? version : `${series}.${version}`;
}

/** `19.0` of what `odoo --version` prints. */
export function seriesOfProgram(printed: string): string {
  return /(\d+\.\d+)/.exec(printed)?.[1] ?? "unknown";
}

/** `19.0` of the version of an installed module: `19.0.1.3`. */
export function seriesOfVersion(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
