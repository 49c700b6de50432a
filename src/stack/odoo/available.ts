import { z } from "zod";
import { externalFunctions } from "./external.ts";

/**
 * Which modules an Odoo has, without starting it: those of the folders that are named, and those that it brings itself. Manifests are read,
 * nothing is imported. Of two modules with one name the first counts.
 */
export const availableScript = `import ast, glob, json, os, sys
given = json.loads(sys.argv[1])

def bases():
    """Where the package odoo may lie: beside the program, where Python looks, and in the environment of the program's own interpreter."""
    programs = [word for word in given["command"] if os.path.isfile(word)]
    for program in programs:
        yield os.path.dirname(os.path.realpath(program))
    yield from sys.path
    for program in programs:
        yield from glob.glob(os.path.join(os.path.dirname(os.path.dirname(program)), "lib", "python3*", "site-packages"))

def own():
    for base in bases():
        if os.path.isdir(os.path.join(base, "odoo", "addons", "base")):
            return [os.path.join(base, "odoo", "addons"), os.path.join(base, "addons")]
    return []

${externalFunctions}
def lacks(manifest):
    external = manifest.get("external_dependencies") or {}
    return [f"Python package {one}" for one in external.get("python", []) if not has_python(one)] + [
        f"program {one}" for one in external.get("bin", []) if not has_program(one)]

seen = set()
for folder in [*given["folders"], *own()]:
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name, "__manifest__.py")
        if name in seen or not os.path.isfile(path):
            continue
        seen.add(name)
        try:
            with open(path, encoding="utf-8") as handle:
                manifest = ast.literal_eval(handle.read())
            print(json.dumps({"name": name, "version": str(manifest.get("version", "1.0")), "depends": list(manifest.get("depends", [])),
                "installable": bool(manifest.get("installable", True)), "lacks": lacks(manifest) if name in given["wanted"] else []}))
        except Exception as error:
            print(json.dumps({"name": name, "broken": str(error) or type(error).__name__}))
`;

const readable = z.object({
  name: z.string(),
  version: z.string(),
  depends: z.array(z.string()),
  installable: z.boolean(),
  /** Packages of Python and programs that it needs and that are not there; looked for only if it is wanted. */
  lacks: z.array(z.string()),
});
const broken = z.object({ name: z.string(), broken: z.string() });

export type AvailableModule = z.infer<typeof readable> | z.infer<typeof broken>;

export function parseAvailable(lines: unknown): readonly AvailableModule[] {
  return z.array(z.union([readable, broken])).parse(lines);
}
