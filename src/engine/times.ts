import { sql } from "kysely";
import type { Control } from "./control.ts";
import { getRun } from "./journal.ts";

/** When the steps of a run were under way, with those of the runs inside it: of the outermost one, whichever is asked for. */
export async function readTimes(control: Control, id: string) {
  const run = await findOutermost(control, id);
  const { rows } = await sql<{ path: string; step: string; startedAt: Date; finishedAt: Date | null }>`
    with recursive all_runs as (
      select id from runs where id = ${run.id}
      union all
      select runs.id from runs join all_runs on runs.parent = all_runs.id
    )
    select path, step, started_at as "startedAt", finished_at as "finishedAt" from steps
    where run in (select id from all_runs) and phase = 'do' order by started_at`.execute(control.db);
  const awaySeconds = run.plan.awaySeconds ?? null;
  return { run: run.id, startedAt: run.started_at ?? run.created_at, now: new Date(), awaySeconds, steps: rows };
}

async function findOutermost(control: Control, id: string) {
  let run = await getRun(control, id);
  while (run.parent !== null) run = await getRun(control, run.parent);
  return run;
}
