import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { output, type RunRef } from "../../runbook/value.ts";
import type { RepositoryCopy } from "../../stack/restic-copy.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, read, require } from "../steps.ts";
import { NoCopies, NoRepository } from "./errors.ts";
import { listSnapshots } from "./facts.ts";
import { limitNotes } from "./limits.ts";
import { unlock } from "./locks.ts";
import { notRead } from "./repositories.ts";

const input = z.object({});
type NoInput = z.infer<typeof input>;

export interface CopyFacts {
  /** The newest set of the first repository: it shows that a copy has all. */
  readonly newest: string | undefined;
}

export const copyBackups: Procedure<NoInput, CopyFacts> = {
  name: "backup copy",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Copies of backups",
  summary:
    "Brings every set that the first repository holds to each of the others, encrypted with a password of its own. One that cannot be reached " +
    "does not keep the others from theirs.",
  input,
  facts: async (reader: FactReader) => ({ newest: (await listSnapshots(reader)).at(-1)?.id }),
  plan: planCopy,
};

function planCopy(stack: Stack, _input: NoInput, { newest }: CopyFacts): Plan {
  if (stack.copies.length === 0) throw NoCopies({ stack: stack.name });
  return {
    procedure: copyBackups.name,
    version: copyBackups.version,
    stack: stack.name,
    title: `Copy the backups to ${stack.copies.map(({ name }) => name).join(", ")}`,
    input: {},
    facts: { newest: newest ?? null },
    lease: "shared",
    notes: [
      ...stack.copies.map(({ name, repository }) => `${name}: ${repository}`),
      ...limitNotes(stack, "upload", "download"),
    ],
    steps:
      newest === undefined
        ? []
        : [...stack.copies.flatMap((copy) => copyTo(stack, copy, newest)), allHave(stack, newest)],
  };
}

/** What fails leaves the others to be done; `allHave` says it in the end. */
function copyTo(stack: Stack, copy: RepositoryCopy, newest: string): readonly Act[] {
  const { name } = copy;
  const go = { onFail: "continue" } as const;
  return [
    change(
      { id: `make ${name}`, title: `Create the repository ${name}`, action: copy.initialise() },
      { ...go, done: copy.isInitialised(), verify: [copy.isInitialised()], timeoutSeconds: 1200 },
    ),
    unlock(
      copy,
      { id: `unlock ${name}`, title: `Remove locks of dead processes in ${name}` },
      { ...go, timeoutSeconds: 1200 },
    ),
    change(
      { id: `copy ${name}`, title: `Bring what ${name} does not have`, action: copy.receive() },
      { ...go, verify: [copy.exists(newest)], attempts: 2, timeoutSeconds: 24 * 3600 },
    ),
    ...noteSets(stack, copy),
  ];
}

/** Asks a copy which sets it holds, and keeps the answer. */
export function noteSets(stack: Stack, { name, sets }: RepositoryCopy): readonly Act[] {
  const input = { stack: stack.name, repository: name, sets: output(`sets ${name}`, "ids"), at: startedAt };
  return [
    read(
      {
        id: `sets ${name}`,
        title: `Ask which backups ${name} has`,
        action: sets.action,
        outputs: { ids: sets.output },
      },
      { onFail: "continue" },
    ),
    change(
      {
        id: `note ${name}`,
        title: `Note which backups ${name} has`,
        action: { kind: "call", name: "backup.record_copy", version: 1, input },
      },
      { onFail: "continue", timeoutSeconds: 30 },
    ),
  ];
}

const startedAt: RunRef = { ref: "run", field: "startedAt" };

/** The run ends with what could not be done. Nothing is taken back: what was copied stays. */
function allHave(stack: Stack, newest: string): Act {
  const [first, ...others] = stack.copies.map((copy) => copy.exists(newest));
  if (first === undefined) throw NoCopies({ stack: stack.name });
  return read(
    { id: "all", title: "Every copy has the newest backup", action: first.action, outputs: {} },
    { verify: [first, ...others], timeoutSeconds: 1200 },
  );
}

export const checkBackups: Procedure<NoInput, Record<string, never>> = {
  name: "backup check",
  chapter: "backup",
  version: 1,
  risk: "read",
  title: "Integrity of the repositories",
  summary:
    "Checks that every set in every repository is whole, and reads a part of the data back that is chosen anew each time (backup.check.sample), so " +
    "that damage is found before it is needed. The answers are kept.",
  input,
  facts: async () => ({}),
  plan: planCheck,
};

function planCheck(stack: Stack): Plan {
  const { restic, config } = stack;
  if (restic === undefined || config.backup === undefined) throw NoRepository({ stack: stack.name });
  const { sample } = config.backup.check;
  const repositories = [{ ...restic, name: primary }, ...stack.copies];
  return {
    procedure: checkBackups.name,
    version: checkBackups.version,
    stack: stack.name,
    title: `Check ${repositories.map(({ name }) => name).join(", ")}, reading ${sample} % back`,
    input: {},
    facts: {},
    // A prune takes away what is being read.
    lease: "shared",
    notes: [...repositories.map(({ name, repository }) => `${name}: ${repository}`), ...limitNotes(stack, "download")],
    steps: [
      ...repositories.flatMap(({ name, checkSample }) => [
        read(
          {
            id: `check ${name}`,
            title: `Check ${name}`,
            action: checkSample(sample),
            outputs: { exitCode: { from: "exitCode", as: "number" } },
          },
          { onFail: "continue", timeoutSeconds: 12 * 3600 },
        ),
        noteCheck(stack, name, sample),
      ]),
      ...repositories.map(({ name }) => isSound(stack, name)),
    ],
  };
}

function noteCheck(stack: Stack, name: string, sample: number): Act {
  const exitCode = output(`check ${name}`, "exitCode");
  const input = { stack: stack.name, repository: name, exitCode, sample, at: startedAt };
  return read(
    {
      id: `note ${name}`,
      title: `Note what the check of ${name} said`,
      action: { kind: "call", name: "backup.record_check", version: 1, input },
      outputs: {},
    },
    { onFail: "continue", timeoutSeconds: 30 },
  );
}

/** Damage and a repository that could not be read are two things to be told. */
function isSound(stack: Stack, name: string): Act {
  const exitCode = output(`check ${name}`, "exitCode");
  const ask = (accepted: readonly number[]) =>
    ({
      action: command(
        stack.tools,
        ["sh", "-c", 'for one; do [ "$one" != "$0" ] || exit 0; done; exit 1', exitCode, ...accepted.map(String)],
        { okExitCodes: [0, 1] },
      ),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
    }) as const;
  const whole = { ...ask([0, ...notRead]), title: `${name} is not damaged`, code: "backup.repository_damaged" };
  const readable = { ...ask([0]), title: `${name} could be read`, code: "backup.repository_unreadable" };
  const act = require({ id: `sound ${name}`, title: `${name} is sound`, probe: whole });
  return { ...act, verify: [whole, readable] };
}
