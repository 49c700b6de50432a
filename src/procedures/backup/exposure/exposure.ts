/**
 * What a dead server would take with it, and when users would be back. Pure: by what was measured, and by nothing else. What is not
 * known is null, and told as such.
 */

/** A measured recovery or drill. */
export interface MeasuredRecovery {
  readonly what: "database" | "server";
  readonly mode: "drill" | "real";
  readonly at: string;
  readonly seconds: number;
  readonly databaseBytes: number;
  readonly filestoreBytes: number;
}

export interface SetFacts {
  readonly id: string;
  readonly takenAt: string;
  readonly databaseBytes: number;
  readonly filestoreBytes: number | null;
  readonly proof: { readonly at: string; readonly seconds: number } | null;
  readonly doubt: { readonly at: string } | null;
}

export interface ExposureFacts {
  readonly now: Date;
  /** Seconds of work that are not in the archive; null when that is not known or cannot be relied on. Undefined without an archive. */
  readonly archiveSeconds: number | null | undefined;
  /** The same of files; undefined where they are not stored between sets. */
  readonly filesSeconds: number | null | undefined;
  /** The archive has a base backup, without which its changes lead nowhere. */
  readonly hasBase: boolean;
  /** Newest first: the sets that can be fetched. */
  readonly sets: readonly SetFacts[];
  /** Of these ids there is one in a repository that would be left without this machine; undefined: there is no such repository. */
  readonly away: readonly string[] | undefined;
  /** Archive and first repository are on other machines both: what is in them is off-site the moment that it is stored. */
  readonly isArchiveAway: boolean;
  /** A repository on the disk of what it keeps does not outlive that disk; null when that could not be found out. */
  readonly isOnSameDisk: boolean | null;
  /** Newest first. */
  readonly recoveries: readonly MeasuredRecovery[];
  /** Of the database now; null when it was not answered. */
  readonly databaseBytes: number | null;
}

export interface Exposure {
  /** The most work that would be lost, seconds; null: it is not known, or everything would be. */
  readonly dataAtRiskSeconds: number | null;
  /** What decides: changes on their way to the archive, files on their way to the repository, or the age of the last set. */
  readonly cause: "archive" | "files" | "set" | "everything";
  readonly archiveSeconds: number | null;
  readonly filesSeconds: number | null;
  readonly setSeconds: number | null;
  /** Age of what is safe from the loss of the whole machine; null: nothing is. */
  readonly offsiteSeconds: number | null;
  readonly isOnSameDisk: boolean | null;
  /** Forecast, seconds; null: nothing was ever measured. */
  readonly recoverSeconds: number | null;
  readonly recoverBy: {
    readonly by: "drill" | "recovery" | "proof";
    readonly what: "database" | "server";
    readonly at: string;
    /** How much larger everything is now. */
    readonly factor: number;
  } | null;
  readonly proofAgeDays: number | null;
  /** A verification that began this long ago and has not ended well; null when there is none. */
  readonly doubtAgeDays: number | null;
  readonly drillAgeDays: number | null;
}

export function measureExposure(given: ExposureFacts): Exposure {
  const facts = { ...given, sets: given.sets.filter((set) => isPast(set.takenAt, given.now)) };
  const { now, sets, isOnSameDisk, recoveries } = facts;
  const ageOf = (at: string) => Math.max(0, Math.round((now.getTime() - Date.parse(at)) / 1000));
  const daysOf = (at: string | undefined) => (at === undefined ? null : Math.floor(ageOf(at) / 86_400));
  const setSeconds = sets[0] === undefined ? null : ageOf(sets[0].takenAt);
  const risk = measureRisk(facts, setSeconds);
  const newestOf = (instants: readonly string[]) => instants.toSorted().at(-1);
  const awaySet = sets.find(({ id }) => facts.away?.includes(id));
  return {
    ...risk,
    archiveSeconds: facts.archiveSeconds ?? null,
    filesSeconds: facts.filesSeconds ?? null,
    setSeconds,
    offsiteSeconds: facts.isArchiveAway
      ? risk.dataAtRiskSeconds
      : awaySet === undefined
        ? null
        : ageOf(awaySet.takenAt),
    isOnSameDisk,
    ...forecastRecovery(facts),
    proofAgeDays: daysOf(newestOf(sets.flatMap(({ proof }) => proof?.at ?? []))),
    doubtAgeDays: daysOf(newestOf(sets.flatMap(({ doubt }) => doubt?.at ?? []))),
    drillAgeDays: daysOf(newestOf(recoveries.map(({ at }) => at))),
  };
}

