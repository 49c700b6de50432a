import type { AvailableModule } from "../../../stack/odoo/available.ts";
import { adaptVersion } from "../../../stack/odoo/inventory.ts";

/** Whether the modules of a database fit an Odoo of another series. Pure. */

export interface Unfit {
  readonly name: string;
  readonly why: string;
}

/** Why each that does not fit does not, in the order of their names. `installed`: names of modules. */
export function findUnfit(
  installed: readonly string[],
  available: readonly AvailableModule[],
  series: string,
): readonly Unfit[] {
  const known = new Map(available.map((one) => [one.name, one]));
  return installed.toSorted().flatMap((name) => {
    const why = whyUnfit(known.get(name), known, series);
    return why === undefined ? [] : [{ name, why }];
  });
}

function whyUnfit(
  module: AvailableModule | undefined,
  known: ReadonlyMap<string, AvailableModule>,
  series: string,
): string | undefined {
  if (module === undefined) return `no code for ${series}`;
  if ("broken" in module) return `its manifest cannot be read (${module.broken})`;
  if (!module.installable) return "not installable";
  const own = seriesOf(module.version);
  if (own !== undefined && own !== series) return `its code is for ${own}`;
  const missing = missingDependencies(module.name, known);
  if (missing.length > 0) return `needs ${missing.join(", ")}, which nobody has`;
  return module.lacks.length > 0 ? `needs the ${module.lacks.join(", the ")}` : undefined;
}

/** `18.0` of a manifest's `18.0.1.0.0`. Odoo ignores a module of another series without a word. */
function seriesOf(version: string): string | undefined {
  return /^(\d+\.0)\.\d+\.\d+\.\d+$/.exec(version)?.[1];
}

/** Also of what it depends on: new dependencies come with the update. */
function missingDependencies(name: string, known: ReadonlyMap<string, AvailableModule>): readonly string[] {
  const seen = new Set<string>();
  const visit = (one: string): readonly string[] => {
    if (seen.has(one)) return [];
    seen.add(one);
    const module = known.get(one);
    if (module === undefined) return [one];
    return "broken" in module ? [] : module.depends.flatMap(visit);
  };
  return visit(name);
}

/** The version that each has once it was updated. */
export function versionsAfter(
  installed: readonly string[],
  available: readonly AvailableModule[],
  series: string,
): Readonly<Record<string, string>> {
  const found = available.flatMap((one) =>
    "broken" in one || !installed.includes(one.name) ? [] : [[one.name, adaptVersion(one.version, series)] as const],
  );
  return Object.fromEntries(found.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
