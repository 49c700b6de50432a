import { z } from "zod";
import type { Records } from "../../engine/records.ts";
import type { CallFunction } from "../../host/perform.ts";

/** What is known of each repository: which sets a copy holds, and what the last check said. */

const state = z.object({
  name: z.string(),
  /** Of a copy: the sets that it held when it was last looked at. */
  sets: z.array(z.string()).default([]),
  copiedAt: z.string().nullable().default(null),
  check: z
    .object({
      at: z.string(),
      run: z.string(),
      outcome: z.enum(["sound", "damaged", "unreadable"]),
      /** Percent of the data that was read back. */
      sample: z.number(),
    })
    .nullable()
    .default(null),
});
export type RepositoryState = z.infer<typeof state>;

export const repositoryKind = "repository";

export async function findRepositoryState(records: Records, stack: string, name: string): Promise<RepositoryState> {
  return state.parse((await records.find(repositoryKind, `${stack}/${name}`)) ?? { name });
}

async function keep(records: Records, stack: string, run: string, data: RepositoryState): Promise<null> {
  await records.put({ kind: repositoryKind, id: `${stack}/${data.name}`, stack, run, data });
  return null;
}

const copyInput = z.object({ stack: z.string(), repository: z.string(), sets: z.array(z.string()), at: z.string() });

export function recordCopy(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, repository, sets, at } = copyInput.parse(given);
    const before = await findRepositoryState(records, stack, repository);
    return keep(records, stack, scope.run.id, { ...before, sets, copiedAt: at });
  };
}

const checkInput = z.object({
  stack: z.string(),
  repository: z.string(),
  exitCode: z.number(),
  sample: z.number(),
  at: z.string(),
});

export function recordCheck(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, repository, exitCode, sample, at } = checkInput.parse(given);
    const before = await findRepositoryState(records, stack, repository);
    const outcome = exitCode === 0 ? "sound" : notRead.includes(exitCode) ? "unreadable" : "damaged";
    return keep(records, stack, scope.run.id, { ...before, check: { at, run: scope.run.id, outcome, sample } });
  };
}

/** What restic answers, or what is read out of its words, when it could not look at all. */
export const notRead: readonly number[] = [10, 11, 12, 28];
