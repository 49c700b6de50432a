import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  forecastRemovals,
  type Ground,
  judgeSets,
  type Keep,
  type SetReason,
  type StoredSet,
  setReasons,
} from "./retention.ts";

const keep: Keep = { daily: 30, weekly: 8, monthly: 12, byHandSeconds: 7 * 86_400, beforeChangeSeconds: 30 * 86_400 };
const zone = "Asia/Manila";
const manila = (day: string, time = "02:00") => new Date(`${day}T${time}:00+08:00`).toISOString();
const set = (id: string, takenAt: string, more: Partial<StoredSet> = {}): StoredSet => ({
  ...{ id, takenAt, reason: "scheduled", proof: "none", pinned: null, isMisdated: false },
  ...more,
});

function kept(sets: readonly StoredSet[], rules = keep, made: readonly string[] = []): readonly StoredSet[] {
  return judgeSets(sets, rules, zone, made).flatMap((verdict) => (verdict.grounds.length === 0 ? [] : [verdict.set]));
}
const ids = (sets: readonly StoredSet[]) => sets.map(({ id }) => id);
const none: Keep = { daily: 0, weekly: 0, monthly: 0, byHandSeconds: 0, beforeChangeSeconds: 0 };

describe("retention", () => {
  it("takes days where the stack is: two instants of one UTC day may be two", () => {
    const sets = [set("late", "2026-11-24T16:30:00Z"), set("early", "2026-11-24T15:30:00Z")];
    expect(ids(kept(sets, { ...none, daily: 2 }))).toEqual(["late", "early"]);
    expect(judgeSets(sets, { ...none, daily: 2 }, "UTC").at(-1)?.grounds).toEqual([]);
  });

  it("takes weeks from Monday to Sunday, also across a new year", () => {
    const days = ["2027-01-03", "2026-12-28", "2026-12-27", "2026-12-21"];
    const sets = days.map((day) => set(day, manila(day)));
    expect(ids(kept(sets, { ...none, weekly: 2 }))).toEqual(["2027-01-03", "2026-12-27"]);
  });

  it("keeps the newest, the last proven and what is pinned whatever the rules say", () => {
    const sets = [
      set("new", manila("2026-11-25")),
      set("doubted", manila("2026-11-24"), { proof: "doubted" }),
      set("proven", manila("2026-11-23"), { proof: "proven" }),
      set("older proof", manila("2026-11-22"), { proof: "proven" }),
      set("pinned", manila("2020-01-01"), { pinned: "year end" }),
    ];
    expect(judgeSets(sets, none, zone).map(({ grounds }) => grounds.map(({ words }) => words))).toEqual([
      ["the newest"],
      [],
      ["the last proven"],
      [],
      ["pinned: year end"],
    ]);
  });

  it("keeps of a period the newest that is proven, and one that failed its proof only alone", () => {
    const sets = [
      set("failed", manila("2026-11-20"), { proof: "doubted" }),
      set("unproven", manila("2026-11-19")),
      set("proven", manila("2026-11-18"), { proof: "proven" }),
      set("first", manila("2026-11-16"), { proof: "proven" }),
    ];
    const chosen = (some: readonly StoredSet[]) =>
      judgeSets(some, { ...none, weekly: 1 }, zone).flatMap(({ set: { id }, grounds }) =>
        grounds.some(({ rule }) => rule === "weekly") ? [id] : [],
      );
    expect(chosen(sets)).toEqual(["proven"]);
    expect(chosen(sets.slice(0, 2))).toEqual(["unproven"]);
    expect(chosen(sets.slice(0, 1))).toEqual(["failed"]);
  });

  it("gives what was made by hand or before a change its own time, counted up to the newest set", () => {
    const sets = (days: number) => [
      set("new", manila("2026-11-25")),
      ...(["by-hand", "before-upgrade", "before-restore"] as const).map((reason) =>
        set(reason, new Date(Date.parse(manila("2026-11-25")) - days * 86_400_000).toISOString(), { reason }),
      ),
    ];
    const rules = { ...none, byHandSeconds: 7 * 86_400, beforeChangeSeconds: 30 * 86_400 };
    // A set each night, though no rule keeps it.
    const nights = Array.from({ length: 40 }, (_, day) =>
      new Date(Date.parse(manila("2026-11-25")) - day * 86_400_000).toISOString(),
    );
    expect(kept(sets(6), rules, nights)).toHaveLength(4);
    expect(ids(kept(sets(7), rules, nights))).toEqual(["new", "before-upgrade", "before-restore"]);
    expect(ids(kept(sets(30), rules, nights))).toEqual(["new"]);
    // Days on which none was made are no days.
    expect(kept(sets(30), rules)).toHaveLength(4);
    // Made for one change, they are no day's set.
    expect(ids(kept(sets(1), { ...none, daily: 9, weekly: 9, monthly: 9 }))).toEqual(["new", "by-hand"]);
  });

  it("lets nothing grow old by a clock that jumps, forward or back, and keeps what was made meanwhile", () => {
    const rules = { ...keep, daily: 2, weekly: 0, monthly: 0 };
    const before = [
      set("night 1", manila("2026-11-22")),
      set("by hand", manila("2026-11-23"), { reason: "by-hand" }),
      set("before", manila("2026-11-23", "12:00"), { reason: "before-upgrade" }),
      set("night 3", manila("2026-11-24")),
    ];
    const ahead = set("a year ahead", manila("2027-11-25"));
    expect(ids(kept([...before, ahead], rules))).toEqual(["a year ahead", "night 3", "before", "by hand"]);
    // The clock is right again.
    const after = set("night 5", manila("2026-11-26"), { isMisdated: true });
    const next = set("night 6", manila("2026-11-27"), { isMisdated: true });
    expect(ids(kept([...before, ahead, after, next], rules))).toEqual(
      expect.arrayContaining(["a year ahead", "night 6", "night 5", "before", "by hand"]),
    );
    const behind = set("a year behind", manila("2025-11-25"), { isMisdated: true });
    expect(ids(kept([...before, behind], rules))).toEqual(["night 3", "before", "by hand", "a year behind"]);
  });

  it("of a year and a half of nights keeps 30 days, 8 weeks and 12 months", () => {
    let present: readonly StoredSet[] = [];
    for (let day = 0; day < 550; day++) {
      const at = new Date(Date.parse(manila("2026-01-01")) + day * 86_400_000).toISOString();
      present = kept([...present, set(at, at)]);
    }
    const verdicts = judgeSets(present, keep, zone);
    const count = (rule: string) => verdicts.filter(({ grounds }) => grounds.some((one) => one.rule === rule)).length;
    expect(["daily", "weekly", "monthly"].map(count)).toEqual([30, 8, 12]);
    // Each of the older months is left with its last night.
    const months = verdicts.filter(({ grounds }) => grounds.some(({ rule }) => rule === "monthly")).slice(1);
    const nextDay = (at: string) => new Date(Date.parse(at) + 32 * 3_600_000).getUTCDate();
    expect(months.map(({ set: { takenAt } }) => nextDay(takenAt))).toEqual(Array(11).fill(1));
    expect(present.length).toBeLessThanOrEqual(30 + 8 + 12);
  });
});

