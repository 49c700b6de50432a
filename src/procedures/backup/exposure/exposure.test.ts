import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ExposureFacts, measureExposure } from "./exposure.ts";
import { judgeExposure, type Promises } from "./judge.ts";
import { isOtherMachine, judgePlaces } from "./places.ts";
import { roughly, sayExposure } from "./say.ts";

const now = new Date("2026-11-25T12:00:00Z");
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000).toISOString();
const daysAgo = (days: number) => hoursAgo(24 * days);
const context = { timezone: "Asia/Manila", objectives: { rpoSeconds: 86_400, rtoSeconds: 14_400 } };
const day = 86_400;
const promises: Promises = {
  objectives: context.objectives,
  proof: { warn: 10 * day, fail: 35 * day },
  drill: { warn: 100 * day, fail: 200 * day },
  setTookSeconds: 600,
};

const proven = { at: daysAgo(2), seconds: 90 };
const set = {
  ...{ id: "night", takenAt: hoursAgo(7), databaseBytes: 500, filestoreBytes: 500, doubt: null },
  proof: proven as { readonly at: string; readonly seconds: number } | null,
};
const drill = {
  ...({ what: "server", mode: "drill", at: daysAgo(13) } as const),
  ...{ seconds: 200, databaseBytes: 500, filestoreBytes: 300 },
};
const well: ExposureFacts = {
  ...{ now, archiveSeconds: 37, filesSeconds: 12, hasBase: true, sets: [set], away: ["night"], isArchiveAway: false },
  ...{ isOnSameDisk: false, recoveries: [drill], databaseBytes: 500 },
};
const measure = (over: Partial<ExposureFacts>) => measureExposure({ ...well, ...over });
const codes = (over: Partial<ExposureFacts>) =>
  judgeExposure(measure(over), promises).map(({ code, status }) => `${code.slice(-3)} ${status}`);
const say = (over: Partial<ExposureFacts>) => sayExposure(measure(over), context);

describe("what a dead server would take", () => {
  it("is the worse of changes and files", () => {
    expect(measure({})).toMatchObject({ dataAtRiskSeconds: 37, cause: "archive" });
    expect(measure({ filesSeconds: 120 })).toMatchObject({ dataAtRiskSeconds: 120, cause: "files" });
  });

  it("is what came since the last set when archive or files cannot be relied on, and never more", () => {
    const ofSet = { dataAtRiskSeconds: 7 * 3600, cause: "set" };
    for (const over of [
      { archiveSeconds: undefined },
      { archiveSeconds: null },
      { filesSeconds: null },
      { filesSeconds: undefined },
      { hasBase: false },
      { filesSeconds: 86_400 },
    ])
      expect([over, measure(over)]).toEqual([over, expect.objectContaining(ofSet)]);
  });

  it("is everything without a set and without an archive, and never nothing because nothing is known", () => {
    expect(measure({ sets: [], archiveSeconds: null })).toMatchObject({ dataAtRiskSeconds: null, cause: "everything" });
    expect(measure({ sets: [] })).toMatchObject({ dataAtRiskSeconds: 37 });
    const maybe = fc.option(fc.nat(200_000), { nil: null });
    fc.assert(
      fc.property(maybe, maybe, fc.boolean(), fc.option(fc.nat(72)), (archive, files, hasBase, hours) => {
        const sets = hours === null ? [] : [{ ...set, takenAt: hoursAgo(hours) }];
        const { dataAtRiskSeconds } = measure({ archiveSeconds: archive, filesSeconds: files, hasBase, sets });
        const bounds = [
          ...(hours === null ? [] : [hours * 3600]),
          ...(hasBase && archive !== null && files !== null ? [Math.max(archive, files)] : []),
        ];
        expect(dataAtRiskSeconds).toBe(bounds.length === 0 ? null : Math.min(...bounds));
      }),
    );
  });

  it("is not nothing because a clock was wrong: a set of tomorrow has no age", () => {
    const tomorrow = { ...set, id: "tomorrow", takenAt: hoursAgo(-24) };
    const over = { archiveSeconds: undefined, away: ["tomorrow"] };
    expect(measure({ ...over, sets: [tomorrow, set] })).toMatchObject({
      dataAtRiskSeconds: 7 * 3600,
      offsiteSeconds: null,
    });
    expect(measure({ ...over, sets: [tomorrow] })).toMatchObject({ cause: "everything" });
  });

  it("off-site is the newest set that another machine has, or what is in the archive when that is elsewhere", () => {
    const older = { ...set, id: "before", takenAt: hoursAgo(31) };
    expect(measure({}).offsiteSeconds).toBe(7 * 3600);
    expect(measure({ sets: [set, older], away: ["before"] }).offsiteSeconds).toBe(31 * 3600);
    expect(measure({ away: [] }).offsiteSeconds).toBeNull();
    expect(measure({ away: undefined }).offsiteSeconds).toBeNull();
    expect(measure({ isArchiveAway: true }).offsiteSeconds).toBe(37);
  });
});

