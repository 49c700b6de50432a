import { z } from "zod";
import type { Plan, Step } from "../../runbook/plan.ts";
import type { Stack } from "../../stack/stack.ts";
import { changePlaces, namesOfDatabase, namesWith, noteKept } from "../backup/restore/place.ts";
import { whileInMaintenance } from "../maintenance/bracket.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { noteClosed } from "../resources.ts";
import { pivot, whileOdooStopped } from "../steps.ts";
import { checkOut, seenCode, short, unchangedTree } from "./code.ts";
import { boundTo, newImages, roll } from "./deploy.ts";
import { NoSnapshot, NotCodeOnly, NothingToRollBack, ReleaseUnknown } from "./errors.ts";
import { type DeployFacts, readCommitFacts, requireGit } from "./facts.ts";
import { useImages } from "./image.ts";
import { listReleases, noteRelease, noteSize, type Release } from "./release.ts";
import { serviceTests } from "./smoke.ts";

const input = z.object({
  release: z
    .string()
    .nullable()
    .default(null)
    .describe("The release to go back to, by its id; the one before the last when absent"),
});
type RollbackInput = z.infer<typeof input>;

export interface RollbackFacts {
  /** What is taken back, newest first. */
  readonly undone: readonly Release[];
  readonly code: DeployFacts;
  /** The release whose database of before takes the place of the present one. Undefined: none of these changed the database. */
  readonly database: Pick<Release, "id" | "changedAt"> | undefined;
}

export const rollback: Procedure<RollbackInput, RollbackFacts> = {
  name: "rollback",
  chapter: "deployment",
  version: 1,
  risk: "change",
  title: "Rollback",
  summary:
    "Takes releases back: code alone is rolled like a hot-fix; where one changed the database, the copy of before changes places with the " +
    "present, which is kept. What users did in between is shown before anybody consents.",
  done: { title: "Rolled back" },
  input,
  facts: readRollbackFacts,
  plan: planRollback,
};

async function readRollbackFacts(reader: FactReader, { release }: RollbackInput): Promise<RollbackFacts> {
  const { stack, records } = reader;
  const undone = toUndo(await listReleases(records, stack.name), release);
  const oldest = undone.at(-1);
  if (oldest === undefined) throw NothingToRollBack({ stack: stack.name });
  // The state before several is that before the first of them that changed the database.
  const changing = undone.findLast(({ snapshot }) => snapshot);
  if (changing === undefined) {
    const code = await readCommitFacts(reader, oldest.from, {});
    if (code.updates.length > 0) throw NotCodeOnly({ reasons: code.reasons.join("; ") });
    return { undone, code, database: undefined };
  }
  const database = snapshotOf(stack, changing);
  if ((await reader.number(stack.postgres.databaseExists(database).action)) === 0)
    throw NoSnapshot({ release: changing.id });
  const code = await readCommitFacts(reader, oldest.from, { database });
  return { undone, code, database: { id: changing.id, changedAt: changing.changedAt } };
}

/** Those after the wanted one. What was rolled back is over, and so is the rolling back itself. */
function toUndo(releases: readonly Release[], wanted: string | null): readonly Release[] {
  const standing = releases.filter(({ id, kind }) => kind !== "rollback" && !isTakenBack(releases, id));
  if (wanted === null) return standing.slice(0, 1);
  const index = standing.findIndex(({ id }) => id === wanted);
  if (index === -1) throw ReleaseUnknown({ release: wanted, known: standing.map(({ id }) => id).join(", ") });
  return standing.slice(0, index);
}

function isTakenBack(releases: readonly Release[], id: string): boolean {
  return releases.some(({ undone }) => undone.includes(id));
}

function snapshotOf({ config }: Stack, { id }: Release): string {
  return `${config.odoo.database}_before_${id}`;
}

function planRollback(stack: Stack, given: RollbackInput, facts: RollbackFacts): Plan {
  const { undone, code, database } = facts;
  return {
    procedure: rollback.name,
    version: rollback.version,
    stack: stack.name,
    title: `Roll back to ${short(code.to)}`,
    input: { ...given },
    facts: {
      undone: undone.map(({ id }) => id),
      database: database === undefined ? null : { ...database },
      code: boundTo(code),
    },
    lease: "exclusive",
    notes: notesOf(facts),
    steps: database === undefined ? rollCode(stack, facts) : exchange(stack, facts, database.id),
  };
}

function rollCode(stack: Stack, { undone, code }: RollbackFacts): readonly Step[] {
  return roll(stack, code, { undone: undone.map(({ id }) => id) });
}

function exchange(stack: Stack, { undone, code }: RollbackFacts, of: string): readonly Step[] {
  const git = requireGit(stack);
  const { running, updates, installs, code: modules } = code;
  const { database } = stack.config.odoo;
  const names = namesWith(stack, namesOfDatabase(database, `${database}_before_${of}`));
  const both = { database: { isThere: true }, files: { isThere: true } };
  return [
    ...newImages(stack, code),
    unchangedTree(stack, git, code),
    noteSize(stack),
    ...noteKept(stack, both),
    ...whileInMaintenance(stack, { ...running, reason: "The version of before is being put back." }, [
      ...whileOdooStopped(stack, running.odoo, [
        checkOut(stack, git, code),
        ...useImages(stack, code, true),
        seenCode(stack, [...updates, ...installs, ...modules]),
        ...changePlaces(stack, both, names),
      ]),
      ...serviceTests(stack, running.odoo),
      pivot,
    ]),
    { ...noteClosed(stack, of), id: "note used", onFail: "continue" },
    noteRelease(stack, code, { kind: "rollback", snapshot: false, undone: undone.map(({ id }) => id) }),
  ];
}

function notesOf({ undone, code, database }: RollbackFacts): readonly string[] {
  return [
    ...undone.map(({ id, commit, at, by }) => `Taken back: ${short(commit)}, deployed ${at} by ${by} (${id})`),
    ...code.images.map(({ name }) => `${name} is built as it was, if that one is not there any more.`),
    ...(database === undefined
      ? ["No release of these changed the database: it stays as it is."]
      : [
          "The database of before takes the place of the present one, which is kept for 14 days.",
          `What users did since ${database.changedAt} is not in it.`,
        ]),
  ];
}
