import { z } from "zod";
import { toIpaiError } from "../../errors/error.ts";
import {
  type Alert,
  alertSchema,
  type Close,
  closeSchema,
  extensionSchema,
  type Heartbeat,
  type HeldExtension,
  type HeldFiling,
  type HeldHoliday,
  heartbeatSchema,
  heldFilingSchema,
  holidaySchema,
  type MonthlyReport,
  type Move,
  moveSchema,
  type ReportFiles,
  reportFilesSchema,
  reportSchema,
  type Step,
  stepSchema,
} from "../../finance/held.ts";
import type { ActionResult, Performer } from "../../host/perform.ts";
import type { HttpAction } from "../../runbook/action.ts";
import type { FinanceDoor } from "../../stack/odoo/finance.ts";
import type { Stack } from "../../stack/stack.ts";
import {
  FinanceAddonMissing,
  FinanceAnswerUnreadable,
  FinanceKeyRefused,
  FinanceNotAllowed,
  FinanceNotConfigured,
  FinanceRefused,
  OdooAway,
} from "./errors.ts";

/**
 * The desk of the finance team in the stack's Odoo: what it holds, and what people do there from a shell. Odoo decides, with the rights
 * of the key's user; nothing is computed here.
 */
export interface Desk {
  filings(wanted?: WantedFilings): Promise<readonly HeldFiling[]>;
  alerts(): Promise<readonly Alert[]>;
  holidays(year?: string): Promise<readonly HeldHoliday[]>;
  extensions(): Promise<readonly HeldExtension[]>;
  /** The month-end closes that were opened, of a month (YYYY-MM) or all of them, with their tasks. */
  closes(period?: string): Promise<readonly Close[]>;
  /** When each action of Odoo and each workflow last ran, and whether one is silent. */
  heartbeats(): Promise<readonly Heartbeat[]>;
  /** The reports of a month that were made, one for each company. */
  reports(period: string): Promise<readonly MonthlyReport[]>;
  /** Of those, what is mailed: pages of A4 and a table. */
  reportFiles(period: string): Promise<ReportFiles>;
  /** Of an escalation, its task's ladder stands still then. */
  acknowledge(alert: number): Promise<Alert>;
  /** Takes the steps of the ladder that are due now. */
  climb(): Promise<readonly Step[]>;
  /** Makes the reports of a month, or a revision of those whose numbers have changed; one for each company. */
  makeReports(period: string): Promise<readonly MonthlyReport[]>;
  /** `preview`: only says what would move. */
  addHoliday(holiday: NewHoliday, preview: boolean): Promise<readonly Move[]>;
  addExtension(extension: NewExtension, preview: boolean): Promise<readonly Move[]>;
}

export interface WantedFilings {
  /** Also those that are filed, cancelled or do not apply. */
  readonly all?: boolean;
  /** YYYY, in which the deadline lies. */
  readonly year?: string;
}

export type NewHoliday = Omit<HeldHoliday, "id">;
export type NewExtension = Omit<HeldExtension, "id" | "state">;

/** Throws `finance.not_configured`; what is asked of it, any other `finance.…` of errors.ts. */
export function createDesk(stack: Stack, performer: Performer): Desk {
  const { finance } = stack;
  if (finance === undefined) throw FinanceNotConfigured({ stack: stack.name });
  const door = createDoor(stack, finance, performer);
  const moves = z.object({ moves: z.array(moveSchema) });
  return {
    filings: async ({ all = false, year } = {}) => {
      const query = { ...(all ? { state: "all" } : {}), ...(year === undefined ? {} : { year }) };
      return (await door.ask("filings", query, z.object({ filings: z.array(heldFilingSchema) }))).filings;
    },
    alerts: async () => (await door.ask("alerts", {}, z.object({ alerts: z.array(alertSchema) }))).alerts,
    holidays: async (year) => {
      const query = year === undefined ? {} : { year };
      return (await door.ask("holidays", query, z.object({ holidays: z.array(holidaySchema) }))).holidays;
    },
    extensions: async () =>
      (await door.ask("extensions", {}, z.object({ extensions: z.array(extensionSchema) }))).extensions,
    closes: async (period) => {
      const query = period === undefined ? {} : { period };
      return (await door.ask("closes", query, z.object({ closes: z.array(closeSchema) }))).closes;
    },
    heartbeats: async () =>
      (await door.ask("heartbeats", {}, z.object({ heartbeats: z.array(heartbeatSchema) }))).heartbeats,
    reports: async (period) =>
      (await door.ask("reports", { period }, z.object({ reports: z.array(reportSchema) }))).reports,
    reportFiles: (period) => door.ask("reports/files", { period }, reportFilesSchema),
    acknowledge: async (alert) => (await door.tell(`alerts/${alert}/ack`, {}, z.object({ alert: alertSchema }))).alert,
    climb: async () => (await door.tell("ladder", {}, z.object({ steps: z.array(stepSchema) }))).steps,
    makeReports: async (period) =>
      (await door.tell(`reports/${encodeURIComponent(period)}`, {}, z.object({ reports: z.array(reportSchema) })))
        .reports,
    addHoliday: async (holiday, preview) => (await door.tell("holidays", { ...holiday, preview }, moves)).moves,
    addExtension: async (extension, preview) => (await door.tell("extensions", { ...extension, preview }, moves)).moves,
  };
}

