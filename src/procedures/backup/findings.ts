import type { Records } from "../../engine/records.ts";
import { defineFinding } from "../../errors/finding.ts";
import type { Automation } from "../../stack/automation.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Finding } from "../monitoring/check.ts";
import { type BackupEntry, findContradicted, listBackups } from "./calls.ts";
import { findRepositoryState, type RepositoryState } from "./repositories.ts";
import { findSizeFaults, type Sizes, usualPercent } from "./sizes.ts";

const unusual = (what: string) => ({
  title: `Size of the ${what} in the last backup`,
  asks: `whether the ${what} in the last backup is as large as in those before it`,
  warns: `it has less than ${usualPercent.least} % or more than ${usualPercent.most} % of the usual`,
  first:
    "Was much deleted or brought in, or is it another database? `ipai backup verify` proves what is in it; pin an older one until that is known.",
});
const sizes = {
  database: defineFinding("IPAI-BACKUP-001", unusual("database")),
  filestore: defineFinding("IPAI-BACKUP-002", unusual("filestore")),
} as const;

const lagging = defineFinding("IPAI-BACKUP-003", {
  title: "Copies of backups",
  asks: "whether every second repository has the backups that are older than may be lost (`objectives.rpo`)",
  warns: "one lacks some",
  first: "`ipai backup copy` brings them, or says why not.",
});

/** Older than this, an answer says little of today. */
const checkDaysMax = 7;

const soundness = defineFinding("IPAI-BACKUP-004", {
  title: "Integrity of the repositories",
  asks: "what the last `ipai backup check` said of each repository",
  warns: `one could not be read, or was not checked for more than ${checkDaysMax} days`,
  fails: "one is damaged",
  first: "Do not rely on a damaged one: take a new backup elsewhere; `ipai backup check` says more.",
});

/** A year between the last two: either none was made for a year, or the newest was made under a clock that had jumped. */
const gapDaysMax = 7;

const order = defineFinding("IPAI-BACKUP-011", {
  title: "Dates of the backups",
  asks: "whether the backups' dates follow on one another",
  warns: `one was made after a set that says it is later, or more than ${gapDaysMax} days lie between the last two`,
  first:
    "Put the clock of the database server right. What is out of order is kept until the set with the wrong date is gone.",
});

const lacking = defineFinding("IPAI-AUTOMATION-003", {
  title: "Automation in the last backup",
  asks: "whether n8n's database and workflows are in the last backup, where `services.automation` names it",
  warns: "a part is missing",
  first: "`ipai runs show BACKUP` says why; then `ipai backup`.",
});

/** What the catalogue says that is not well with the backups. Beside the health checks, which need no control database. */
export async function findBackupFaults(records: Records, stack: Stack, now: Date): Promise<readonly Finding[]> {
  if (stack.config.backup === undefined) return [];
  const backups = await listBackups(records, stack.name);
  const states = await Promise.all(
    [primary, ...stack.copies.map(({ name }) => name)].map((name) => findRepositoryState(records, stack.name, name)),
  );
  return [
    ...judgeSizes(backups),
    ...judgeClock(backups),
    ...(stack.automation === undefined ? [] : judgeAutomation(stack.automation, backups)),
    ...judgeCopies(states.slice(1), backups, stack.config.objectives.rpoSeconds, now),
    ...judgeChecks(states, now),
  ];
}

/** A backup does not wait for an n8n that is away: what the newest one lacks of it is told here. */
export function judgeAutomation(
  { database }: Pick<Automation, "database">,
  backups: readonly Pick<BackupEntry, "id" | "automation">[],
): readonly Finding[] {
  const [last] = backups;
  if (last === undefined) return [];
  const parts = [
    ...(database === undefined || last.automation?.isDumped === true ? [] : ["its database"]),
    ...((last.automation?.exported ?? null) === null ? ["its workflows as JSON"] : []),
  ];
  if (parts.length === 0) return [];
  return [
    {
      ...lacking,
      ...{ unit: "parts missing", status: "warn", value: parts.length, threshold: 0, milliseconds: 0 },
      hint: `${last.id} has n8n without ${parts.join(" and ")}. \`ipai runs show ${last.id}\` says why; then \`ipai backup\`.`,
    },
  ];
}

