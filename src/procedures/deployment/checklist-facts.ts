import { z } from "zod";
import { toErrorRecord, toIpaiError } from "../../errors/error.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { Act } from "../../runbook/plan.ts";
import {
  type ActiveUsers,
  activeUsersSql,
  activeUserTablesSql,
  parseActiveUsers,
  parseActiveUserTables,
} from "../../stack/odoo/active-users.ts";
import type { Stack } from "../../stack/stack.ts";
import { listBackups } from "../backup/calls.ts";
import { isPast } from "../backup/exposure/exposure.ts";
import { askCheck } from "../monitoring/check.ts";
import { disk } from "../monitoring/machine.ts";
import type { FactReader } from "../procedure.ts";
import { read } from "../steps.ts";
import {
  changesDatabase,
  heed,
  judgeChecklist,
  judgeMoment,
  type Moment,
  stageOf,
  type Tick,
  type Way,
} from "./checklist.ts";
import { type DeployFacts, readDeployFacts, type Wanted } from "./facts.ts";
import { findRehearsal } from "./rehearsal.ts";
import { isDrained } from "./roll.ts";

/** What the checklist of a deployment is ticked from. */

/** For whoever only wants to know: of a release that would be refused as well. Throws what says nothing of a release. */
export async function readChecklist(reader: FactReader, wanted: Wanted): Promise<readonly Tick[]> {
  try {
    return await tickRelease(reader, await readDeployFacts(reader, wanted));
  } catch (thrown) {
    const refusal = toErrorRecord(thrown);
    if (stageOf(refusal) === undefined) throw toIpaiError(thrown);
    return judgeChecklist({ refusal }, await readMoment(reader, "closed"));
  }
}

export async function tickRelease(reader: FactReader, facts: DeployFacts): Promise<readonly Tick[]> {
  const { stack, records } = reader;
  const [rehearsal, moment] = await Promise.all([
    findRehearsal(records, stack.name, facts),
    readMoment(reader, wayOf(stack, facts)),
  ]);
  return judgeChecklist({ facts, rehearsal, mustBeRehearsed: stack.config.source?.rehearse === "always" }, moment);
}

export function wayOf(stack: Stack, facts: DeployFacts): Way {
  if (changesDatabase(facts)) return "closed";
  return isDrained(stack, facts.running) || facts.running.odoo.length === 0 ? "rolled" : "waiting";
}

/** So old a proven backup may be where less was promised: with an archive that is minutes, which no set keeps. */
const freshSecondsMin = 86_400;

async function readMoment(reader: FactReader, way: Way): Promise<Moment> {
  const now = reader.now();
  const { stack, records } = reader;
  const { backup, objectives, deployments, timezone } = stack.config;
  const [backups, diskNow, users] = await Promise.all([
    listBackups(records, stack.name),
    askCheck(reader, disk(stack)),
    reader.maybe(readActiveUsers(reader)),
  ]);
  const proven = backups.find((one) => one.proof !== null && isPast(one.takenAt, now));
  return {
    ...{ way, now, at: reader.at ?? now, timezone, users, disk: diskNow },
    backup: backup === undefined ? undefined : { proven },
    freshSeconds: Math.max(objectives.rpoSeconds, freshSecondsMin),
    usersHold: deployments.users,
    freeze: deployments.freeze,
  };
}

/** Undefined: no table of this Odoo tells. */
async function readActiveUsers({ stack, json }: FactReader): Promise<ActiveUsers | undefined> {
  const { odoo, urls } = stack.config;
  // Whoever logs in after each deployment, as a smoke test, is nobody who works.
  const besides = urls.login?.user ?? "";
  const ask = (sql: string) => json(stack.postgres.query(odoo.database, sql, { besides }));
  const tables = parseActiveUserTables(await ask(activeUserTablesSql));
  return tables.length === 0 ? undefined : parseActiveUsers(await ask(activeUsersSql(tables)));
}

const asked = z.object({
  stack: z.string(),
  way: z.enum(["rolled", "waiting", "closed"]),
  findings: z.array(z.string()),
});

/** Between consent and beginning hours may pass. `findings`: what the plan goes on in spite of. */
export function askAgain(stack: Stack, facts: DeployFacts, findings: readonly string[]): Act {
  const input = { stack: stack.name, way: wayOf(stack, facts), findings: [...findings] };
  return read({
    id: "checklist",
    title: "Ask again what may have changed: backup, disks, users, freeze",
    action: { kind: "call", name: "deployment.ask_again", version: 1, input },
    outputs: { ticks: { from: "result", as: "json" } },
  });
}

export function askMoment(readerOf: (stack: string) => FactReader): CallFunction {
  return async (given) => {
    const { stack, way, findings } = asked.parse(given);
    const ticks = judgeMoment(await readMoment(readerOf(stack), way));
    heed(ticks, { reason: "", findings });
    return ticks.map((one) => ({ ...one }));
  };
}
