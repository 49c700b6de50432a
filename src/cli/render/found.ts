import type { Rehearsal } from "../../procedures/deployment/rehearsal.ts";

/** What an update changed, for people. */

/** Nothing where there is nothing to list. */
export function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

export function renderFound(
  modules: Readonly<Record<string, string>>,
  { gone, come, warned }: Pick<Rehearsal["found"], "gone" | "come" | "warned">,
): readonly string[] {
  return [
    ...section(
      "Modules",
      Object.entries(modules).map(([name, version]) => `${name} ${version}`),
    ),
    ...section("Only before", gone),
    ...section("Only after", come),
    ...section("Odoo warned", warned),
  ];
}
