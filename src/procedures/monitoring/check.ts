import { type ErrorRecord, toErrorRecord } from "../../errors/error.ts";
import type { ActionResult, Performer } from "../../host/perform.ts";
import type { Action } from "../../runbook/action.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader } from "../procedure.ts";
import "./errors.ts";

/**
 * A check is a question with thresholds; its answer is a finding. What could not be asked is `unknown`, never ok: a missing tool
 * must not look like health.
 */
export type Status = "ok" | "warn" | "fail" | "unknown";

export interface Check {
  /** Permanent: `IPAI-DB-001`. */
  readonly code: string;
  readonly title: string;
  readonly unit: string;
  readonly actions: readonly Action[];
  readonly judge: (answers: readonly Answer[]) => Judgement;
}

export type Answer =
  | { readonly result: ActionResult; readonly error?: never }
  | { readonly error: ErrorRecord; readonly result?: never };

export interface Judgement {
  readonly status: Status;
  readonly value: number | string | null;
  readonly threshold: number | string | null;
  /** What it means and what to do next; absent when all is well. */
  readonly hint?: string;
}

export interface Finding extends Judgement {
  readonly code: string;
  readonly title: string;
  readonly unit: string;
  readonly milliseconds: number;
}

export interface HealthReport {
  readonly status: Status;
  readonly checks: readonly Finding[];
}

/** What hangs is told after this long; all checks are asked at the same time, so the whole report is not much later. */
export const checkTimeoutMs = 8_000;

/** Asks all checks at the same time. */
export async function runChecks(stack: Stack, performer: Performer, checks: readonly Check[]): Promise<HealthReport> {
  const findings = await Promise.all(checks.map((check) => runCheck(stack, performer, check)));
  return { status: worst(findings.map((finding) => finding.status)), checks: findings };
}

async function runCheck(stack: Stack, performer: Performer, check: Check): Promise<Finding> {
  const startedAt = performance.now();
  const answers = await Promise.all(check.actions.map((action) => answer(stack, performer, action)));
  const judgement = check.judge(answers);
  const { code, title, unit } = check;
  return { code, title, unit, ...judgement, milliseconds: Math.round(performance.now() - startedAt) };
}

/** One check alone, for whoever reads facts. */
export async function askCheck({ text }: Pick<FactReader, "text">, check: Check): Promise<Judgement> {
  const answers = check.actions.map(async (action): Promise<Answer> => {
    try {
      const stdout = await text(asked(action));
      return { result: { stdout, stderr: "", exitCode: 0, seconds: 0, truncated: false } };
    } catch (error) {
      return { error: toErrorRecord(error) };
    }
  });
  return check.judge(await Promise.all(answers));
}

async function answer(stack: Stack, performer: Performer, action: Action): Promise<Answer> {
  const scope = {
    run: { id: "health", startedAt: "" },
    output: () => undefined,
    secret: (name: string) => stack.secret(name),
  };
  try {
    const signal = AbortSignal.timeout(checkTimeoutMs);
    return { result: await performer.perform(asked(action), scope, { signal, timeoutMs: checkTimeoutMs }) };
  } catch (error) {
    return { error: toErrorRecord(error) };
  }
}

/**
 * runuser and sh answer 126 or 127 when there is no such program, start-stop-daemon 4 when it cannot tell, and psql 1 when it
 * could not even try, or runuser was not allowed to.
 */
function asked(action: Action): Action {
  if (action.kind !== "command" && action.kind !== "sql") return action;
  const own = action.kind === "sql" ? 1 : 4;
  return {
    ...action,
    exitCodes: { [own]: "health.not_asked", 126: "health.not_asked", 127: "health.not_asked", ...action.exitCodes },
  };
}

/** Errors that say nothing about the object of the check, only that it could not be asked. */
const notAsked: ReadonlySet<string> = new Set([
  "health.not_asked",
  "host.container_missing",
  "host.container_not_running",
  "host.docker_refused",
  "host.docker_unreachable",
  "host.program_not_found",
  "host.permission_denied",
  "host.start_failed",
  "host.output_unreadable",
  "host.output_too_large",
  "internal.bug",
]);

/** A report with findings that were not asked of the stack: what the catalogue knows. */
export function withFindings(report: HealthReport, findings: readonly Finding[]): HealthReport {
  const checks = [...report.checks, ...findings];
  return { status: worst(checks.map(({ status }) => status)), checks };
}

/** The judgement of an error: unknown when the question could not be asked, else fail with what it says. */
export function judgeError(error: ErrorRecord, threshold: Judgement["threshold"], failHint: string): Judgement {
  if (notAsked.has(error.code))
    return { status: "unknown", value: null, threshold, hint: `${error.message} ${error.hint}` };
  return { status: "fail", value: null, threshold, hint: `${failHint} (${reasonOf(error)})` };
}

/** What was met, in a few words: the last line that was printed, or what the error says, or that nothing came in time. */
function reasonOf(error: ErrorRecord): string {
  const printed = error.output?.trim().split("\n").at(-1)?.trim() ?? "";
  const isLate = error.code === "host.timeout" || error.code === "host.cancelled";
  if (isLate) return `no answer within ${checkTimeoutMs / 1000} s`;
  return printed === "" ? error.message : printed;
}

/** fail before unknown before warn: what is known to be broken is said first. */
export function worst(statuses: readonly Status[]): Status {
  const order: readonly Status[] = ["ok", "warn", "unknown", "fail"];
  return order[Math.max(0, ...statuses.map((status) => order.indexOf(status)))] ?? "ok";
}

export function judgeThresholds(percent: number, limits: { warn: number; fail: number }): Status {
  if (percent >= limits.fail) return "fail";
  return percent >= limits.warn ? "warn" : "ok";
}

/** The judgement of an answer in which something must be read; an answer that never came is judged as its error. */
export function judgeAnswer(
  answer: Answer | undefined,
  threshold: Judgement["threshold"],
  failHint: string,
  judge: (result: ActionResult) => Judgement,
): Judgement {
  if (answer?.result !== undefined) return judge(answer.result);
  if (answer?.error !== undefined) return judgeError(answer.error, threshold, failHint);
  return { status: "unknown", value: null, threshold, hint: "The check was not asked." };
}