interface Door {
  ask<T>(path: string, query: Readonly<Record<string, string>>, answer: z.ZodType<T>): Promise<T>;
  tell<T>(path: string, body: object, answer: z.ZodType<T>): Promise<T>;
}

const unchanged = "Nothing was changed.";
/** A request that broke off may have been carried out. */
const unknown = "Whether it was done is not known: look at what Odoo holds before you try again.";

function createDoor(stack: Stack, finance: FinanceDoor, performer: Performer): Door {
  const { url } = finance;
  const scope = {
    run: { id: "finance", startedAt: "" },
    output: () => undefined,
    secret: (name: string) => stack.secret(name),
  };
  const send = async <T>(action: HttpAction, answer: z.ZodType<T>): Promise<T> => {
    const isChange = action.method === "POST";
    const options = { signal: new AbortController().signal, timeoutMs: (action.timeoutSeconds + 10) * 1000 };
    const result = await performer.perform(action, scope, options).catch((error: unknown) => {
      throw away(url, error, isChange);
    });
    return judge(url, result, { answer, isChange });
  };
  return {
    ask: (path, query, answer) => send(finance.ask(path, query), answer),
    tell: (path, body, answer) => send(finance.tell(path, body), answer),
  };
}

/** Refused connections and unknown names reached nobody; every other one may have. */
function away(url: string, thrown: unknown, isChange: boolean): unknown {
  const error = toIpaiError(thrown);
  if (error.code === "host.http_timeout" || error.code === "host.http_unreachable") {
    const { exitCode } = error.details as { readonly exitCode?: number };
    const changed = isChange && exitCode !== 6 && exitCode !== 7 ? unknown : unchanged;
    return OdooAway({ url, reason: "no answer", changed }, { cause: thrown });
  }
  return thrown;
}

const refusal = z.object({ error: z.object({ message: z.string() }) });

function judge<T>(
  url: string,
  { status = 0, body = "" }: ActionResult,
  { answer, isChange }: { answer: z.ZodType<T>; isChange: boolean },
): T {
  const said = parseJson(body);
  if (status === 200 || status === 201) {
    const parsed = answer.safeParse(said);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const reason = said === undefined ? "it is no JSON" : `${issue?.path.join(".")}: ${issue?.message}`;
    throw FinanceAnswerUnreadable({ url, reason, changed: isChange ? unknown : unchanged });
  }
  throw refused({ url, status, told: refusal.safeParse(said).data?.error.message, isChange });
}

interface RefusedAnswer {
  readonly url: string;
  readonly status: number;
  /** What the door says itself; nothing when something before it answers. */
  readonly told: string | undefined;
  readonly isChange: boolean;
}

function refused({ url, status, told, isChange }: RefusedAnswer): Error {
  if (status === 401) return FinanceKeyRefused({ url });
  if (status === 403) return FinanceNotAllowed({ said: sentence(told ?? "it gives no reason") });
  if (told !== undefined && status >= 400 && status < 500) return FinanceRefused({ said: sentence(told) });
  if (status === 404) return FinanceAddonMissing({ url });
  if (status === 503) return OdooAway({ url, reason: "it is closed, or not ready", changed: unchanged });
  // The door takes back what failed in it, and says so; a proxy that has lost patience does not know.
  const changed = isChange && status >= 500 && told === undefined ? unknown : unchanged;
  return OdooAway({ url, reason: `the answer is ${status}`, changed });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);
