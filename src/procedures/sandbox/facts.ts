import { z } from "zod";
import { command } from "../../runbook/action.ts";
import { parseInventory } from "../../stack/odoo/inventory.ts";
import type { FactReader } from "../procedure.ts";

/** What bringing up the practice stack depends on. */

const program = z.object({
  command: z.array(z.string()),
  addons: z.array(z.string()),
  environment: z.record(z.string(), z.string()),
});
export const sandboxInput = z.object({
  folder: z.string(),
  basePort: z.number(),
  odoo: program,
  /** Where the shipped stack and the sandbox's own modules lie in the installation of ipai. */
  shipped: z.string(),
  modules: z.string(),
  /** Where a fresh database is kept for the next time. */
  cache: z.string(),
});
export type SandboxInput = z.infer<typeof sandboxInput>;

export interface SandboxFacts {
  readonly series: string;
  readonly hashes: Readonly<Record<string, string>>;
  /** Folder of the kept database for this Odoo and these modules. */
  readonly template: string;
  readonly isTemplateKept: boolean;
  /** It was made before: then it is only started, whatever has become of it since. */
  readonly isMade: boolean;
}

export async function readSandboxFacts(reader: FactReader, given: SandboxInput): Promise<SandboxFacts> {
  const { odoo, tools: host } = reader.stack;
  const printed = await reader.text(odoo.version());
  const series = /(\d+\.\d+)/.exec(printed)?.[1] ?? "unknown";
  const { addons } = parseInventory(await reader.jsonLines(odoo.inventory([given.modules])));
  const hashes = Object.fromEntries(addons.map((addon) => [addon.name, addon.hash]));
  const key = [
    printed.replaceAll(/[^A-Za-z0-9.]+/g, "-"),
    ...Object.values(hashes).map((hash) => hash.slice(0, 8)),
  ].join("_");
  const template = `${given.cache}/stack-${key}`;
  const exists = async (path: string) =>
    (await reader.exitCode(command(host, ["test", "-e", path], { okExitCodes: [0, 1] }))) === 0;
  return {
    series,
    hashes,
    template,
    isTemplateKept: await exists(template),
    isMade: await exists(madeMarker(given.folder)),
  };
}

/** The last thing that making the sandbox writes. */
export function madeMarker(folder: string): string {
  return `${folder}/made`;
}
