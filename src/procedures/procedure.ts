import type { z } from "zod";
import type { Records } from "../engine/records.ts";
import { toIpaiError } from "../errors/error.ts";
import { type Performer, readOutput } from "../host/perform.ts";
import type { Action, Output } from "../runbook/action.ts";
import type { Effect, Plan } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import type { Stack } from "../stack/stack.ts";

/**
 * An entry of the runbook: facts → plan. `facts` only reads; `plan` is pure, so the same facts give the same plan and the same
 * hash, and it can be tested without a server.
 */
export interface Procedure<Input, Facts> {
  readonly name: string;
  readonly chapter: string;
  readonly version: number;
  /** The file that defines one of the user's own. */
  readonly file?: string;
  /** The most that its plans do. */
  readonly risk: Effect;
  readonly title: string;
  /** What it does for whom, in a sentence or two: help, documentation and the exported runbook say this. */
  readonly summary: string;
  /** What people are told when it succeeded: `Backup proven`. The run's title when absent. */
  readonly done?: { readonly title: string; readonly line?: string };
  /** So long before it begins it is announced, when somebody has planned it for a time; seconds. Not at all when absent. */
  readonly announceSeconds?: readonly number[];
  /** A finding of health tells when it stays away: one that fails every minute is not told every minute. */
  readonly toldBy?: string;
  readonly input: z.ZodType<Input>;
  facts(reader: FactReader, input: Input): Promise<Facts>;
  plan(stack: Stack, input: Input, facts: Facts): Plan;
}

/** A day and an hour before: of what may keep users from working. */
export const announcedBefore: readonly number[] = [24 * 3600, 3600];

/** A procedure whose types the registry does not need to know. */
export type AnyProcedure = Procedure<never, never>;

/** Read-only questions to one stack. */
export interface FactReader {
  readonly stack: Stack;
  readonly records: Records;
  now(): Date;
  /** When what is planned for a time begins; absent: now. */
  readonly at?: Date;
  read(action: Action, output: Output): Promise<Json>;
  text(action: Action): Promise<string>;
  json(action: Action): Promise<Json>;
  jsonLines(action: Action): Promise<readonly Json[]>;
  number(action: Action): Promise<number>;
  /** The exit code of a command that declares its answers in `okExitCodes`. */
  exitCode(action: Action): Promise<number>;
  /** The answer, or undefined when the question could not be asked at all. */
  maybe<T>(question: Promise<T>): Promise<T | undefined>;
}

const factTimeoutMs = 120_000;

export function createFactReader(
  stack: Stack,
  performer: Performer,
  records: Records,
  timeoutMs = factTimeoutMs,
  now = () => new Date(),
): FactReader {
  const read = async (action: Action, output: Output): Promise<Json> => {
    const scope = {
      run: { id: "facts", startedAt: "" },
      output: () => undefined,
      secret: (name: string) => stack.secret(name),
    };
    const signal = new AbortController().signal;
    return readOutput(await performer.perform(action, scope, { signal, timeoutMs }), output);
  };
  return {
    stack,
    records,
    now,
    read,
    text: async (action) => String(await read(action, { from: "stdout" })),
    json: (action) => read(action, { from: "stdout", as: "json" }),
    jsonLines: async (action) => (await read(action, { from: "stdout", as: "jsonLines" })) as readonly Json[],
    number: async (action) => Number(await read(action, { from: "stdout", as: "number" })),
    exitCode: async (action) => Number(await read(action, { from: "exitCode", as: "number" })),
    maybe: (question) =>
      question.catch((error: unknown) => {
        if (toIpaiError(error).code === "internal.bug") throw error;
        return undefined;
      }),
  };
}
