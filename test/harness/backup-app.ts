import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type App, createApp } from "../../src/cli/app.ts";
import { parseConfig, secretsOf } from "../../src/config/load.ts";
import type { Secret } from "../../src/config/secret.ts";
import { advance } from "../../src/engine/advance.ts";
import { approveRun } from "../../src/engine/consent.ts";
import { createRun, type Run } from "../../src/engine/journal.ts";
import { recordBackup } from "../../src/procedures/backup/calls.ts";
import type { SetReason } from "../../src/procedures/backup/retention.ts";
import { sandboxConfig } from "../../src/procedures/sandbox/definition.ts";
import type { Json } from "../../src/runbook/value.ts";
import type { Prunable, Restic } from "../../src/stack/restic.ts";
import { startControl } from "./control.ts";
import { makeTestFolder } from "./folders.ts";
import { perform } from "./perform.ts";

/** The program on a real repository and a real catalogue, with sets of a few kilobytes instead of a stack to back up. */
export interface BackupApp extends AsyncDisposable {
  readonly app: App;
  /** Of the control database. */
  readonly home: string;
  readonly folder: string;
  readonly config: string;
  readonly restic: Restic;
  /** Of the stack's configuration, by their path in it. */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** A set as a backup stores and records it, without a database. */
  make(id: string, takenAt: Date, reason?: SetReason): Promise<void>;
  /** Plans a procedure, consents and carries it out. */
  carryOut(procedure: string, input?: Json): Promise<Run>;
  /** The sets in a repository, by their ids. */
  stored(restic?: Pick<Prunable, "list">): Promise<readonly string[]>;
}

type Definition = { stacks: { sandbox: { backup: Record<string, unknown> } } };

type Settings = Record<string, unknown>;

/** `change` is given the folder that all of it lies in. */
export async function startBackupApp(change: (folder: string) => Settings | Promise<Settings>): Promise<BackupApp> {
  const control = await startControl();
  const folder = await makeTestFolder("ipai-sets-");
  await writeFile(join(folder, "repository-password"), "secret\n");
  const settings = { folder, basePort: 10_000, odoo: { command: ["odoo"], addons: [], environment: {} } };
  const [comment = "", ...json] = sandboxConfig(settings).split("\n");
  const definition = JSON.parse(json.join("\n")) as Definition;
  Object.assign(definition.stacks.sandbox.backup, await change(folder));
  const config = join(folder, "ipai.yaml");
  await writeFile(config, `${comment}\n${JSON.stringify(definition, null, 2)}\n`);
  const environment = { ...process.env, IPAI_HOME: control.home, IPAI_DATABASE_URL: undefined };
  const app = await createApp(parseConfig(JSON.stringify(definition), config, environment), environment);
  const { restic, config: stack } = app.stack();
  const secrets = secretsOf(stack);
  if (restic === undefined) throw new TypeError("the practice stack has a repository");
  await perform(restic.initialise(), { secrets });
  return {
    ...{ app, folder, config, restic, secrets, home: control.home },
    make: (id, takenAt, reason = "scheduled") => make({ app, folder, restic, secrets }, id, takenAt, reason),
    carryOut: async (procedure, input = {}) => {
      const run = await createRun(app.control, await app.plan(procedure, "sandbox", input), "anna", new Date());
      await approveRun(app.control, run, "anna");
      return advance(app.engine(), run.id);
    },
    stored: async (from = restic) => {
      const found = JSON.parse((await perform(from.list(), { secrets })).stdout) as { tags: string[] }[];
      return found.map(({ tags }) => (tags[0] ?? "").replace("run=", "")).sort();
    },
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await control[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function make(
  { app, folder, restic, secrets }: Pick<BackupApp, "app" | "folder" | "restic" | "secrets">,
  id: string,
  takenAt: Date,
  reason: SetReason,
): Promise<void> {
  const set = join(folder, "set");
  await mkdir(set, { recursive: true });
  await writeFile(join(set, "dump"), `${id}\n`.repeat(20_000));
  const taken = takenAt.toISOString().slice(0, 19).replace("T", " ");
  await perform(restic.store(set, taken, reason), { run: id, secrets });
  const counts = { databaseBytes: 1, storedBytes: 1, setBytes: 1, files: 0, unsound: 0 };
  const entry = { stack: "sandbox", id, takenAt: takenAt.toISOString(), reason, ...counts };
  await recordBackup(app.records)(entry, scopeOf(id));
}

export const scopeOf = (run: string) => ({
  scope: {
    run: { id: run, startedAt: new Date().toISOString() },
    output: () => undefined,
    secret: () => {
      throw new TypeError("no secret");
    },
  },
  signal: new AbortController().signal,
});
