import { describe, expect, it } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { hashPlan } from "../../runbook/hash.ts";
import { type Plan, undoClassOf, walk } from "../../runbook/plan.ts";
import { renderPlan } from "../../runbook/render.ts";
import { validatePlan } from "../../runbook/validate.ts";
import { type SourceImage, tagOf } from "../../stack/images.ts";
import type { ReleaseScan, ScannedAddon } from "../../stack/odoo/release-scan.ts";
import { createStack } from "../../stack/stack.ts";
import { composeConfig } from "../sandbox/compose.ts";
import { sandboxConfig } from "../sandbox/definition.ts";
import { judgeChanges, type Known } from "./changes.ts";
import type { Tick } from "./checklist.ts";
import { deploy } from "./deploy.ts";
import { codeFolders, type DeployFacts, inSource } from "./facts.ts";
import { forecastDowntime, forecastError } from "./forecast.ts";
import { hotfix } from "./hotfix.ts";
import { inputsOf } from "./inputs.ts";
import { addonsPathOf, rehearse } from "./rehearse.ts";
import type { Release } from "./release.ts";
import { rollback } from "./rollback.ts";

const settings = {
  folder: "/srv/sandbox",
  basePort: 18_080,
  odoo: { command: ["/usr/bin/odoo"], addons: ["/usr/lib/odoo/addons"], environment: {} },
};
const { sandbox } = parseConfig(sandboxConfig(settings), "ipai.yaml", {}).stacks;
if (sandbox === undefined) throw new TypeError("the practice stack has no definition");
const stack = createStack(sandbox);
const projectConfig = composeConfig({ folder: "/srv/sandbox", basePort: 18_080, images: {} });
const { sandbox: definition } = parseConfig(projectConfig, "ipai.yaml", {}).stacks;
if (definition === undefined) throw new TypeError("the practice project has no definition");
const project = createStack(definition);

function scanned(name: string, given: Partial<ScannedAddon> = {}): ScannedAddon {
  return {
    name,
    path: name,
    change: "changed",
    version: "1.1.0",
    versionNow: "1.0.0",
    depends: ["base"],
    external: { python: [], bin: [] },
    isInstallable: true,
    hash: `${name}-new`,
    hashNow: `${name}-old`,
    renamed: null,
    pathNow: null,
    kind: "schema",
    reasons: [{ file: `${name}/models/entry.py`, kind: "schema", why: "the field note changed" }],
    ...given,
  };
}

function scanOf(addons: readonly ScannedAddon[], given: Partial<ReleaseScan> = {}): ReleaseScan {
  return {
    from: "a".repeat(40),
    to: "b".repeat(40),
    python: "3.11",
    isShallow: false,
    addons,
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
    ...given,
  };
}

const known: Known = {
  series: "19.0",
  modules: [
    { name: "base", state: "installed", version: "19.0.1.3" },
    { name: "ledger", state: "installed", version: "19.0.1.0.0" },
  ],
  recorded: { ledger: "ledger-old" },
  available: ["base", "account"],
};
const codeOnly: Partial<ScannedAddon> = { kind: "code", version: "1.0.0", reasons: [] };
const namesOf = (modules: readonly { readonly name: string }[]) => modules.map(({ name }) => name);
const judged = (addons: readonly ScannedAddon[], given: Partial<Known> = {}, install: readonly string[] = []) => {
  const { updates, installs, code } = judgeChanges(scanOf(addons), { ...known, ...given }, install);
  return [updates, installs, code].map(namesOf);
};

