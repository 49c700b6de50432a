import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { toErrorRecord } from "../../errors/error.ts";
import { hashPlan } from "../../runbook/hash.ts";
import { isWithin } from "../../runbook/plan.ts";
import { renderPlan } from "../../runbook/render.ts";
import { validatePlan } from "../../runbook/validate.ts";
import { createStack } from "../../stack/stack.ts";
import type { Status } from "../monitoring/check.ts";
import { sandboxConfig } from "../sandbox/definition.ts";
import { NoSpace } from "../upgrade/errors.ts";
import {
  heed,
  judgeChecklist,
  judgeMoment,
  type Moment,
  type Tick,
  withoutHold,
  withoutHoldUntilLater,
} from "./checklist.ts";
import { deploy } from "./deploy.ts";
import { CodeBroken, DependencyMissing, TreeNotClean } from "./errors.ts";
import type { DeployFacts } from "./facts.ts";
import { findRehearsal, type Rehearsal } from "./rehearsal.ts";

const settings = {
  folder: "/srv/sandbox",
  basePort: 18_080,
  odoo: { command: ["/usr/bin/odoo"], addons: ["/usr/lib/odoo/addons"], environment: {} },
};
const { sandbox } = parseConfig(sandboxConfig(settings), "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("the practice stack has no definition");
const stack = createStack(sandbox);

const module = { name: "ledger", folder: "ledger", hash: "new", from: "19.0.1.0.0", to: "19.0.1.1.0" };
const facts: DeployFacts = {
  updates: [module],
  installs: [],
  code: [],
  hashes: {},
  reasons: [],
  series: "19.0",
  from: "a".repeat(40),
  to: "b".repeat(40),
  commits: [],
  scan: {
    from: "a".repeat(40),
    to: "b".repeat(40),
    python: "3.11",
    isShallow: false,
    addons: [],
    missingFolders: [],
    broken: [],
    rights: [],
    guards: [],
    image: [],
    configuration: [],
    doubts: [],
    submodules: [],
    converted: undefined,
    changelog: [],
    breaking: [],
    others: [],
  },
  images: [],
  needs: [],
  recorded: {},
  running: { odoo: ["odoo-accounting", "odoo-core"], proxy: "nginx", mode: "off" },
  databaseBytes: 50_000_000,
  forecastSeconds: undefined,
};
const rehearsal: Rehearsal = {
  ...{ id: "r", from: facts.from, commit: facts.to, backup: "20260410t020000_aaaa", modules: {}, databaseBytes: 1 },
  ...{ at: "2026-04-10T04:00:00Z", by: "ana", updateSeconds: 6.2 },
  found: {
    ...{ gone: [], come: [], warned: ["one"], invalidViews: [], kept: [], keptBefore: [] },
    ...{ cronsLost: [], cronsNew: [], notAsked: [] },
  },
};
const moment: Moment = {
  way: "closed",
  now: new Date("2026-04-10T12:00:00Z"),
  at: new Date("2026-04-10T12:00:00Z"),
  timezone: "Asia/Manila",
  backup: { proven: { id: "20260410t020000_aaaa", takenAt: "2026-04-10T02:00:00Z" } },
  freshSeconds: 86_400,
  disk: { status: "ok", value: 36, threshold: 90 },
  users: { count: 0, logins: [] },
  usersHold: "warn",
  freeze: [],
};
const found = { facts, rehearsal, mustBeRehearsed: false };
const of = (ticks: readonly Tick[], number: number) =>
  ticks.find(({ code }) => code.endsWith(String(number).padStart(3, "0")));
const statuses = (ticks: readonly Tick[]) => ticks.map(({ status }) => status);
const at = (number: number, given: Partial<Moment>) => of(judgeMoment({ ...moment, ...given }), number);

describe("the checklist", () => {
  it("is green when everything is well", () => {
    const ticks = judgeChecklist(found, moment);
    expect(ticks.map(({ code }) => code)).toEqual(
      ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"].map((number) => `IPAI-DEPLOY-0${number}`),
    );
    expect(statuses(ticks)).toEqual(Array.from({ length: 10 }, () => "ok"));
    expect(ticks.every(({ next }) => next === null)).toBe(true);
  });

  it("tells of what breaks, and of rights", () => {
    const right = { addon: "ledger", file: "", id: "a", model: "ledger.entry", group: "", gains: ["write"], loses: [] };
    const scan = {
      ...facts.scan,
      breaking: [{ commit: facts.to, subject: "feat!: entries need a note" }],
      changelog: [{ file: "CHANGELOG.md", line: "- **Breaking**: no more csv", isBreaking: true }],
      rights: [right],
      guards: [{ addon: "ledger", file: "", id: "rule_own", model: "ir.rule", change: "removed" as const }],
    };
    const ticks = judgeChecklist({ ...found, facts: { ...facts, scan } }, moment);
    expect(of(ticks, 4)).toMatchObject({ status: "warn", text: expect.stringMatching(/feat!.*no more csv/) });
    expect(of(ticks, 5)).toMatchObject({
      status: "warn",
      text: expect.stringMatching(/everybody on ledger.entry; ir.rule/),
    });
  });

  const withFound = (more: Partial<Rehearsal["found"]>) => ({ ...rehearsal, found: { ...rehearsal.found, ...more } });
  it.each<[string, Rehearsal | undefined, boolean, boolean, Status]>([
    ["that passed", rehearsal, true, true, "ok"],
    ["after which a view is invalid", withFound({ invalidViews: ["one"] }), true, true, "warn"],
    ["after which a scheduled action is lost", withFound({ cronsLost: ["one"] }), true, true, "warn"],
    ["that nobody asks for", undefined, false, true, "warn"],
    ["that is asked for", undefined, true, true, "fail"],
    ["of code alone", undefined, true, false, "ok"],
  ])("judges a rehearsal %s", (_, one, mustBeRehearsed, isUpdated, status) => {
    const release = { facts: { ...facts, updates: isUpdated ? [module] : [] }, rehearsal: one, mustBeRehearsed };
    expect(of(judgeChecklist(release, moment), 6)?.status).toBe(status);
  });

  it.each([
    ["a tree that is not clean", TreeNotClean({ changes: "a.py" }), "fail unknown unknown unknown unknown unknown"],
    ["code that cannot be read", CodeBroken({ faults: "a.py:1" }), "ok fail unknown unknown unknown unknown"],
    ["what is missing", DependencyMissing({ missing: "pandas" }), "ok ok fail unknown unknown unknown"],
    ["too little room", NoSpace({ directory: "/", free: "1", needed: "2" }), "ok ok ok unknown unknown unknown"],
  ])("says of %s what was looked at, and what was not", (_, error, first) => {
    const ticks = judgeChecklist({ refusal: toErrorRecord(error) }, moment);
    expect(statuses(ticks.slice(0, 6)).join(" ")).toBe(first);
    expect(ticks.filter(({ status }) => status === "fail").map(({ text }) => text)).toEqual([error.message]);
    expect(ticks).toHaveLength(10);
  });
});

describe("an hour before", () => {
  it.each<[string, Partial<Moment>, Status]>([
    ["without a repository", { backup: undefined }, "fail"],
    ["without a proof", { backup: { proven: undefined } }, "fail"],
    ["with an old one", { backup: { proven: { id: "a", takenAt: "2026-04-09T11:59:00Z" } } }, "fail"],
    ["with one of just a day", { backup: { proven: { id: "a", takenAt: "2026-04-09T12:00:00Z" } } }, "ok"],
    ["for code alone", { backup: { proven: undefined }, way: "rolled" }, "warn"],
  ])("a proven backup is missed %s", (_, given, status) => {
    expect(at(7, given)?.status).toBe(status);
  });

  it("disks are as their check says", () => {
    const disk = { status: "fail", value: 93, threshold: 90, hint: "/ has 93 % of its space in use." } as const;
    expect(at(8, { disk })).toMatchObject({ status: "fail", text: disk.hint });
    expect(at(8, { disk: { status: "unknown", value: null, threshold: 90 } })?.status).toBe("unknown");
  });

  it.each<[string, Partial<Moment>, Status]>([
    ["when nobody is there", {}, "ok"],
    ["who are kept out", { users: { count: 1, logins: ["ana"] } }, "warn"],
    ["who hold it up", { users: { count: 1, logins: ["ana"] }, usersHold: "fail" }, "fail"],
    ["who notice nothing", { users: { count: 1, logins: ["ana"] }, usersHold: "fail", way: "rolled" }, "ok"],
    ["who wait for services", { users: { count: 1, logins: ["ana"] }, usersHold: "fail", way: "waiting" }, "warn"],
    ["when that cannot be told", { users: undefined }, "unknown"],
  ])("users are told of %s", (_, given, status) => {
    expect(at(9, given)?.status).toBe(status);
  });

  it("says how many users there are, and names a few", () => {
    const logins = ["ana", "ben", "carla", "dan", "eva"];
    expect(at(9, { users: { count: 7, logins } })?.text).toBe(
      "7 in the last hour: ana, ben, carla, dan, eva and 2 more.",
    );
  });

  const freeze = [
    { from: "2026-04-13", until: "2026-04-16", why: "Annual income tax" },
    { from: "2026-05-01 18:00", until: "2026-05-01T22:30", why: "Inventory" },
  ];
  it.each<[string, Status]>([
    // Manila is eight hours ahead.
    ["2026-04-12T15:59:59Z", "ok"],
    ["2026-04-12T16:00:00Z", "fail"],
    ["2026-04-16T15:59:59Z", "fail"],
    ["2026-04-16T16:00:00Z", "ok"],
    ["2026-05-01T09:59:00Z", "ok"],
    ["2026-05-01T10:00:00Z", "fail"],
    ["2026-05-01T14:29:00Z", "fail"],
    ["2026-05-01T14:30:00Z", "ok"],
  ])("a freeze is kept by the stack's clocks: %s", (instant, status) => {
    expect(at(10, { freeze, at: new Date(instant) })?.status).toBe(status);
  });

  it("the next freeze is told", () => {
    expect(at(10, { freeze })?.text).toBe("The next one begins 2026-04-13: Annual income tax.");
  });
});

const red = judgeMoment({ ...moment, backup: undefined });
const wish = { reason: "The bank changes its format tonight", findings: null };

describe("what is red", () => {
  it("holds a deployment up, and is named with what to do", () => {
    const refused = expect.objectContaining({
      code: "deploy.checklist_red",
      message: expect.stringMatching(/Proven backup \(IPAI-DEPLOY-007\): No repository.*Set backup.repository/),
    });
    expect(() => heed(red, null)).toThrow(refused);
  });

  it("is overridden by name, and nothing that turns red later is", () => {
    const override = heed(red, wish);
    expect(override).toEqual({ reason: wish.reason, findings: ["IPAI-DEPLOY-007"] });
    const later = judgeMoment({
      ...moment,
      backup: undefined,
      usersHold: "fail",
      users: { count: 1, logins: ["ana"] },
    });
    expect(() => heed(later, override ?? null)).toThrow(/Users at work/);
    // What is well again meanwhile leaves the plan as it was.
    expect(heed(judgeMoment(moment), override ?? null)).toEqual(override);
  });

  it("by the hour holds up what is planned for later when it begins; a freeze does at once", () => {
    const freeze = [{ from: "2026-04-13", until: "2026-04-16", why: "Annual income tax" }];
    const at = new Date("2026-04-14T12:00:00Z");
    const ticks = judgeMoment({ ...moment, at, backup: undefined, freeze });
    expect(() => heed(withoutHoldUntilLater(ticks), null)).toThrow(/red. Freeze \(IPAI-DEPLOY-010\)/);
    expect(of(withoutHoldUntilLater(ticks), 7)?.status).toBe("warn");
    expect(heed(withoutHoldUntilLater(judgeMoment({ ...moment, at, backup: undefined })), null)).toBeUndefined();
  });

  it("is needed for an override", () => {
    expect(heed(judgeMoment(moment), wish)).toBeUndefined();
  });

  it("is told of a hot-fix, and does not hold it up", () => {
    expect(of(withoutHold(red), 7)?.status).toBe("warn");
    expect(heed(withoutHold(red), null)).toBeUndefined();
  });
});

describe("the plan of a deployment", () => {
  const given = { to: null, install: [], backup: true, acceptLostCrons: false, override: null };
  const plan = (ticks: readonly Tick[], reason?: string) =>
    validatePlan(
      deploy.plan(stack, given, {
        ...{ ...facts, ticks },
        override: reason === undefined ? undefined : heed(ticks, { reason, findings: null }),
      }),
    );

  it("shows the list, and is the same plan when users come and go", () => {
    const [quiet, busy] = [moment, { ...moment, users: { count: 2, logins: ["ana", "ben"] } }].map((one) =>
      plan(judgeMoment(one)),
    );
    if (quiet === undefined || busy === undefined) throw new TypeError("two plans were made");
    expect(hashPlan(quiet)).toBe(hashPlan(busy));
    expect(renderPlan(busy, { detail: false })).toContain("warn: Users at work (IPAI-DEPLOY-009). 2 in the last hour");
  });

  it("asks again before anything else", () => {
    expect(plan([]).steps[0]).toMatchObject({ id: "checklist", effect: "read", action: { input: { way: "closed" } } });
  });

  it("names what it overrides, why, and that two people have to consent", () => {
    const [one, other] = [plan(red, wish.reason), plan(red, "Because")];
    expect(one.override).toEqual({ reason: wish.reason, findings: ["IPAI-DEPLOY-007"] });
    expect(one.input).toMatchObject({ override: { findings: ["IPAI-DEPLOY-007"] } });
    expect(hashPlan(one)).not.toBe(hashPlan(other));
    expect(renderPlan(one, { detail: false })).toMatch(/In spite of IPAI-DEPLOY-007.*bank.*Two people/);
  });

  it("that overrides is within no mandate: one consent around it is none of two", () => {
    const mandate = { risk: "destroy", undoClass: "irreversible" } as const;
    expect([isWithin(mandate, plan([])), isWithin(mandate, plan(red, wish.reason))]).toEqual([true, false]);
  });
});

describe("a rehearsal of a deployment", () => {
  const kept = (modules: Rehearsal["modules"]) => ({
    list: async () => [{ id: `sandbox/${rehearsal.id}`, at: new Date(rehearsal.at), data: { ...rehearsal, modules } }],
  });
  const updated = { ...facts, updates: [module] };

  it.each<[string, Rehearsal["modules"], DeployFacts, boolean]>([
    ["of the same modules", { [module.name]: "2" }, updated, true],
    ["of more", { [module.name]: "2", other: "1" }, updated, true],
    ["of none", {}, updated, false],
    [
      "without a module that is installed",
      { [module.name]: "2" },
      { ...updated, installs: [{ ...module, name: "new" }] },
      false,
    ],
    ["from another commit", { [module.name]: "2" }, { ...updated, from: "c".repeat(40) }, false],
  ])("%s", async (_, modules, asked, isFound) => {
    const records = kept(modules) as unknown as Parameters<typeof findRehearsal>[0];
    expect((await findRehearsal(records, "sandbox", asked)) !== undefined).toBe(isFound);
  });
});