/** A copy lags when a set that it lacks is older than what may be lost. */
export function judgeCopies(
  copies: readonly RepositoryState[],
  backups: readonly Pick<BackupEntry, "id" | "takenAt">[],
  rpoSeconds: number,
  now: Date,
): readonly Finding[] {
  const ages = copies.flatMap(({ name, sets }) => {
    const since = backups.slice(0, backups.findIndex(({ id }) => sets.includes(id)) + 1 || backups.length);
    const missing = since.filter(({ id }) => !sets.includes(id)).at(-1);
    const seconds = missing === undefined ? 0 : (now.getTime() - Date.parse(missing.takenAt)) / 1000;
    return seconds > rpoSeconds ? [{ name, seconds }] : [];
  });
  if (ages.length === 0) return [];
  const hours = Math.round(Math.max(...ages.map(({ seconds }) => seconds)) / 3600);
  return [
    {
      ...lagging,
      ...{ unit: "hours behind", status: "warn", milliseconds: 0 },
      ...{ value: hours, threshold: Math.round(rpoSeconds / 3600) },
      hint: `${ages.map(({ name }) => name).join(", ")} lacks backups that are older than may be lost. \`ipai backup copy\` brings them, or says why not.`,
    },
  ];
}

export function judgeChecks(states: readonly RepositoryState[], now: Date): readonly Finding[] {
  const checked = states.flatMap(({ name, check }) => (check === null ? [] : [{ name, ...check }]));
  const wrong = checked.flatMap(({ name, outcome, at }) => {
    const days = Math.floor((now.getTime() - Date.parse(at)) / 86_400_000);
    if (outcome !== "sound") return [{ name, words: outcome === "damaged" ? "is damaged" : "could not be read" }];
    return days > checkDaysMax ? [{ name, words: `was last checked ${days} days ago` }] : [];
  });
  if (wrong.length === 0) return [];
  const isDamaged = checked.some(({ outcome }) => outcome === "damaged");
  return [
    {
      ...soundness,
      ...{ unit: "not sound", threshold: 0, status: isDamaged ? "fail" : "warn", value: wrong.length, milliseconds: 0 },
      hint: `${wrong.map(({ name, words }) => `${name} ${words}`).join(", ")}. \`ipai backup check\` says more; do not rely on a damaged one, and take a new backup elsewhere.`,
    },
  ];
}

function judgeClock(backups: readonly BackupEntry[]): readonly Finding[] {
  const [last, before] = backups;
  const wrong = backups.filter((backup) => findContradicted(backup, backups).length > 0);
  const gap =
    last === undefined || before === undefined
      ? 0
      : (Date.parse(last.takenAt) - Date.parse(before.takenAt)) / 86_400_000;
  if (wrong.length === 0 && gap <= gapDaysMax) return [];
  const hint =
    wrong.length === 0
      ? `${Math.round(gap)} days lie between ${last?.id} and the set before it. Was none made for so long, or did the clock of the database server jump?`
      : `${wrong.map(({ id }) => id).join(", ")}: made after a set that says it is later, so a clock was wrong. They are kept until that set is gone; ` +
        "`ipai backup` names it.";
  return [
    {
      ...order,
      ...{ unit: "sets out of order", status: "warn", value: wrong.length, threshold: 0, hint, milliseconds: 0 },
    },
  ];
}

function judgeSizes(backups: readonly BackupEntry[]): readonly Finding[] {
  const [last, ...earlier] = backups;
  if (last === undefined) return [];
  return findSizeFaults(sizesOf(last), earlier.map(sizesOf)).map(({ what, bytes, usualBytes, percent }) => ({
    ...sizes[what],
    unit: "% of the usual",
    status: "warn",
    value: percent,
    threshold: percent < usualPercent.least ? usualPercent.least : usualPercent.most,
    hint:
      `${megabytes(bytes)} in backup ${last.id}, and ${megabytes(usualBytes)} usually. Was much deleted or brought in, or is it another ` +
      "database? `ipai backup verify` proves what is in it; pin an older one until that is known: `ipai backup pin`.",
    milliseconds: 0,
  }));
}

function sizesOf({ databaseBytes, filestoreBytes }: BackupEntry): Sizes {
  return { database: databaseBytes, filestore: filestoreBytes };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
