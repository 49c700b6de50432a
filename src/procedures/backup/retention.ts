/**
 * Which sets are kept, and why. Pure, and without a clock: a set's age is counted up to the newest set, not up to now, so that
 * nothing grows old while no new backups are made; and over the backups that were made, so that nothing grows old by a clock that jumped.
 */

export const setReasons = ["scheduled", "by-hand", "before-upgrade", "before-restore"] as const;
/** Why a set was made: what it is kept for. */
export type SetReason = (typeof setReasons)[number];

/** A set as retention sees it. */
export interface StoredSet {
  readonly id: string;
  /** ISO instant. */
  readonly takenAt: string;
  readonly reason: SetReason;
  /** `doubted`: a verification of it has begun, and has not ended well. */
  readonly proof: "proven" | "doubted" | "none";
  /** Why somebody pinned it; null when nobody did. */
  readonly pinned: string | null;
  /** It was made after a set that says that it is later: one of the two has its date from a clock that was wrong. */
  readonly isMisdated: boolean;
}

export interface Keep {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly byHandSeconds: number;
  readonly beforeChangeSeconds: number;
}

/** One reason to keep a set. */
export interface Ground {
  readonly rule:
    | "newest"
    | "last-proven"
    | "pinned"
    | "daily"
    | "weekly"
    | "monthly"
    | "by-hand"
    | "before-change"
    | "clock";
  /** For people: `day 3 of 30`. */
  readonly words: string;
}

export interface Verdict {
  readonly set: StoredSet;
  /** Without one, the set is removed. */
  readonly grounds: readonly Ground[];
}

/**
 * What becomes of every set, newest first. `timezone`: the zone whose days, weeks and months are meant. `made`: the instants of all that were
 * ever made, as far as they are known, also of those that are not there any more.
 */
export function judgeSets(
  sets: readonly StoredSet[],
  keep: Keep,
  timezone: string,
  made: readonly string[] = [],
): readonly Verdict[] {
  const newestFirst = sets.toSorted(byAge);
  const ages = countAges([...made, ...sets.map(({ takenAt }) => takenAt)]);
  const [newest] = newestFirst;
  const lastProven = newestFirst.find(({ proof }) => proof === "proven");
  const days = new Map(newestFirst.map((set) => [set.id, dayOf(set.takenAt, timezone)]));
  const day = (set: StoredSet) => days.get(set.id) ?? "";
  const regular = newestFirst.filter(isRegular);
  const periods = [
    chooseOf(regular, keep.daily, "daily", "day", day),
    chooseOf(regular, keep.weekly, "weekly", "week", (set) => weekOf(day(set))),
    chooseOf(regular, keep.monthly, "monthly", "month", (set) => day(set).slice(0, 7)),
  ];
  return newestFirst.map((set) => ({
    set,
    grounds: [
      ...(set.pinned === null ? [] : [{ rule: "pinned", words: `pinned: ${set.pinned}` } as const]),
      ...(set === newest ? [{ rule: "newest", words: "the newest" } as const] : []),
      ...(set === lastProven ? [{ rule: "last-proven", words: "the last proven" } as const] : []),
      ...periods.flatMap((chosen) => chosen.get(set.id) ?? []),
      ...(set.isMisdated ? [{ rule: "clock", words: "made after a set that says it is later" } as const] : []),
      ...ofItsOwn(set, ages.get(set.takenAt) ?? 0, keep),
    ],
  }));
}

function byAge(a: StoredSet, b: StoredSet): number {
  return b.takenAt.localeCompare(a.takenAt) || b.id.localeCompare(a.id);
}

/** A set that was made for one change is no day's set: it is kept for its time, beside the others. */
function isRegular({ reason }: StoredSet): boolean {
  return reason === "scheduled" || reason === "by-hand";
}