/** One that was made tomorrow has no age: one of the two clocks was wrong. */
export function isPast(at: string, now: Date): boolean {
  return Date.parse(at) <= now.getTime() + clocksDifferMs;
}

/** Two machines may differ by minutes. */
const clocksDifferMs = 600_000;

/**
 * With an archive the worse of changes and files. A set is a whole state of both, so its age is the most that is ever lost: also when of
 * archive or files nothing is known.
 */
function measureRisk(
  { archiveSeconds, filesSeconds, hasBase }: ExposureFacts,
  setSeconds: number | null,
): Pick<Exposure, "dataAtRiskSeconds" | "cause"> {
  const ofSet =
    setSeconds === null
      ? ({ dataAtRiskSeconds: null, cause: "everything" } as const)
      : ({ dataAtRiskSeconds: setSeconds, cause: "set" } as const);
  const isFollowed = hasBase && typeof archiveSeconds === "number" && typeof filesSeconds === "number";
  if (!isFollowed) return ofSet;
  const cause = filesSeconds > archiveSeconds ? "files" : "archive";
  const worse = Math.max(archiveSeconds, filesSeconds);
  return setSeconds !== null && setSeconds < worse ? ofSet : { dataAtRiskSeconds: worse, cause };
}

/**
 * The last recovery of a whole server; of a database alone when there is none; else what the last proof took to restore and serve a
 * copy. It is not made shorter for what has become smaller: what does not depend on size stays.
 */
function forecastRecovery({
  recoveries,
  sets,
  databaseBytes,
}: ExposureFacts): Pick<Exposure, "recoverSeconds" | "recoverBy"> {
  const last = recoveries.find(({ what }) => what === "server") ?? recoveries[0];
  const filestoreBytes = sets.find((set) => set.filestoreBytes !== null)?.filestoreBytes ?? null;
  const now = databaseBytes ?? sets[0]?.databaseBytes ?? null;
  if (last !== undefined) {
    const factor = factorOf([now, last.databaseBytes], [filestoreBytes, last.filestoreBytes]);
    const by = last.mode === "drill" ? "drill" : "recovery";
    return {
      recoverSeconds: Math.round(last.seconds * factor),
      recoverBy: { by, what: last.what, at: last.at, factor },
    };
  }
  const proven = sets
    .filter((set) => set.proof !== null)
    .toSorted((a, b) => (b.proof?.at ?? "").localeCompare(a.proof?.at ?? ""))[0];
  if (proven?.proof == null) return { recoverSeconds: null, recoverBy: null };
  const factor = factorOf([now, proven.databaseBytes], [filestoreBytes, proven.filestoreBytes]);
  return {
    recoverSeconds: Math.round(proven.proof.seconds * factor),
    recoverBy: { by: "proof", what: "database", at: proven.proof.at, factor },
  };
}

type Pair = readonly [now: number | null, then: number | null];

/** What is not known of one of the two times is left out of both. */
function factorOf(...pairs: readonly Pair[]): number {
  const known = pairs.filter((pair): pair is [number, number] => pair[0] !== null && pair[1] !== null);
  const now = known.reduce((sum, [one]) => sum + one, 0);
  const then = known.reduce((sum, [, one]) => sum + one, 0);
  return then === 0 ? 1 : Math.max(1, Math.round((now / then) * 100) / 100);
}
