import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { pathExists } from "../../stack/files.ts";
import { projectOf } from "../../stack/runtime/compose.ts";
import { startWithAll } from "../../stack/runtime/compose-program.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { change } from "../steps.ts";
import { composeEnvironment } from "./compose.ts";
import { makeRepository } from "./source.ts";

const input = z.object({
  folder: z.string(),
  basePort: z.number(),
  images: z.record(z.string(), z.string()),
  /** Where the shipped stack and the practice modules lie in the installation of ipai. */
  shipped: z.string(),
  modules: z.string(),
});
type ComposeInput = z.infer<typeof input>;

export const composeUp: Procedure<ComposeInput, Record<string, never>> = {
  name: "sandbox containers",
  chapter: "sandbox",
  version: 1,
  risk: "change",
  title: "Practice stack's containers",
  summary: "Puts the shipped compose project in place with secrets of its own, and starts its database and its tools.",
  input,
  facts: async () => ({}),
  plan: planContainers,
};

function planContainers(stack: Stack, given: ComposeInput): Plan {
  return {
    procedure: composeUp.name,
    version: composeUp.version,
    stack: stack.name,
    title: "Put the practice stack's project in place",
    input: { ...given },
    facts: {},
    lease: "exclusive",
    notes: [`The project lies in ${given.folder}; its ports are published on the loopback interface only.`],
    steps: [
      placeFolder(stack, "project", "Put the shipped project in place", given.shipped, given.folder),
      placeFolder(stack, "modules", "Put the practice modules in place", given.modules, `${given.folder}/addons`),
      makeRepository(stack.host, given.folder),
      settings(stack, given),
      ...secretNames.map((name) => secretFile(stack, given, name)),
      certificate(stack, given),
      startTools(stack),
    ],
  };
}

/** Layer upon layer: what is there already is replaced file by file. */
function placeFolder(stack: Stack, id: string, title: string, source: string, folder: string): Act {
  const there = pathExists(stack.host, folder, "it is there");
  const action = command(stack.host, [
    "sh",
    "-c",
    'mkdir -p -- "$2" && cp -a -- "$1/." "$2/"',
    "place",
    source,
    folder,
  ]);
  return change({ id, title, action }, { verify: [there] });
}

function settings(stack: Stack, given: ComposeInput): Act {
  const path = `${given.folder}/.env`;
  return change(
    {
      id: "settings",
      title: "Write .env",
      action: { kind: "write", host: stack.host, path, content: composeEnvironment(given), mode: "0644" },
    },
    { verify: [pathExists(stack.host, path, ".env is there")] },
  );
}

const secretNames = ["database_password", "backup_password", "n8n_database_password", "n8n_encryption_key"] as const;

/** Readable in the containers, whoever they run as; the folder keeps everybody else out. */
function secretFile(stack: Stack, { folder }: ComposeInput, name: string): Act {
  const path = `${folder}/secrets/${name}`;
  const there = pathExists(stack.host, path, `${name} is there`);
  const script =
    'install -d -m 0700 "$(dirname "$1")" && openssl rand -hex 24 > "$1.partial" && chmod 0444 "$1.partial" && mv -f "$1.partial" "$1"';
  return change(
    { id: name, title: `Draw ${name}`, action: command(stack.host, ["sh", "-c", script, "draw", path]) },
    { done: there, verify: [there] },
  );
}

function certificate(stack: Stack, { folder }: ComposeInput): Act {
  const there = pathExists(stack.host, `${folder}/secrets/tls.crt`, "the certificate is there");
  const script =
    'cd "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost ' +
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout tls.key -out tls.partial 2>/dev/null && mv -f tls.partial tls.crt";
  const action = command(stack.host, ["sh", "-c", script, "certify", `${folder}/secrets`]);
  return change(
    { id: "certificate", title: "Make a certificate for localhost", action },
    { done: there, verify: [there] },
  );
}

function startTools(stack: Stack): Act {
  const compose = projectOf(stack.config);
  const services = [stack.config.services.database.name, compose.tools, compose.odooTools];
  const action = startWithAll(stack.host, compose, services);
  const up: Probe[] = services.map((name) => stack.runtime.service(name).isRunning);
  return change(
    { id: "tools", title: "Start the database and the tools", action },
    { verify: up, timeoutSeconds: 900, attempts: 2 },
  );
}