describe("the time to recover", () => {
  it("is the last drill's, scaled up by what is there now, never down", () => {
    expect(measure({})).toMatchObject({ recoverSeconds: 250, recoverBy: { by: "drill", factor: 1.25 } });
    expect(measure({ databaseBytes: 10 })).toMatchObject({ recoverSeconds: 200, recoverBy: { factor: 1 } });
  });

  it("is a server's before a database's, the newest of each, and says whether it was real", () => {
    const database = { ...drill, what: "database", at: daysAgo(1), seconds: 20 } as const;
    const real = { ...drill, mode: "real", at: daysAgo(5), seconds: 999 } as const;
    expect(measure({ recoveries: [database, drill] }).recoverBy).toMatchObject({ what: "server", by: "drill" });
    expect(measure({ recoveries: [database] }).recoverBy).toMatchObject({ what: "database" });
    expect(measure({ recoveries: [database, real, drill] })).toMatchObject({
      recoverBy: { by: "recovery" },
      drillAgeDays: 1,
    });
  });

  it("is the last proof's when no drill was ever made, and unknown without one", () => {
    expect(measure({ recoveries: [] })).toMatchObject({
      recoverSeconds: 90,
      recoverBy: { by: "proof" },
      drillAgeDays: null,
    });
    expect(measure({ recoveries: [], databaseBytes: null })).toMatchObject({ recoverSeconds: 90 });
    expect(measure({ recoveries: [], sets: [{ ...set, proof: null }] })).toMatchObject({
      recoverSeconds: null,
      recoverBy: null,
      proofAgeDays: null,
    });
  });
});

describe("a finding", () => {
  it("is nothing that is well", () => expect(codes({})).toEqual([]));

  it("comes and goes with each thing that is not", () => {
    const unproven = { ...set, proof: null };
    const aged = (days: number) => [{ ...set, proof: { at: daysAgo(days), seconds: 90 } }];
    const taken = (hours: number) => ({ archiveSeconds: undefined, sets: [{ ...set, takenAt: hoursAgo(hours) }] });
    expect(codes({ sets: aged(11) })).toEqual(["006 warn"]);
    expect(codes({ sets: aged(36) })).toEqual(["006 fail"]);
    expect(codes({ sets: [unproven] })).toEqual(["006 warn"]);
    expect(codes({ sets: [{ ...set, doubt: { at: daysAgo(1) } }] })).toEqual(["006 fail"]);
    expect(codes({ sets: [{ ...set, doubt: { at: hoursAgo(1) } }] })).toEqual([]);
    expect(codes({ recoveries: [] })).toEqual(["007 warn"]);
    expect(codes({ recoveries: [{ ...drill, at: daysAgo(101) }] })).toEqual(["007 warn"]);
    expect(codes({ recoveries: [{ ...drill, at: daysAgo(201) }] })).toEqual(["007 fail"]);
    expect(codes({ away: undefined })).toEqual(["008 warn"]);
    expect(codes(taken(24.2))).toEqual([]);
    expect(codes(taken(26))).toEqual(["008 warn", "009 warn"]);
    expect(codes(taken(63))).toEqual(["008 fail", "009 fail"]);
    expect(codes({ sets: [], archiveSeconds: undefined, away: undefined })).toEqual(["009 fail"]);
    expect(codes({ recoveries: [{ ...drill, seconds: 12_000 }] })).toEqual(["010 fail"]);
    expect(codes({ recoveries: [{ ...drill, seconds: 10_000 }] })).toEqual(["010 warn"]);
    expect(codes({ recoveries: [], sets: [unproven] })).toEqual(["006 warn", "007 warn", "010 unknown"]);
  });
});