describe("a module", () => {
  it("whose structure or data changed is updated", () => {
    expect(judged([scanned("ledger")])).toEqual([["ledger"], [], []]);
  });

  it("whose code alone changed needs its process anew", () => {
    expect(judged([scanned("ledger", codeOnly)])).toEqual([[], [], ["ledger"]]);
  });

  it("whose code alone changed is updated all the same when the database was updated with other code than lies there", () => {
    expect(judged([scanned("ledger", codeOnly)], { recorded: { ledger: "older" } })).toEqual([["ledger"], [], []]);
  });

  it("that lies there as it will, and that the database does not know yet, is updated", () => {
    const same = scanned("ledger", { change: "same", kind: "none", hash: "ledger-new", hashNow: "ledger-new" });
    expect(judged([same])).toEqual([["ledger"], [], []]);
  });

  it("that is as it was is left alone", () => {
    const same = scanned("ledger", { change: "same", kind: "none", hash: "ledger-old", version: "1.0.0" });
    expect(judged([same])).toEqual([[], [], []]);
  });

  it("that imports what changed is updated, though its own files are as they were", () => {
    const same = scanned("ledger", { change: "same", hash: "ledger-old", hashNow: "ledger-old", version: "1.0.0" });
    expect(judged([same])).toEqual([["ledger"], [], []]);
  });

  it("of which nobody recorded a hash is compared with what lies there", () => {
    expect(judged([scanned("ledger", codeOnly)], { recorded: {} })).toEqual([[], [], ["ledger"]]);
  });

  it("that did not change is noted all the same, so that other code, pulled by hand, is seen the next time", () => {
    const same = scanned("ledger", { change: "same", kind: "none", hash: "ledger-old", version: "1.0.0" });
    const { hashes } = judgeChanges(scanOf([same, scanned("other")]), { ...known, recorded: {} }, []);
    expect(hashes).toEqual({ ledger: "ledger-old" });
    const pulled = { ...same, hash: "pulled", hashNow: "pulled" };
    expect(judged([pulled], { recorded: hashes })).toEqual([["ledger"], [], []]);
  });

  it("that is not installed may change as it likes, and be installed when it is named", () => {
    const report = scanned("report", { change: "new", depends: ["ledger", "account"] });
    expect(judged([scanned("ledger", codeOnly), report])).toEqual([[], [], ["ledger"]]);
    expect(judged([scanned("ledger", codeOnly), report], {}, ["report"])).toEqual([[], ["report"], ["ledger"]]);
  });

  it.each<[string, ReleaseScan, readonly string[], string]>([
    ["that is gone", scanOf([scanned("ledger", { change: "removed" })]), [], "deploy.modules_lost"],
    ["that cannot be installed", scanOf([scanned("ledger", { isInstallable: false })]), [], "upgrade.not_installable"],
    ["of another series", scanOf([scanned("ledger", { version: "17.0.1.0.0" })]), [], "upgrade.series_mismatch"],
    ["that depends on none", scanOf([scanned("ledger", { depends: ["nobody"] })]), [], "deploy.dependency_missing"],
    ["that is unknown and named", scanOf([]), ["nobody"], "deploy.cannot_install"],
    ["that is installed and named", scanOf([scanned("ledger")]), ["ledger"], "deploy.cannot_install"],
    [
      "with a fault",
      scanOf([scanned("ledger")], { broken: [{ addon: "ledger", file: "x.py", line: 3, message: "invalid syntax" }] }),
      [],
      "deploy.code_broken",
    ],
    ["whose folder is gone", scanOf([scanned("ledger")], { missingFolders: ["addons"] }), [], "deploy.not_judged"],
    [
      "beside something in doubt",
      scanOf([scanned("ledger")], { doubts: [{ file: "addons", why: "a link" }] }),
      [],
      "deploy.not_judged",
    ],
    [
      "beside a repository of its own that changes",
      scanOf([scanned("ledger")], { submodules: [{ path: "oca", from: "1", to: "2" }] }),
      [],
      "deploy.not_judged",
    ],
  ])("%s is refused", (_, scan, install, code) => {
    expect(() => judgeChanges(scan, known, install)).toThrowError(expect.objectContaining({ code }));
  });

  it("with a fault that nobody has installed hinders nobody", () => {
    const fault = { addon: "other", file: "x.py", line: 3, message: "invalid syntax" };
    const scan = scanOf([scanned("ledger", codeOnly)], { broken: [fault] });
    expect(namesOf(judgeChanges(scan, known, []).code)).toEqual(["ledger"]);
  });
});

function factsOf(addons: readonly ScannedAddon[], given: Partial<ReleaseScan> = {}): DeployFacts {
  const scan = scanOf(addons, given);
  return {
    ...judgeChanges(scan, known, []),
    series: "19.0",
    from: scan.from,
    to: scan.to,
    commits: [{ commit: scan.to, at: "2026-11-29T00:00:00Z", author: "A developer", subject: "Say it more clearly" }],
    scan,
    images: [],
    needs: [],
    recorded: known.recorded,
    running: { odoo: ["odoo-accounting", "odoo-core", "odoo-marketing"], proxy: "nginx", mode: "off" },
    databaseBytes: 50_000_000,
    forecastSeconds: undefined,
  };
}

