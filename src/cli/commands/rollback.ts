import { readChanges } from "../../procedures/backup/restore/loss.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Plan } from "../../runbook/plan.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { renderChanges } from "../render/loss.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** Releases are taken back; what users did since is told before anybody is asked. */
export function rollBack(context: Context, release: string | undefined, options: RunOptions): Promise<number> {
  return runProcedure(context, "rollback", { release: release ?? null }, options, tellLoss);
}

async function tellLoss(app: App, stack: Stack, plan: Plan): Promise<readonly string[]> {
  const { database } = plan.facts as { database: { changedAt: string } | null };
  if (database === null) return [];
  const reader = createFactReader(stack, app.performer, app.records);
  return [renderChanges(await reader.maybe(readChanges(reader, database.changedAt)))];
}