describe("the forecast of removals", () => {
  it("is what happens when a set is made every day", () => {
    const sets = [
      set("pinned", manila("2026-11-01"), { pinned: "why" }),
      set("proven", manila("2026-11-02"), { proof: "proven" }),
      set("mid week", manila("2026-11-25")),
      set("before", manila("2026-11-25", "03:00"), { reason: "before-upgrade" }),
      set("gone", manila("2026-09-01")),
      set("gone too", manila("2026-09-02")),
    ];
    const forecast = forecastRemovals(sets, { ...keep, daily: 3, weekly: 2, monthly: 0 }, zone);
    const day = (id: string) => forecast.get(id)?.slice(0, 10) ?? null;
    expect(["pinned", "proven", "mid week", "before", "gone"].map(day)).toEqual([
      ...[null, null],
      // Its day, and then its week, which ends with Sunday the 29th: the 28th takes its place as a day.
      ...["2026-11-27", "2026-12-24", "2026-11-24"],
    ]);
  });
});

const instant = fc
  .integer({ min: 0, max: 800 * 24 })
  .map((hours) => new Date(1.75e12 + hours * 3_600_000).toISOString());
const someSets: fc.Arbitrary<readonly StoredSet[]> = fc
  .array(
    fc.record({
      takenAt: instant,
      reason: fc.constantFrom<SetReason>(...setReasons),
      proof: fc.constantFrom("proven", "doubted", "none"),
      pinned: fc.option(fc.constant("why"), { freq: 8 }),
      isMisdated: fc.boolean(),
    }),
    { maxLength: 80 },
  )
  .map((list) => list.map((one, index) => ({ ...one, id: `set ${index}` })));