const given = { to: null, install: [], backup: true, acceptLostCrons: false, override: null };
const ticks: readonly Tick[] = [
  {
    code: "IPAI-DEPLOY-009",
    title: "Users at work",
    status: "warn",
    text: "1 in the last hour: ana.",
    next: "Tell her.",
  },
];
const ticked = (facts: DeployFacts) => ({ ...facts, ticks, override: undefined });
const told = {
  breaking: [{ commit: "b".repeat(40), subject: "feat!: entries need a note" }],
  rights: [
    {
      addon: "ledger",
      file: "",
      id: "a",
      model: "ledger.entry",
      group: "base.group_user",
      gains: ["write"],
      loses: [],
    },
  ],
};
const release: Release = {
  id: "20261129t080000_aaaa",
  kind: "database",
  from: "c".repeat(40),
  commit: "a".repeat(40),
  commits: [],
  modules: { ledger: "19.0.1.1.0" },
  at: "2026-11-29T08:01:00.000Z",
  by: "ana",
  snapshot: true,
  undone: [],
  changedAt: "2026-11-29T08:00:40.000Z",
  downtimeSeconds: 20,
  updateSeconds: 7,
  copySeconds: 1,
  databaseBytes: 100_000_000,
  forecastSeconds: null,
  seconds: 60,
};
const services = ["odoo-accounting", "odoo-core", "odoo-marketing", "odoo-tools"];
const image: SourceImage = {
  ...{ name: "company/odoo:18", context: "image", dockerfile: "Dockerfile", target: undefined, args: { LOCALE: "en" } },
  services,
};
const dockerfile = { image: [{ file: "image/Dockerfile", why: "changed" }] };
const withImage = (addons: readonly ScannedAddon[]): DeployFacts => ({
  ...factsOf(addons, dockerfile),
  images: [image],
  needs: [{ name: "ledger", what: "python", one: "xlrd" }],
});
const back = { undone: [release], code: factsOf([scanned("ledger")]) };

function rehearsalOf(of: typeof stack, release: DeployFacts, addons: string): Plan {
  const set = { backup: "20261129t020000_bbbb", databaseBytes: 50_000_000, cores: 2 };
  const facts = { release, set, addonsPath: ["/usr/lib/odoo/addons", addons] };
  return rehearse.plan(of, { to: null, install: [], backup: "latest" }, facts);
}

const plans: readonly [string, Plan][] = [
  ["deploy-code", deploy.plan(stack, given, ticked(factsOf([scanned("ledger", codeOnly)])))],
  ["deploy-database", deploy.plan(stack, given, ticked(factsOf([scanned("ledger")], told)))],
  [
    "hotfix",
    hotfix.plan(
      stack,
      { to: null, verify: { url: "http://127.0.0.1/ledger", has: "fixed" } },
      ticked(factsOf([scanned("ledger", codeOnly)])),
    ),
  ],
  ["rehearse", rehearsalOf(stack, factsOf([scanned("ledger")]), "/srv/sandbox/addons")],
  ["rehearse-image", rehearsalOf(project, withImage([scanned("ledger")]), "/mnt/extra-addons")],
  ["deploy-image", deploy.plan(project, given, ticked(withImage([scanned("ledger")])))],
  ["rollback", rollback.plan(stack, { release: null }, { ...back, database: release })],
];

describe("the downtime", () => {
  it("is expected from the rehearsed update, the copy at its usual speed, and what the rest took", () => {
    const sizes = { databaseBytes: 200_000_000, services: 3 };
    expect(forecastDowntime({ updateSeconds: 30 }, [], sizes)).toBe(30 + 2 + 6);
    expect(forecastDowntime({ updateSeconds: 30 }, [{ ...release, kind: "code" }], sizes)).toBe(30 + 2 + 6);
    // 100 MB/s, and 12 s for all the rest.
    expect(forecastDowntime({ updateSeconds: 30 }, [release], { ...sizes, databaseBytes: 500_000_000 })).toBe(47);
    // Of two, what lies between them: 12 s and 8 s.
    const quicker = { ...release, downtimeSeconds: release.downtimeSeconds - 4 };
    const both = forecastDowntime({ updateSeconds: 30 }, [release, quicker], { ...sizes, databaseBytes: 500_000_000 });
    expect(both).toBe(45);
  });
});

describe("a forecast", () => {
  it("was off by so much of what came", () => {
    expect(forecastError({ forecastSeconds: 24, downtimeSeconds: 20 })).toBeCloseTo(0.2);
    expect(forecastError({ forecastSeconds: 15, downtimeSeconds: 20 })).toBeCloseTo(-0.25);
    expect(forecastError({ forecastSeconds: null, downtimeSeconds: 20 })).toBeUndefined();
    expect(forecastError({ forecastSeconds: 0, downtimeSeconds: 0 })).toBeUndefined();
  });
});

