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
  /** How many people must consent before it begins, and until when they may. */
  consents: Generated<number>;
  consent_until: NullableInstant;
  /** It only looked, and ended well. */
  is_quiet: ColumnType<boolean, never, never>;
  /** Nobody has to be told of it any more. A new status makes it news (a trigger). */
  is_told: Generated<boolean>;
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
  /** How it came: `shell`, `session`, `token NAME`, `schedule`. */
  via: Generated<string>;
  /** The absent person whose right was used. */
  on_behalf_of: string | null;
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

/** What is kept of a schedule: up to when its times have been dealt with, and whether it is paused. */
export interface SchedulesTable {
  stack: string;
  name: string;
  /** Cron expression and zone by which its times were noted. */
  rule: string;
  since: Instant;
  paused_by: string | null;
  paused_at: NullableInstant;
}

/** `dropped`: somebody took it back. */
export type OccurrenceState = "due" | "started" | "missed" | "failed" | "dropped";

/** A time of a schedule, or of nothing but itself, and what became of it. */
export interface OccurrencesTable {
  stack: string;
  schedule: string;
  at: Instant;
  starts_at: Instant;
  /** Until then it is tried again when it cannot be planned. */
  give_up_at: Instant;
  procedure: string;
  input: JsonColumn<Json>;
  actor: string;
  state: OccurrenceState;
  /** The run that it began; of one that is due, the run whose plan was made, and consented to, beforehand. */
  run: string | null;
  error: NullableJson<ErrorRecord>;
  settled_at: NullableInstant;
  /** People were told what became of it, or need not be. */
  is_told: Generated<boolean>;
  /** The nearest announcement that was made of it, seconds before its time. */
  announced: Generated<number | null>;
}

export interface MessagesTable {
  key: string;
  /** In the order in which they were written. */
  place: Generated<string>;
  at: Instant;
  event: string;
  run: string | null;
  stack: string;
  chapter: string;
  severity: "info" | "warning" | "critical";
  title: string;
  lines: JsonColumn<readonly string[]>;
}

export type DeliveryState = "due" | "delivered" | "refused" | "given_up";

/** One message on its way to one channel. */
export interface DeliveriesTable {
  message: string;
  channel: string;
  state: DeliveryState;
  /** What it was first sent together with. */
  batch: string | null;
  attempts: Generated<number>;
  /** When sending it was first begun. */
  taken_at: NullableInstant;
  next_at: Instant;
  give_up_at: Instant;
  error: string | null;
  settled_at: NullableInstant;
}

/** A channel's first post about a run: what is told of it later answers to that. */
export interface ThreadsTable {
  channel: string;
  run: string;
  /** As the receiver calls the post. */
  root: string;
  at: Instant;
}

export interface AuditTable {
  number: number;
  at: string;
  actor: string;
  action: string;
  stack: string | null;
  subject: string;
  detail: JsonColumn<Readonly<Record<string, Json>>>;
  previous: string;
  hash: string;
}

/** The workers that live, or lately did. */
export interface WorkersTable {
  name: string;
  host: string;
  process: JsonColumn<ProcessMark>;
  started_at: Instant;
  seen_at: Instant;
}

/** A process that cannot be taken for another one: numbers are given out again. */
export interface ProcessMark {
  readonly pid: number;
  /** When it began, in the kernel's own count. */
  readonly began: string;
}

/** A person, also one who left. The tables from here to `PasskeysTable` are better-auth's, under our names. */
export interface PeopleTable {
  id: string;
  /** Under which she appears everywhere as the actor. */
  handle: string;
  name: string;
  email: string;
  email_verified: Generated<boolean>;
  image: string | null;
  /** She has an authenticator app. */
  two_factor_enabled: Generated<boolean>;
  /** Her log-ins on machines, and the comments of her SSH keys: she is the actor there too. */
  shell_names: Generated<string[]>;
  /** Handles that entries of the audit chain know her by. Nobody else gets them. */
  former_handles: Generated<string[]>;
  left_at: NullableInstant;
  created_at: Instant;
  updated_at: Instant;
}

export interface SessionsTable {
  id: string;
  person: string;
  token: string;
  /** `password`, `passkey`, or `oidc NAME`. */
  method: string;
  /** It was begun, or later confirmed, with a second factor. */
  second_factor: boolean;
  ip_address: string | null;
  user_agent: string | null;
  expires_at: Instant;
  created_at: Instant;
  updated_at: Instant;
}

/** How a person signs in: `credential` for her password, or an OIDC provider. */
export interface AccountsTable {
  id: string;
  person: string;
  provider: string;
  account: string;
  password: string | null;
  created_at: Instant;
  updated_at: Instant;
}

export interface SecondFactorsTable {
  id: string;
  person: string;
  verified: boolean | null;
}

export interface PasskeysTable {
  id: string;
  person: string;
  name: string | null;
  credential: string;
  created_at: NullableInstant;
}

/** A link with which a person sets her password, once. A new one takes the place of the old. */
export interface InvitationsTable {
  person: string;
  token_hash: string;
  invited_by: string;
  created_at: Instant;
  expires_at: Instant;
}

export interface UsedCodesTable {
  person: string;
  code: string;
  used_at: Instant;
}

/** Sign-ins that were refused, counted by minute; `told` of them stand in the audit chain. */
export interface RefusalsTable {
  minute: Instant;
  source: string;
  handle: string;
  method: string;
  count: number;
  told: number;
}

/** Which run a request has begun that may be repeated. */
export interface RequestsTable {
  actor: string;
  key: string;
  fingerprint: string;
  run: string;
  at: Instant;
}

export interface GrantsTable {
  id: Generated<number>;
  person: string;
  role: string;
  stacks: string[];
  procedures: string[];
  given_by: string;
  given_at: Instant;
  taken_at: NullableInstant;
}

/** What a program shows to act for a person; of its secret only a hash is kept. */
export interface TokensTable {
  id: string;
  person: string;
  name: string;
  secret_hash: string;
  /** Of her grants, what it may use. */
  limits: JsonColumn<Json>;
  created_at: Instant;
  expires_at: Instant;
  used_at: NullableInstant;
  revoked_at: NullableInstant;
}

/** When somebody is away, and who consents in her place. */
export interface AbsencesTable {
  id: Generated<number>;
  person: string;
  from_at: Instant;
  until_at: Instant;
  deputy: string | null;
  noted_by: string;
  noted_at: Instant;
  ended_at: NullableInstant;
}

/** Somebody is on call for a while, whoever's turn it is. */
export interface CoversTable {
  id: Generated<number>;
  rota: string;
  person: string;
  from_at: Instant;
  until_at: Instant;
  noted_by: string;
  noted_at: Instant;
  ended_at: NullableInstant;
}

export interface ControlSchema {
  runs: RunsTable;
  steps: StepsTable;
  events: EventsTable;
  leases: LeasesTable;
  approvals: ApprovalsTable;
  records: RecordsTable;
  schedules: SchedulesTable;
  occurrences: OccurrencesTable;
  workers: WorkersTable;
  messages: MessagesTable;
  deliveries: DeliveriesTable;
  threads: ThreadsTable;
  audit: AuditTable;
  people: PeopleTable;
  sessions: SessionsTable;
  accounts: AccountsTable;
  second_factors: SecondFactorsTable;
  passkeys: PasskeysTable;
  invitations: InvitationsTable;
  used_codes: UsedCodesTable;
  refusals: RefusalsTable;
  requests: RequestsTable;
  grants: GrantsTable;
  tokens: TokensTable;
  absences: AbsencesTable;
  covers: CoversTable;
}