/** The set of each of the latest periods that have one. */
function chooseOf(
  newestFirst: readonly StoredSet[],
  count: number,
  rule: Ground["rule"],
  word: string,
  periodOf: (set: StoredSet) => string,
): ReadonlyMap<string, Ground> {
  const periods = [...Map.groupBy(newestFirst, periodOf).values()].slice(0, count);
  return new Map(
    periods.flatMap((period, index) => {
      const best = period.toSorted((a, b) => worth.indexOf(a.proof) - worth.indexOf(b.proof))[0];
      return best === undefined ? [] : [[best.id, { rule, words: `${word} ${index + 1} of ${count}` }] as const];
    }),
  );
}

/** A period's set is the newest that is proven; one that failed its verification only when there is no other. */
const worth: readonly StoredSet["proof"][] = ["proven", "none", "doubted"];

/** Seconds from each instant to the newest, of which those between two that follow each other count up to a limit. */
function countAges(instants: readonly string[]): ReadonlyMap<string, number> {
  const ages = new Map<string, number>();
  let [age, later] = [0, Number.NaN];
  for (const instant of [...new Set(instants)].toSorted().toReversed()) {
    const at = Date.parse(instant);
    if (!Number.isNaN(later)) age += Math.min((later - at) / 1000, gapSecondsMax);
    ages.set(instant, age);
    later = at;
  }
  return ages;
}

/** A night without a backup may be; a year between two is a machine that was off, or a clock that jumped. */
const gapSecondsMax = 2 * 86_400;

/** What somebody made by hand, or before a change, is there for a while whatever else was made that day. */
function ofItsOwn(set: StoredSet, age: number, keep: Keep): readonly Ground[] {
  const seconds = ownSeconds(set.reason, keep);
  if (age >= seconds) return [];
  const made = { scheduled: "", "by-hand": "made by hand", "before-upgrade": "made before an upgrade" };
  const words = { ...made, "before-restore": "made before a restore" }[set.reason];
  const rule = isRegular(set) ? "by-hand" : "before-change";
  return [{ rule, words: `${words}, for ${Math.round(seconds / 86_400)} days` }];
}

function ownSeconds(reason: SetReason, keep: Keep): number {
  if (reason === "scheduled") return 0;
  return reason === "by-hand" ? keep.byHandSeconds : keep.beforeChangeSeconds;
}

/** `2026-11-25` in a zone. */
function dayOf(instant: string, timezone: string): string {
  return formatOf(timezone).format(new Date(instant));
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one takes longer than a thousand uses of it. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeZone });
  formats.set(timeZone, format);
  return format;
}

/** The Monday of a day's week. */
function weekOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

/**
 * When a set is expected to be removed if from now on one is made every day, and no more is proven or pinned; null when it is not,
 * within as long as the rules can see.
 */
export function forecastRemovals(
  sets: readonly StoredSet[],
  keep: Keep,
  timezone: string,
  before: readonly string[] = [],
): ReadonlyMap<string, string | null> {
  const left = new Map<string, string | null>(sets.map(({ id }) => [id, null]));
  const newest = sets.toSorted(byAge)[0];
  let present: readonly StoredSet[] = sets;
  const instants = [...before, ...sets.map(({ takenAt }) => takenAt)];
  for (let day = 0; newest !== undefined && day <= daysSeen(keep) && present.some(({ id }) => left.has(id)); day++) {
    const takenAt = new Date(Date.parse(newest.takenAt) + day * 86_400_000).toISOString();
    const made = { ...tomorrow, id: `day ${day}`, takenAt };
    instants.push(takenAt);
    const verdicts = judgeSets(day === 0 ? present : [...present, made], keep, timezone, instants);
    for (const { set } of verdicts.filter(({ grounds }) => grounds.length === 0))
      if (left.has(set.id)) left.set(set.id, takenAt);
    present = verdicts.filter(({ grounds }) => grounds.length > 0).map(({ set }) => set);
  }
  return left;
}

const tomorrow = { reason: "scheduled", proof: "none", pinned: null, isMisdated: false } as const;

function daysSeen({ daily, weekly, monthly, byHandSeconds, beforeChangeSeconds }: Keep): number {
  return Math.max(daily, 7 * weekly, 31 * monthly, byHandSeconds / 86_400, beforeChangeSeconds / 86_400) + 1;
}