describe("an image", () => {
  const file = (path: string) => ({ file: path, why: "changed" });
  const scan = scanOf([scanned("ledger")], {
    image: [file("image/Dockerfile"), file("requirements.txt"), file("ledger/__manifest__.py")],
    configuration: [file("image/entry.conf"), file("compose.yaml")],
    others: ["image/entrypoint.sh", "README.md"],
  });

  it("is built of all of its folder", () => {
    expect(inputsOf({ context: "image" }, scan)).toEqual([
      "image/Dockerfile",
      "image/entry.conf",
      "image/entrypoint.sh",
    ]);
    expect(inputsOf({ context: "images" }, scan)).toEqual([]);
  });

  it("whose folder has the modules as well is built of what usually goes into images", () => {
    expect(inputsOf({ context: "" }, scan)).toEqual(["image/Dockerfile", "requirements.txt"]);
  });

  it("is that of a project that says no more of it than a commit has", () => {
    const build = { context: "/srv/sandbox/addons/image", dockerfile: "Dockerfile" };
    const parse = (given: object, name = "company/odoo:18") =>
      project.images?.parse({
        services: {
          "odoo-accounting": { image: name, build: { ...build, ...given } },
          "odoo-core": { image: name },
          cron: { image: name },
          "odoo-tools": { image: "odoo:18.0" },
          database: { build: { context: "/srv/sandbox/addons/database" } },
        },
      });
    const found = { name: "company/odoo:18", context: "image", services: ["odoo-accounting", "odoo-core"] };
    expect(parse({})).toEqual([expect.objectContaining(found)]);
    expect(parse({ args: { LOCALE: "en" }, target: "odoo" })).toEqual([
      expect.objectContaining({ ...found, args: { LOCALE: "en" }, target: "odoo" }),
    ]);
    for (const other of [{ context: "/srv/elsewhere" }, { secrets: [{ source: "key" }] }, { dockerfile: "/srv/D" }])
      expect(parse(other)).toEqual([]);
    expect(parse({}, "company/odoo@sha256:00")).toEqual([]);
  });

  it.each([
    ["company/odoo:18", "company/odoo:ipai-bbbbbbbbbbbb"],
    ["registry:5000/odoo", "registry:5000/odoo:ipai-bbbbbbbbbbbb"],
    ["registry:5000/odoo:18", "registry:5000/odoo:ipai-bbbbbbbbbbbb"],
  ])("%s has a name for each commit", (name, tag) => {
    expect(tagOf({ name }, "b".repeat(40))).toBe(tag);
  });

  it("that a release changes is built before anything is touched, and named in the plan", () => {
    const plan = deploy.plan(project, given, ticked(withImage([scanned("ledger", codeOnly)])));
    const order = walk(plan).map(({ path }) => path);
    const at = (path: string) => order.indexOf(path);
    expect(order.slice(0, 9)).toEqual([
      "checklist",
      "upstreams",
      "websockets odoo-accounting",
      "websockets odoo-core",
      "websockets odoo-marketing",
      "build odoo-accounting",
      "needs odoo-accounting",
      "keep odoo-accounting",
      "tree",
    ]);
    expect(at("checkout")).toBeLessThan(at("use odoo-accounting"));
    expect(at("use odoo-accounting")).toBeLessThan(at("drain odoo-accounting"));
    expect(order.slice(at("stop odoo-core"), at("stop odoo-core") + 3)).toEqual([
      "stop odoo-core",
      "remove odoo-core",
      "start odoo-core",
    ]);
    expect(plan.notes).toContain(
      `Built anew: company/odoo:18, of which ${services.join(", ")} are made (image/Dockerfile)`,
    );
    expect(plan.notes.join()).not.toContain("Not brought");
  });
});

describe("a folder of Odoo's", () => {
  const stackOf = (addons: readonly string[], folders?: readonly string[]) => {
    const source = { ...stack.config.source, repository: "/repo", addons: folders };
    return { ...stack, config: { ...stack.config, odoo: { ...stack.config.odoo, addons }, source } } as typeof stack;
  };

  it("is taken from the source where it lies in it, wherever others lie", () => {
    const one = stackOf(["/opt/enterprise", "/repo/addons/ipai", "/repo"]);
    expect(["/opt/enterprise", "/repo/addons/ipai", "/repo", "/repository"].map(inSource(one))).toEqual([
      undefined,
      "addons/ipai",
      ".",
      undefined,
    ]);
    expect(codeFolders(one)).toEqual(["addons/ipai", "."]);
  });

  it("has the name that is given in its place where containers see it elsewhere", () =>
    expect(["/mnt/a", "/opt/b"].map(inSource(stackOf(["/mnt/a", "/opt/b"], ["addons/a"])))).toEqual([
      "addons/a",
      undefined,
    ]));
});

