import type { Subject } from "../access/rights.ts";
import type { Rota } from "../access/rota.ts";
import type { Control } from "../engine/control.ts";
import type { Run, Tables } from "../engine/journal.ts";
import type { Answer } from "../engine/outbox.ts";
import type { Records } from "../engine/records.ts";
import type { Schedule } from "../engine/schedule.ts";
import type {
  Alert,
  Close,
  Heartbeat,
  HeldExtension,
  HeldFiling,
  HeldHoliday,
  MonthlyReport,
} from "../finance/held.ts";
import type { Plan } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import type { Hook } from "./hook.ts";

/** What the API needs from the program around it. It holds none of it itself: two servers on one control database are equals. */
export interface ApiPorts {
  readonly control: Control;
  readonly records: Records;
  readonly now: () => Date;
  /** The public address; browsers are answered from this origin only. */
  readonly url: string;
  readonly stacks: Readonly<Record<string, StackEntry>>;
  /** Read anew each time: the user's own may change. */
  readonly procedures: () => Promise<readonly ProcedureEntry[]>;
  readonly rotas: readonly (Rota & { readonly stacks: readonly string[] })[];
  readonly hooks: Readonly<Record<string, Hook>>;
  readonly channels: Readonly<Record<string, (actor: string) => Promise<Answer>>>;
  /** Whoever has the session that a request's cookie names. */
  readonly signedIn: (headers: Headers) => Promise<SignedIn | undefined>;
  /** Everything below `/api/auth`. `address`: of whoever opened the connection. */
  readonly auth: (request: Request, address: string) => Promise<Response>;
  readonly plan: (procedure: string, stack: string, input: Json) => Promise<Plan>;
  /** Throws for what is no input of a procedure. */
  readonly checkInput: (procedure: string, input: Json) => Promise<void>;
  /** Records a plan, in the transaction that is given. */
  readonly record: (tables: Tables, plan: Plan, actor: string) => Promise<Run>;
  /** Has a run carried out in this process; returns at once. */
  readonly carryOut: (run: string) => void;
  readonly subjectOf: (run: RunKind) => Subject;
  /** Whether a refusal may still go into the audit chain: so many a minute, or whoever is refused could flood it. */
  readonly mayNote: () => boolean;
  /** What happened that nobody is told of in an answer. */
  readonly log: (line: string) => void;
}

/** `undo_class`: absent as long as there is no plan. */
export type RunKind = Pick<Run, "stack" | "procedure"> & Partial<Pick<Run, "undo_class">>;

export interface StackEntry {
  readonly name: string;
  readonly timezone: string;
  readonly url: string;
  readonly schedules: readonly Schedule[];
  /** Asks the health checks now. */
  readonly health: () => Promise<Json>;
  /** Measures now what a dead server would take with it. */
  readonly exposure: () => Promise<Json>;
  /** Asks now what is asked before a release comes: of a branch, a tag or a commit, of the source's branch when null. */
  readonly checklist: (to: string | null) => Promise<Json>;
  readonly certificates: Certificates;
  /** Throws `finance.not_configured` where the stack has no key for it. */
  readonly finance: () => FinanceDesk;
}

/** What Odoo holds of Finance PPM, asked now. */
export interface FinanceDesk {
  readonly filings: (wanted: { readonly all: boolean; readonly year?: string }) => Promise<readonly HeldFiling[]>;
  readonly alerts: () => Promise<readonly Alert[]>;
  readonly holidays: (year?: string) => Promise<readonly HeldHoliday[]>;
  readonly extensions: () => Promise<readonly HeldExtension[]>;
  readonly closes: (period?: string) => Promise<readonly Close[]>;
  readonly heartbeats: () => Promise<readonly Heartbeat[]>;
  readonly reports: (period: string) => Promise<readonly MonthlyReport[]>;
}

/** What verifications of a stack's backups found, signed. */
export interface Certificates {
  /** Newest first. */
  readonly list: (limit: number) => Promise<readonly Json[]>;
  /** Of a backup, or of the run that verified it. */
  readonly find: (set: string) => Promise<CertificateEntry | undefined>;
}

export interface CertificateEntry {
  readonly document: Json;
  /** As a page. */
  readonly pdf: () => Promise<Uint8Array<ArrayBuffer>>;
}

export interface ProcedureEntry {
  readonly name: string;
  readonly chapter: string;
  readonly title: string;
  readonly summary: string;
  /** JSON Schema of its input. */
  readonly input: Json;
}

export interface SignedIn {
  readonly person: string;
  /** A second factor is due that was not shown: nothing may be done. */
  readonly isRestricted: boolean;
}
