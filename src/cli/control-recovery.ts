import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { sql } from "kysely";
import { settleRights } from "../access/aftermath.ts";
import { getStack, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { openDatabase } from "../engine/control.ts";
import { listBackupFiles } from "../engine/control-file.ts";
import { restoreControl } from "../engine/control-restore.ts";
import type { Records } from "../engine/records.ts";
import { type ControlOptions, openServer } from "../engine/server.ts";
import { createPerformer, type Performer } from "../host/perform.ts";
import { createFactReader } from "../procedures/procedure.ts";
import { requireGroundKey } from "../procedures/recovery/facts.ts";
import { findSet, getGroundRepository } from "../procedures/recovery/sets.ts";
import type { CommandAction } from "../runbook/action.ts";
import { createStack, type Stack } from "../stack/stack.ts";
import { findActor } from "./actor.ts";
import type { Context } from "./context.ts";
import { controlOptions } from "./control.ts";
import { Executors } from "./executors.ts";
import { routesOf } from "./notify.ts";

/**
 * The journal comes back before anything is journaled: a control database in which nothing ever happened gets the newest backup of it that
 * lies in the set. Any other one is left as it is.
 */
export interface ControlRecovery {
  /** What was done, in words. */
  readonly said: string;
  readonly seconds: number;
}

export async function recoverControl(
  context: Context,
  wanted: { readonly set: string; readonly repository: string },
): Promise<ControlRecovery | undefined> {
  const { environment, directory, globals } = context;
  const began = performance.now();
  const path = globals.config === undefined ? {} : { path: globals.config };
  const config = await loadConfig({ environment, directory, ...path });
  const stack = createStack(getStack(config, globals.stack));
  await using executors = new Executors(environment);
  const options = controlOptions(config, environment, executors.local);
  if (stack.config.controlBackups === undefined || !(await isUnused(options))) return undefined;
  const performer = createPerformer({ executors: (host) => executors.of(host), calls: { get: () => undefined } });
  const file = await takeNewest(stack, performer, wanted);
  if (file === undefined) return { said: "The set has no backup of the control database: it begins anew.", seconds: 0 };
  const plan = await putBack(config, options, { file, actor: await findActor(environment) });
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { said: `The control database is back as it was at ${plan.manifest.takenAt} (${file}).`, seconds };
}

/** New, or made by a command that only looked. */
async function isUnused(options: ControlOptions): Promise<boolean> {
  const db = openDatabase((await openServer(options)).clientConfig());
  try {
    const { rows } = await sql<{ found: string | null }>`select to_regclass('runs') as found`.execute(db);
    if (rows[0]?.found === null) return true;
    return (await db.selectFrom("runs").select("id").limit(1).execute()).length === 0;
  } finally {
    await db.destroy();
  }
}

/** Into the folder where they are kept, so that it has them again; the newest one that is whole. */
async function takeNewest(
  stack: Stack,
  performer: Performer,
  wanted: { readonly set: string; readonly repository: string },
): Promise<string | undefined> {
  const reader = createFactReader(stack, performer, nothingKept);
  await requireGroundKey(reader, wanted.repository);
  const repository = getGroundRepository(stack, wanted.repository);
  const set = await findSet(reader, wanted, repository);
  const kept = stack.config.controlBackups;
  if (kept === undefined || !set.parts.some(({ part, state }) => part === "control" && state === "taken"))
    return undefined;
  const desk = await mkdtemp(join(tmpdir(), "ipai-control-"));
  try {
    const tar = repository.print(set.id, "configuration/control");
    const unpack = { argv: ["tar", "-x", "-C", desk] } as const;
    await reader.text({ ...tar, pipeline: [...tar.pipeline, unpack] } as CommandAction);
    const folder = join(desk, "configuration/control");
    const [inner = ""] = await readdir(folder);
    await mkdir(kept, { recursive: true, mode: 0o700 });
    for (const name of await readdir(join(folder, inner))) await copyFile(join(folder, inner, name), join(kept, name));
  } finally {
    await rm(desk, { recursive: true, force: true });
  }
  const newest = (await listBackupFiles(kept)).find(({ manifest }) => manifest !== undefined);
  return newest === undefined ? undefined : join(kept, basename(newest.path));
}

/** There is nothing that it replaces, so nobody has to consent to that. */
async function putBack(
  config: Config,
  options: ControlOptions,
  { file, actor }: { readonly file: string; readonly actor: string },
) {
  const request = { ...options, file, actor, routes: routesOf(config), settleRights, consent: async () => true };
  const restored = await restoreControl(request);
  if (restored === undefined) throw new TypeError("a restore that was consented to was not done");
  return restored.plan;
}

/** A catalogue that is not there. */
const nothingKept: Records = {
  put: async () => undefined,
  find: async () => undefined,
  forget: async () => undefined,
  trim: async () => undefined,
  list: async () => [],
  actorOf: async () => "",
};
