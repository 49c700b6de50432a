import type { ColumnType, Generated } from "kysely";
import type { ErrorRecord } from "../errors/error.ts";
import type { Plan } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";

/** The control database as Kysely sees it. The tables themselves are made by `migrations.ts`. */

export type RunStatus = "planned" | "waiting" | "running" | "undoing" | "ended";
export type Outcome = "succeeded" | "undone" | "failed" | "cancelled" | "unknown";
export type StepOutcome = "running" | "succeeded" | "skipped" | "failed";
export type WaitingFor = "approval" | "decision" | "undo";
export type Decision = "again" | "done" | "undo" | "abandon";

type Instant = ColumnType<Date, Date | undefined, Date>;
type NullableInstant = ColumnType<Date | null, Date | null | undefined, Date | null>;
type JsonColumn<T> = ColumnType<T, string, string>;
type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>;

export interface RunsTable {
  id: string;
  parent: string | null;
  /** Path of the step of the parent that this run carries out. */
  parent_step: string | null;
  procedure: string;
  stack: string;
  title: string;
  plan: JsonColumn<Plan>;
  plan_hash: string;
  undo_class: string;
  actor: string;
  status: RunStatus;
  /** `approval`: of its plan. `decision`: a step stopped it. `undo`: taking back stopped half-way. */
  waiting_for: WaitingFor | null;
  decision: Decision | null;
  outcome: Outcome | null;
  error: NullableJson<ErrorRecord>;
  cancel_requested_by: string | null;
  /** Rises with every worker that takes the run; a write with an older one changes nothing. */
  fence: Generated<number>;
  worker: string | null;
  created_at: Instant;
  started_at: NullableInstant;
  finished_at: NullableInstant;
}

export interface StepsTable {
  run: string;
  path: string;
  phase: "do" | "undo";
  step: string;
  title: string;
  outcome: StepOutcome;
  attempts: number;
  outputs: NullableJson<Readonly<Record<string, Json>>>;
  error: NullableJson<ErrorRecord>;
  started_at: Instant;
  finished_at: NullableInstant;
}

export interface EventsTable {
  id: Generated<string>;
  run: string;
  at: Instant;
  kind: string;
  path: string | null;
  data: NullableJson<Json>;
}

export interface LeasesTable {
  stack: string;
  run: string;
  mode: "shared" | "exclusive";
  actor: string;
  since: Instant;
}

export interface ApprovalsTable {
  run: string;
  plan_hash: string;
  actor: string;
  at: Instant;
}

/** What procedures keep beyond a run: backups, proofs. The engine does not look inside. */
export interface RecordsTable {
  kind: string;
  id: string;
  stack: string;
  run: string | null;
  at: Instant;
  data: JsonColumn<Json>;
}

export interface ControlSchema {
  runs: RunsTable;
  steps: StepsTable;
  events: EventsTable;
  leases: LeasesTable;
  approvals: ApprovalsTable;
  records: RecordsTable;
}
