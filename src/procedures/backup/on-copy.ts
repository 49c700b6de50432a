import type { Bracket, Step } from "../../runbook/plan.ts";
import type { Text } from "../../runbook/value.ts";
import type { Readable } from "../../stack/restic.ts";
import type { ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import { copyName, moveFilestore, silence } from "./copy.ts";
import { jobsOf, type ProofFacts } from "./facts.ts";
import { aboutSet, databaseOfSet, fetchSet, requireServer, restoreInScratch, withFolder, withScratch } from "./set.ts";

/** A copy of a set, as the database `copy` of a throw-away server; all that is made for it lies in `folder` and goes with it. */
export interface CopyOfSet {
  readonly repository: Readable;
  readonly set: ProofFacts;
  readonly cluster: ScratchCluster;
  readonly folder: Text;
  /** What the copy is for, as the folder's title names it. */
  readonly what: string;
}

/** What is done with it, and when. */
export interface OnCopy {
  /** Before the set is read. */
  readonly first?: readonly Step[];
  /** While the copy still is as it was, scheduled work and all. */
  readonly restored?: readonly Step[];
  /** Once nothing that it does reaches anybody. */
  readonly silenced: readonly Step[];
  /** When its server is gone and its folder is not. */
  readonly last?: readonly Step[];
}

export function onCopy(
  stack: Stack,
  copy: CopyOfSet,
  { first = [], restored = [], silenced, last = [] }: OnCopy,
): Bracket {
  const { repository, set, cluster, folder, what } = copy;
  const load = { source: databaseOfSet, jobs: jobsOf(stack.config, set.cores), databaseBytes: set.databaseBytes };
  return withFolder(stack, folder, what, [
    ...first,
    ...fetchSet(stack, repository, set, folder),
    aboutSet(stack, folder),
    withScratch(cluster, [
      requireServer(cluster),
      restoreInScratch(cluster, folder, load),
      ...restored,
      ...silence(stack, cluster, copyName),
      moveFilestore(stack, folder),
      ...silenced,
    ]),
    ...last,
  ]);
}