const someRules: fc.Arbitrary<Keep> = fc.record({
  daily: fc.nat(40),
  weekly: fc.nat(10),
  monthly: fc.nat(14),
  byHandSeconds: fc.nat(20 * 86_400),
  beforeChangeSeconds: fc.nat(60 * 86_400),
});
const someZone = fc.constantFrom("Asia/Manila", "UTC", "America/Los_Angeles", "Pacific/Kiritimati");
const given = fc.tuple(someSets, someRules, someZone);

const isRegular = ({ reason }: StoredSet) => !reason.startsWith("before");
/** What must be so of a set that is kept by a rule. */
const holds: Readonly<Record<Ground["rule"], (set: StoredSet) => boolean>> = {
  ...{ newest: () => true, "last-proven": ({ proof }) => proof === "proven", pinned: ({ pinned }) => pinned !== null },
  ...{ daily: isRegular, weekly: isRegular, monthly: isRegular },
  ...{ "by-hand": ({ reason }) => reason === "by-hand", "before-change": (set) => !isRegular(set) },
  clock: ({ isMisdated }) => isMisdated,
};

describe("of any sets", () => {
  const check = (property: (sets: readonly StoredSet[], rules: Keep, timezone: string) => void) =>
    fc.assert(
      fc.property(given, ([sets, rules, timezone]) => property(sets, rules, timezone)),
      { numRuns: 300 },
    );
  const judge = (sets: readonly StoredSet[], rules: Keep, timezone: string) => judgeSets(sets, rules, timezone);
  const remaining = (sets: readonly StoredSet[], rules: Keep, timezone: string) =>
    judge(sets, rules, timezone).flatMap((verdict) => (verdict.grounds.length === 0 ? [] : [verdict.set]));

  it("the newest, the last proven and the pinned ones are kept", () => {
    check((sets, rules, timezone) => {
      const left = remaining(sets, rules, timezone);
      const latest = (some: readonly StoredSet[]) => Math.max(...some.map(({ takenAt }) => Date.parse(takenAt)));
      if (sets.length > 0) expect(latest(left)).toBe(latest(sets));
      const proven = (some: readonly StoredSet[]) => some.filter(({ proof }) => proof === "proven");
      expect(latest(proven(left))).toBe(latest(proven(sets)));
      expect(left).toEqual(expect.arrayContaining(sets.filter(({ pinned }) => pinned !== null)));
    });
  });

  it("each rule keeps as many as it says, or one of every period that there is", () => {
    check((sets, rules, timezone) => {
      const verdicts = judge(sets, rules, timezone);
      const regular = sets.filter(({ reason }) => !reason.startsWith("before"));
      const day = ({ takenAt }: StoredSet) => new Date(takenAt).toLocaleDateString("sv-SE", { timeZone: timezone });
      // An independent way to number weeks: days since a Monday.
      const week = (one: StoredSet) => String(Math.floor((Date.parse(day(one)) / 86_400_000 + 3) / 7));
      const counts = { daily: day, weekly: week, monthly: (one: StoredSet) => day(one).slice(0, 7) };
      for (const [rule, periodOf] of Object.entries(counts) as ["daily", (one: StoredSet) => string][]) {
        const chosen = verdicts.filter(({ grounds }) => grounds.some((ground) => ground.rule === rule));
        const periods = new Set(regular.map(periodOf));
        expect(chosen).toHaveLength(Math.min(rules[rule], periods.size));
        expect(new Set(chosen.map((verdict) => periodOf(verdict.set))).size).toBe(chosen.length);
        const left = [...periods].sort((a, b) => a.length - b.length || a.localeCompare(b)).slice(-chosen.length);
        if (chosen.length > 0) expect(chosen.map((verdict) => periodOf(verdict.set)).sort()).toEqual(left.sort());
      }
    });
  });

  it("a second look removes nothing more, and the order in which they come does not matter", () => {
    check((sets, rules, timezone) => {
      const left = remaining(sets, rules, timezone);
      expect(remaining(left, rules, timezone)).toEqual(left);
      expect(judge(sets.toReversed(), rules, timezone)).toEqual(judge(sets, rules, timezone));
    });
  });

  it("none is kept without a ground that holds, and keeping more never removes more", () => {
    check((sets, rules, timezone) => {
      for (const { set: one, grounds } of judge(sets, rules, timezone))
        for (const { rule } of grounds) expect(holds[rule](one)).toBe(true);
      const more = { ...rules, daily: rules.daily + 1, monthly: rules.monthly + 3 };
      expect(remaining(sets, more, timezone)).toEqual(expect.arrayContaining([...remaining(sets, rules, timezone)]));
    });
  });
});
