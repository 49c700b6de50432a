import type { Act } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import { createSideCluster, type SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader } from "../../procedure.ts";
import { findResource, type Resource } from "../../resources.ts";
import { require, stopService } from "../../steps.ts";
import { NoPast } from "./errors.ts";

/** An opened past: where it lies, whether it is what it was, and how it goes. */

/** One that is open. Throws `past.unknown`. */
export async function getPast(
  { records, stack }: Pick<FactReader, "records" | "stack">,
  id: string,
): Promise<Resource> {
  const found = await findResource(records, stack.name, id);
  if (found === undefined || found.kind !== "past" || found.closed !== null) throw NoPast({ id });
  return found;
}

/** Where a past lies that was opened by a run. */
export function folderOf({ config }: Stack, id: Text): Text {
  const folder = `${config.workDirectory}/past/`;
  return typeof id === "string" ? folder + id : join(folder, runId);
}

/** The server of one that is open. */
export function sideOf(stack: Stack, id: string): SideCluster {
  return createSideCluster(stack.config, stack.runtime, undefined, folderOf(stack, id));
}

/** It still is that instant: in recovery, stopped before it. Asked before anything is read from it. */
export function standsStill(side: SideCluster): Act {
  const probe = {
    title: "it stands at its instant",
    // 2: its server is not there.
    action: { ...side.query("postgres", stateSql), exitCodes: { 2: "past.moved" } },
    output: { from: "stdout" },
    compare: "eq",
    with: "paused",
    code: "past.moved",
  } as const;
  return require({ id: "stands still", title: "The past stands at its instant", probe });
}

const stateSql = "select case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() else 'promoted' end;";

/** At once: nothing in it is worth a checkpoint. */
export function stopSide(side: SideCluster): Act {
  return stopService("stop side", "Stop the side cluster", { ...side, stopSeconds: 60 });
}
