import { z } from "zod";
import type { Message } from "../../engine/message.ts";
import type { Records } from "../../engine/records.ts";
import type { CallFunction } from "../../host/perform.ts";
import type { Plan } from "../../runbook/plan.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Procedure } from "../procedure.ts";
import { read } from "../steps.ts";
import type { HealthReport } from "./check.ts";

/** Health by itself, every few minutes: what `ipai health` asks, kept, so that it can be told since when something is wrong. */

const input = z.object({});
type WatchInput = z.infer<typeof input>;

export const watch: Procedure<WatchInput, Record<string, never>> = {
  name: "health",
  chapter: "monitoring",
  version: 1,
  risk: "read",
  title: "Health checks",
  summary: "Asks every health check and keeps the answers. Changes nothing, so it may run beside anything.",
  input,
  facts: async () => ({}),
  plan: planWatch,
};

function planWatch(stack: Stack): Plan {
  const action = { kind: "call", name: "monitoring.watch", version: 1, input: { stack: stack.name } } as const;
  return {
    procedure: watch.name,
    version: watch.version,
    stack: stack.name,
    title: "Ask the health checks",
    input: {},
    facts: {},
    lease: "none",
    notes: [],
    steps: [
      read({
        id: "health",
        title: "Ask the health checks",
        action,
        outputs: { status: { from: "result", as: "json", pick: ["status"] } },
      }),
    ],
  };
}

const kind = "health";
/** A week of answers, one every five minutes. */
const keptMax = 2016;

const kept = z.object({
  status: z.enum(["ok", "warn", "fail", "unknown"]),
  findings: z.array(
    z.object({
      code: z.string(),
      title: z.string(),
      status: z.enum(["ok", "warn", "fail", "unknown"]),
      value: z.union([z.number(), z.string(), z.null()]),
      unit: z.string(),
      hint: z.string().nullable(),
    }),
  ),
});
export type KeptHealth = z.infer<typeof kept>;

/**
 * Asks a stack's checks and keeps what they say; only what is not well with its words. When that is not what it was the last time, it
 * is news: as long as it stays, nobody is told again.
 */
export function keepHealth(
  records: Records,
  check: (stack: string) => Promise<HealthReport>,
  tell: (message: Message) => Promise<void>,
): CallFunction {
  return async (given, { scope }) => {
    const { stack } = z.object({ stack: z.string() }).parse(given);
    const { status, checks } = await check(stack);
    const wrong = checks.filter((finding) => finding.status !== "ok");
    const data: KeptHealth = {
      status,
      findings: wrong.map(({ code, title, status: one, value, unit, hint }) => ({
        ...{ code, title, status: one, value, unit, hint: hint ?? null },
      })),
    };
    const [last] = await records.list(kind, stack, 1);
    const message = tellHealth(stack, scope.run.id, last === undefined ? undefined : kept.parse(last.data), data);
    if (message !== undefined) await tell(message);
    await records.put({ kind, id: scope.run.id, stack, run: scope.run.id, data });
    await records.trim(kind, stack, keptMax);
    return data;
  };
}

/** Undefined: nothing changed that anybody has to know. */
export function tellHealth(
  stack: string,
  run: string,
  before: KeptHealth | undefined,
  now: KeptHealth,
): Message | undefined {
  const bad = ({ findings }: KeptHealth) => findings.map(({ code, status }) => `${code} ${status}`).join(", ");
  if (bad(before ?? { status: "ok", findings: [] }) === bad(now)) return undefined;
  const common = { key: `health:${run}`, event: "health.changed", run: null, stack, chapter: "monitoring" };
  const well = (before?.findings ?? []).filter(({ code }) => now.findings.every((finding) => finding.code !== code));
  const lines = [
    ...now.findings.map(
      ({ code, title, status, hint }) => `${status}: ${title} (${code})${hint === null ? "" : `. ${hint}`}`,
    ),
    ...well.map(({ code, title }) => `ok again: ${title} (${code})`),
  ];
  if (now.findings.length === 0) return { ...common, severity: "info", title: "Everything is well again", lines };
  const severity = now.status === "fail" ? "critical" : "warning";
  return { ...common, severity, title: `Health: ${now.findings.map(({ title }) => title).join(", ")}`, lines };
}
