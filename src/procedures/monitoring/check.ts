import { type ErrorRecord, toErrorRecord } from "../../errors/error.ts";
import type { ActionResult, Performer } from "../../host/perform.ts";
import type { Action } from "../../runbook/action.ts";
import type { Stack } from "../../stack/stack.ts";

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

const checkTimeoutMs = 10_000;

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

async function answer(stack: Stack, performer: Performer, action: Action): Promise<Answer> {
  const scope = {
    run: { id: "health", startedAt: "" },
    output: () => undefined,
    secret: (name: string) => stack.secret(name),
  };
  try {
    const signal = new AbortController().signal;
    return { result: await performer.perform(action, scope, { signal, timeoutMs: checkTimeoutMs }) };
  } catch (error) {
    return { error: toErrorRecord(error) };
  }
}

/**
 * The judgement of a question that got no answer: fail when the error is one that the object of the check causes when it is broken,
 * else unknown, because then only the question failed.
 */
export function judgeMissing(
  answer: Answer | undefined,
  threshold: Judgement["threshold"],
  broken: { readonly codes: readonly string[]; readonly hint: string },
): Judgement {
  const error = answer?.error;
  if (error === undefined) return { status: "unknown", value: null, threshold, hint: "The check was not asked." };
  if (!broken.codes.includes(error.code))
    return { status: "unknown", value: null, threshold, hint: `${error.message} ${error.hint}` };
  const said = error.output?.trim().split("\n").at(-1) ?? error.message;
  return { status: "fail", value: null, threshold, hint: `${broken.hint} (${said})` };
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
