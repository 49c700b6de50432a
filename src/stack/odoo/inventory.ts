import { z } from "zod";

/**
 * Reads the addons on the host. The content hash covers every file that can change what Odoo does (the list of exceptions is
 * that of click-odoo-update): an edit without a version bump is found, compiled files and tests do not count.
 */
export const inventoryScript = `import ast, hashlib, json, os, sys

SKIP_DIRS = {"__pycache__", "tests", ".git"}

def content_hash(folder):
    digest = hashlib.sha256()
    for base, dirs, files in os.walk(folder):
        dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
        for name in sorted(files):
            if name.endswith((".pyc", ".pyo", ".pot", "~")):
                continue
            path = os.path.join(base, name)
            digest.update(os.path.relpath(path, folder).encode() + b"\\0")
            with open(path, "rb") as handle:
                digest.update(hashlib.sha256(handle.read()).digest())
    return digest.hexdigest()

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
                "hash": content_hash(folder)}))
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