describe("odoo.conf", () => {
  it.each([
    ["addons_path = /a,/b\n", ["/a", "/b"]],
    ["[options]\naddons_path=/a, /b,\n  /c\ndb_host = x\n", ["/a", "/b", "/c"]],
    ["; addons_path = /a\n", []],
  ])("%j names folders", (conf, paths) => {
    expect(addonsPathOf(conf)).toEqual(paths);
  });
});

describe("the plan of", () => {
  it.each(plans)("%s is what it was", async (name, plan) => {
    await expect(`${renderPlan(validatePlan(plan), { detail: true })}\n`).toMatchFileSnapshot(`../golden/${name}.txt`);
  });

  it.each(plans)("%s can be taken back at once", (_, plan) => {
    expect(undoClassOf(plan)).toBe("instant");
  });

  it("a deployment names the commit, whatever was asked for", () => {
    const [[, plan] = []] = plans;
    expect(plan?.input).toMatchObject({ to: "b".repeat(40) });
  });

  it("a deployment is the same when the database has grown, and when somebody has rehearsed it meanwhile", () => {
    const facts = ticked(factsOf([scanned("ledger")]));
    const plan = deploy.plan(stack, given, facts);
    const later = deploy.plan(stack, given, { ...facts, databaseBytes: 90_000_000, forecastSeconds: 41 });
    expect([plan.awaySeconds, later.awaySeconds]).toEqual([null, 41]);
    expect(hashPlan(later)).toBe(hashPlan(plan));
    expect(renderPlan(later, { detail: false })).toContain("Users are out for about 41 s.");
  });

  it.each([
    [true, "undo"],
    [false, "continue"],
  ])("smoke tests has whoever logs in, without a password, and a webhook (required: %s)", (required, onFail) => {
    const text = JSON.parse(sandboxConfig(settings).replace(/^#.*\n/, "")) as {
      stacks: { sandbox: { urls: object; services: object } };
    };
    Object.assign(text.stacks.sandbox.urls, { login: { user: "smoke", password: "${SMOKE_PASSWORD}" } });
    const automation = { url: "http://127.0.0.1:5678", apiKey: "${KEY}", smoke: { path: "/webhook/test", required } };
    Object.assign(text.stacks.sandbox.services, { automation });
    const environment = { SMOKE_PASSWORD: "Sesame-7731", KEY: "k" };
    const asked = parseConfig(JSON.stringify(text), "ipai.yaml", environment).stacks["sandbox"];
    if (asked === undefined) throw new TypeError("no stack");
    const plan = validatePlan(deploy.plan(createStack(asked), given, ticked(factsOf([scanned("ledger", codeOnly)]))));
    const acts = walk(plan).flatMap(({ step }) => (step.kind === "act" ? [step] : []));
    const known = acts.filter(({ id }) => id.startsWith("smoke")).map(({ id }) => id.replace("smoke ", ""));
    expect(known.slice(-4)).toEqual(["odoo-accounting login", "odoo-core login", "odoo-marketing login", "automation"]);
    expect(acts.find(({ id }) => id === "smoke automation")?.onFail).toBe(onFail);
    expect([JSON.stringify(plan), renderPlan(plan, { detail: true })].join()).not.toContain("Sesame-7731");
    // With the database of before whoever logs in may not be there.
    const exchange = rollback.plan(createStack(asked), { release: null }, { ...back, database: release });
    expect(walk(exchange).filter(({ step }) => /login|automation$/.test(step.id))).toEqual([]);
  });

  it("code alone puts the old code back before anybody is restarted on the way back, and restarts nobody before that", () => {
    const [[, plan] = []] = plans;
    const entries = plan === undefined ? [] : walk(plan);
    const back = entries.find(({ path }) => path === "checkout")?.undo.map(({ id }) => id) ?? [];
    expect([back[0], back.at(-1)]).toEqual(["check out before", "admit odoo-marketing again"]);
    expect(back).toContain("start odoo-core again");
    const others = entries.filter(({ path }) => path !== "checkout").flatMap(({ undo }) => undo.map(({ id }) => id));
    expect(others.filter((id) => id.startsWith("start "))).toEqual([]);
  });

  it("code alone that lies there already has services restarted on the way back all the same", () => {
    const facts = ticked({ ...factsOf([scanned("ledger", codeOnly)]), to: factsOf([]).from });
    const checkout = walk(deploy.plan(stack, given, facts)).find(({ path }) => path === "checkout");
    expect(checkout?.step).not.toHaveProperty("done");
    expect(checkout?.undo.map(({ id }) => id)).toContain("start odoo-core again");
  });
});