describe("the sentence", () => {
  it("says what is lost and when users are back, and by what that is known", () => {
    expect(say({})).toBe(
      "If the server died now: at most 37 s of work lost (changes 37 s, files 12 s), back in about 5 min " +
        "(drill of 12 Nov 2026, scaled by 1.25), last proof 2 days ago, off-site 7 h ago.",
    );
    expect(say({ archiveSeconds: undefined, recoveries: [], away: undefined, isOnSameDisk: true })).toBe(
      "If the server died now: at most 7 h of work lost (since the last backup), back in about 90 s " +
        "(proof of 23 Nov 2026; no drill was ever made), last proof 2 days ago, nothing off-site, all on the server's own disk.",
    );
  });

  it("says what is not known, and what was promised otherwise", () => {
    const sets = [{ ...set, proof: null, takenAt: hoursAgo(30) }];
    expect(say({ archiveSeconds: null, recoveries: [], sets, away: [] })).toBe(
      "If the server died now: at most 30 h of work lost (since the last backup), more than the 24 h promised, " +
        "back nobody knows when (no drill, no proof), nothing off-site.",
    );
    expect(say({ sets: [], archiveSeconds: undefined })).toContain("everything would be lost");
    expect(sayExposure(undefined, context)).toContain("everything would be lost");
  });

  it("never promises less than is at risk", () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (seconds) => {
        const [, amount = "", unit = ""] = /^(\d+) (\w+)$/.exec(roughly(seconds)) ?? [];
        const factor = { s: 1, min: 60, h: 3600, days: 86_400 }[unit] ?? Number.NaN;
        expect(Number(amount) * factor).toBeGreaterThanOrEqual(seconds);
      }),
    );
  });
});

describe("another machine", () => {
  it.each([
    ["sftp:backup@vault:/srv/repository", true],
    ["sftp://backup@vault:2222//srv/repository", true],
    ["rest:https://sealed.example.com/", true],
    ["s3:https://s3.example.com/bucket", true],
    ["s3:s3.amazonaws.com/bucket", true],
    ["b2:bucket:path", true],
    ["rest:http://127.0.0.1:8000/", false],
    ["rest:http://[::1]:8000/", false],
    ["sftp:root@localhost:/srv/repository", false],
  ])("is told from this one by its address: %s", (address, isOther) => expect(isOtherMachine(address)).toBe(isOther));

  const backup = (over: object) =>
    ({
      config: { odoo: { dataDirectory: "/data" }, backup: { repository: "/repository", copies: {}, ...over } },
    }) as never;
  const place = (path: string, device: string, kind = "ext2/ext3") => ({ path, device, kind });
  const found = (...places: readonly ReturnType<typeof place>[]) => ({ repository: true, base: true, places });

  it("is also a folder on a network file system, and what the configuration calls one", () => {
    const near = found(place("/data", "1"), place("/repository", "2"));
    expect(judgePlaces(backup({}), near)).toMatchObject({ away: [], isOnSameDisk: false });
    expect(judgePlaces(backup({ offsite: true }), near).away).toEqual(["primary"]);
    const mounted = found(place("/data", "1"), place("/repository", "2", "nfs"));
    expect(judgePlaces(backup({}), mounted).away).toEqual(["primary"]);
    expect(judgePlaces(backup({ offsite: false }), mounted).away).toEqual([]);
    const copies = { one: { repository: "rest:https://x/" }, two: { repository: "rest:https://y/", offsite: false } };
    expect(judgePlaces(backup({ copies }), near).away).toEqual(["one"]);
  });

  it("is not the disk that the data lie on, of repository and archive alike", () => {
    const wal = { repository: "/wal" };
    const all = [place("/data", "1"), place("/repository", "2")];
    expect(judgePlaces(backup({ wal }), found(...all, place("/wal", "1"))).isOnSameDisk).toBe(true);
    expect(judgePlaces(backup({ wal }), found(...all, place("/wal", "3"))).isOnSameDisk).toBe(false);
    expect(judgePlaces(backup({ wal }), found(...all)).isOnSameDisk).toBeNull();
  });
});
