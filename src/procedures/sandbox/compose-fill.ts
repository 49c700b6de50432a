import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { pathExists } from "../../stack/files.ts";
import { parseInventory } from "../../stack/odoo/inventory.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, lookUp, serving, startService } from "../steps.ts";
import { type Hashes, installOdoo, keepInstalledCode, recordInstalled } from "./database.ts";

const input = z.object({});
type FillInput = z.infer<typeof input>;

interface FillFacts {
  readonly hashes: Hashes;
  /** Odoo has been installed before: then everything is only started, whatever has become of it since. */
  readonly isMade: boolean;
}

export const composeFill: Procedure<FillInput, FillFacts> = {
  name: "sandbox contents",
  chapter: "sandbox",
  version: 1,
  risk: "change",
  title: "Practice stack's contents",
  summary: "Installs Odoo and the practice modules in a fresh compose project, and starts everything that serves.",
  input,
  facts: readFillFacts,
  plan: planContents,
};

async function readFillFacts({ stack, ...reader }: FactReader): Promise<FillFacts> {
  const { addons } = parseInventory(await reader.jsonLines(stack.odoo.inventory(stack.config.odoo.addons)));
  const hashes = Object.fromEntries(addons.map((addon) => [addon.name, addon.hash]));
  const { action } = markerExists(stack);
  return { hashes, isMade: (await reader.exitCode(action)) === 0 };
}

function planContents(stack: Stack, _input: FillInput, { hashes, isMade }: FillFacts): Plan {
  const { cache, odoo, proxy } = stack.config.services;
  const start = (name: string) => startService(`start ${name}`, `Start ${name}`, stack.runtime.service(name));
  return {
    procedure: composeFill.name,
    version: composeFill.version,
    stack: stack.name,
    title: "Bring up the practice stack",
    input: {},
    facts: { hashes, isMade },
    lease: "exclusive",
    notes: [],
    steps: [
      ...(isMade ? [] : fill(stack, hashes)),
      ...(cache === undefined ? [] : [start(cache.name)]),
      ...odoo.map(({ name }) => start(name)),
      ...(proxy === undefined ? [] : [start(proxy.name)]),
      ...odoo.map((service) => serving(stack, service.name, stack.odoo.addressOf(service))),
      ...lookUp(stack),
      serving(stack, "the public address", stack.odoo.publicAddress),
    ],
  };
}

function fill(stack: Stack, hashes: Hashes): readonly Act[] {
  const { workDirectory, odoo } = stack.config;
  const [addons = ""] = odoo.addons;
  return [
    change(
      {
        id: "work",
        title: "Make the folder for working files",
        // PostgreSQL's user has folders below it, and passes through.
        action: command(stack.tools, ["install", "-d", "-m", "0711", workDirectory]),
      },
      { verify: [pathExists(stack.tools, workDirectory, "the folder is there")] },
    ),
    installOdoo(stack, hashes),
    recordInstalled(stack, hashes),
    ...Object.keys(hashes).map((module) => keepInstalledCode(stack, addons, module)),
    change(
      {
        id: "made",
        title: "Note that it is made",
        action: { kind: "write", host: stack.tools, path: marker(stack), content: "made\n", mode: "0644" },
      },
      { verify: [markerExists(stack)] },
    ),
  ];
}

function marker(stack: Stack): string {
  return `${stack.config.workDirectory}/made`;
}

function markerExists(stack: Stack) {
  return pathExists(stack.tools, marker(stack), "it is noted");
}
