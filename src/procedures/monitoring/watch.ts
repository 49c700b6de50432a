import { z } from "zod";
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

/** Asks a stack's checks and keeps what they say. Only what is not well is kept with its words. */
export function keepHealth(records: Records, check: (stack: string) => Promise<HealthReport>): CallFunction {
  return async (given, { scope }) => {
    const { stack } = z.object({ stack: z.string() }).parse(given);
    const { status, checks } = await check(stack);
    const wrong = checks.filter((finding) => finding.status !== "ok");
    const data = {
      status,
      findings: wrong.map(({ code, title, status: one, value, unit, hint }) => ({
        ...{ code, title, status: one, value, unit },
        ...(hint === undefined ? {} : { hint }),
      })),
    };
    await records.put({ kind, id: scope.run.id, stack, run: scope.run.id, data });
    await records.trim(kind, stack, keptMax);
    return data;
  };
}
