import { describe, expect, it } from "vitest";
import { parseConfig } from "../config/load.ts";
import { Secret } from "../config/secret.ts";
import { hashPlan } from "../runbook/hash.ts";
import { type Plan, walk } from "../runbook/plan.ts";
import { renderPlan } from "../runbook/render.ts";
import { validatePlan } from "../runbook/validate.ts";
import { createStack } from "../stack/stack.ts";
import { backup } from "./backup/backup.ts";
import { checkBackups, copyBackups } from "./backup/copies.ts";
import { exportBackup } from "./backup/exchange/export.ts";
import { restoreFile } from "./backup/exchange/restore-file.ts";
import { shipFiles } from "./backup/files/files.ts";
import { type ThinFacts, thinFiles } from "./backup/files/thin.ts";
import { type PruneFacts, pruneBackups } from "./backup/prune.ts";
import { forgetKept } from "./backup/restore/forget.ts";
import { restore } from "./backup/restore/restore.ts";
import { restoreSet } from "./backup/restore/restore-set.ts";
import type { RestoreSetFacts } from "./backup/restore/set-facts.ts";
import { restoreCopy } from "./backup/staging/make.ts";
import { removeStaging } from "./backup/staging/remove.ts";
import { serveStaging } from "./backup/staging/serve.ts";
import { verifyBackup } from "./backup/verify.ts";
import { walBackup } from "./backup/wal/backup.ts";
import { walRemove } from "./backup/wal/remove.ts";
import { walSetup } from "./backup/wal/setup.ts";
import { walVerify } from "./backup/wal/verify.ts";
import { databaseCheck } from "./maintenance/database-check.ts";
import { maintenanceOff } from "./maintenance/off.ts";
import { maintenanceOn } from "./maintenance/on.ts";
import { shippedWorkflows } from "./monitoring/flows/shipped.ts";
import { syncWorkflows } from "./monitoring/flows/sync.ts";
import { recoverDatabase } from "./recovery/database.ts";
import { drill } from "./recovery/drill.ts";
import { forgetDamaged } from "./recovery/forget.ts";
import { recoverServer } from "./recovery/server.ts";
import { createProcedures } from "./registry.ts";
import { composeConfig } from "./sandbox/compose.ts";
import { sandboxConfig } from "./sandbox/definition.ts";
import { sandboxDown } from "./sandbox/down.ts";
import { sandboxUp } from "./sandbox/up.ts";
import { schedulesOf } from "./schedules.ts";
import type { UpgradeFacts } from "./upgrade/facts.ts";
import { major, majorNamed } from "./upgrade/major/fixtures/facts.ts";
import { upgradeMajor } from "./upgrade/major/major.ts";
import { rehearseMajor } from "./upgrade/major/rehearsal.ts";
import { upgrade } from "./upgrade/upgrade.ts";

/** Every plan as text, word for word: a change of what will run on somebody's production shows in the review. */

const settings = {
  folder: "/srv/sandbox",
  basePort: 18_080,
  odoo: { command: ["/usr/bin/odoo"], addons: ["/usr/lib/odoo/addons"], environment: { HOME: "/srv/sandbox/odoo" } },
};
const stack = stackOf(sandboxConfig(settings));
const archived = stackOf(
  sandboxConfig(settings).replace(
    '"backup": {',
    '"backup": { "wal": { "repository": "/srv/archive", "passwordFile": "/srv/archive-password" },',
  ),
);
/** In a project, and into a bucket. */
const archivedAway = stackOf(
  composeConfig({ folder: "/srv/odoo", basePort: 18_080, images: {} }).replace(
    '"backup": {',
    '"backup": { "wal": { "repository": "s3:https://s3.example.com/odoo/main", "passwordFile": "/run/secrets/backup_password", ' +
      '"s3": { "accessKey": "${ACCESS}", "secretKey": "${SECRET}" } },',
  ),
);

function stackOf(text: string) {
  const { sandbox } = parseConfig(text, "ipai.yaml", { ACCESS: "who", SECRET: "a key" }).stacks;
  if (sandbox === undefined) throw new Error("The configuration of the practice stack has no stack");
  return createStack(sandbox);
}

const change = (name: string, isCodeKept: boolean): UpgradeFacts["changes"][number] => ({
  name,
  folder: `/srv/sandbox/addons/${name}`,
  hash: `hash-of-${name}`,
  from: "18.0.1.0.0",
  to: "18.0.1.1.0",
  isCodeKept,
});
const running: UpgradeFacts = {
  series: "18.0",
  changes: [change("ipai_demo_ledger", true), change("ipai_demo_report", false)],
  hashes: { ipai_demo_ledger: "hash-of-ipai_demo_ledger", ipai_demo_report: "hash-of-ipai_demo_report" },
  runningServices: ["odoo-accounting", "odoo-core"],
  isProxyRunning: true,
  maintenance: "off",
  databaseBytes: 500_000_000,
};
const sized = { databaseBytes: 500_000_000, cores: 4 };
/** Where users can only be kept out by stopping the proxy. */
const doorless = createStack({
  ...stack.config,
  services: { ...stack.config.services, proxy: { name: "nginx", maintenance: undefined } },
});
const until = "2026-01-01T04:30:00Z";
const stopped: UpgradeFacts = { ...running, runningServices: [], isProxyRunning: false };
const sandbox = {
  ...settings,
  shipped: "/opt/ipai/sandbox/compose",
  modules: "/opt/ipai/sandbox/addons",
  cache: "/var/cache/ipai",
};
const fresh = {
  series: "19.0",
  hashes: { ipai_demo_ledger: "h" },
  template: "/var/cache/ipai/t",
  isTemplateKept: false,
  isMade: false,
};

const night = (day: number): PruneFacts["sets"][number] => ({
  ...{ id: `202601${day}t180000_abcd`, takenAt: `2026-01-${day}T18:00:00.000Z`, reason: "scheduled" },
  snapshots: [`${day}`.repeat(32)],
});
const proven = { at: "2026-01-11T20:00:00Z", run: "r", seconds: 9, tables: 1, rows: 1, attachments: 1, mismatches: 0 };
const entry = { proof: null, doubt: null, contradicts: [], pin: null, removed: null };
const aged: PruneFacts = {
  sets: [night(10), night(11), night(12), night(13), ...Array.from({ length: 4 }, (_, index) => night(20 + index))],
  catalogue: [
    {
      ...entry,
      id: night(10).id,
      takenAt: night(10).takenAt,
      pin: { reason: "year end", by: "ana", at: "2026-01-11T00:00:00Z" },
    },
    { ...entry, id: night(11).id, takenAt: night(11).takenAt, proof: proven },
    { ...entry, id: "20260109t180000_gone", takenAt: "2026-01-09T18:00:00.000Z" },
  ],
};
const keepingLittle = createStack({
  ...stack.config,
  backup: stack.config.backup && {
    ...stack.config.backup,
    keep: { daily: 3, weekly: 1, monthly: 1, byHandSeconds: 0, beforeChangeSeconds: 0 },
    limit: { uploadBytes: 2 ** 20, downloadBytes: undefined },
    copies: {
      offsite: {
        ...{ repository: "s3:https://s3.example.com/backups", passwordFile: undefined, password: new Secret("p") },
        ...{ environment: { AWS_SECRET_ACCESS_KEY: new Secret("k") }, options: ["s3.region=eu"], appendOnly: false },
      },
    },
  },
});

const withAutomation = createStack({
  ...stack.config,
  services: {
    ...stack.config.services,
    automation: {
      ...{ name: undefined, url: "http://127.0.0.1:5678", apiKey: new Secret("k") },
      ...{ database: "n8n", keyFile: "/srv/n8n/.n8n/config" },
    },
  },
});
/** Somebody has changed the hour of a workflow. */
const editedFlows = shippedWorkflows.slice(1, 2).map((shipped) => ({
  ...{ shipped, is: "different" as const, isActive: true, differs: ["node Schedule"], digest: "5a" },
}));
const provingEach = createStack({
  ...stack.config,
  backup: stack.config.backup && { ...stack.config.backup, verify: "every" },
});
const minute = (number: number) => {
  const id = `${number}`.repeat(64);
  return { id, origin: id, takenAt: `2026-01-20T00:0${number}:00.000Z` };
};
const thinned: ThinFacts = {
  snapshots: [minute(1), minute(2), minute(3)],
  notes: [
    { snapshot: minute(1).id, parent: "", files: 10, kept: 0 },
    { snapshot: minute(2).id, parent: minute(1).id, files: 12, kept: 10 },
    { snapshot: minute(3).id, parent: minute(2).id, files: 12, kept: 11 },
  ],
  reach: { since: "2026-01-01T00:00:00.000Z" },
};

const server = {
  ...{ version: "15", dataDirectory: "/srv/sandbox/data", segmentBytes: 16_777_216, databaseBytes: 500_000_000 },
  ...{ walLevel: "replica", archiveMode: "off", archiveCommand: "" },
};
const serving = { odoo: running.runningServices, proxy: "nginx" };
const nothingYet = { configuration: undefined, settings: undefined };
const past = {
  ...{ backup: "20260101-010000F", limits: { max_connections: "100" }, databaseBytes: 500_000_000, jobs: 2 },
  running: serving,
};

const set: RestoreSetFacts = {
  set: { id: "20260101t000000_abcd", takenAt: "2026-01-01T00:00:00.000Z", reason: "scheduled" },
  ...{ repository: "primary", source: "odoo", databaseBytes: 500_000_000, jobs: 2, running: serving },
  ...{ present: { database: true, files: true }, trial: undefined, differences: [] },
};
const wanted = restoreSet.input.parse({});
/** A second stack on the same machine, whose Odoo has a user of its own. */
const [staging, production] = (() => {
  const text = sandboxConfig({ ...settings, folder: "/srv/staging", basePort: 28_080 });
  const other = stackOf(text).config;
  const copy = { ...other, name: "staging", odoo: { ...other.odoo, user: "staging", database: "staging" } };
  const lending = {
    ...stack.config,
    backup: stack.config.backup && { ...stack.config.backup, restoreInto: ["staging"] },
  };
  return [createStack(copy, [lending]), stack.name];
})();
const onBareMachine = stackOf(
  sandboxConfig(settings).replace(
    '"backup": {',
    '"recovery": { "provision": ["/usr/local/bin/new-machine", "--size", "big"], "dns": ["/usr/local/bin/name-it"] }, "backup": {',
  ),
);
const part = (name: string, path: string) => ({
  ...{ part: name, path, state: "taken" as const, commit: "", remote: "", top: "", branch: "" },
});
const found = {
  ...{ id: "20260101t000000_abcd", repository: "primary", takenAt: "2026-01-01T00:00:00Z", database: "odoo" },
  ...{ databaseBytes: 500_000_000, setBytes: 600_000_000 },
  cluster: {
    ...{
      version: "15",
      dataDirectory: "/srv/sandbox/data",
      encoding: "UTF8",
      collate: "C",
      ctype: "C.UTF-8",
      icu: null,
    },
    ...{
      checksums: true,
      segmentBytes: 16_777_216,
      archiveMode: "off",
      archiveCommand: "",
      settings: { work_mem: "64MB" },
    },
  },
  parts: [
    part("odoo.conf", "/srv/sandbox/odoo.conf"),
    {
      ...part("addons", "/srv/code/addons"),
      ...{
        state: "commit" as const,
        commit: "5e2c34e5fec09f4b9c3074e1858fa667d7899b4d",
        top: "/srv/code",
        branch: "main",
      },
      remote: "https://git.example.com/code.git",
    },
    part("postgresql", "/srv/sandbox/postgresql/15/sandbox"),
    { ...part("files", "/etc/letsencrypt"), state: "missing" as const },
  ],
};
const bare = { set: found, running: ["nginx"], aside: ["/srv/sandbox/data"], users: ["odoo"], jobs: 2 };
const recovering = { set: "latest", repository: "primary", provision: true, beforeSeconds: 0 };
const wasArchived = {
  ...bare,
  set: {
    ...found,
    database: "odoo_old",
    cluster: { ...found.cluster, archiveMode: "on", archiveCommand: archived.pgbackrest?.archiveCommand ?? "" },
  },
};

const inContainers = stackOf(
  composeConfig({ folder: "/srv/odoo", basePort: 18_080, images: {} }).replace(
    '"backup": {',
    '"recovery": { "repositories": { "primary": { "repository": "/srv/backup/restic", "passwordFile": "/srv/key" } } }, "backup": {',
  ),
);
const noContainers = {
  ...{ running: [], aside: [], users: [], jobs: 2 },
  set: {
    ...found,
    cluster: { ...found.cluster, dataDirectory: "/var/lib/postgresql/data/cluster", archiveMode: "on" },
    parts: [
      { ...part("odoo.conf", "/etc/odoo/odoo.conf"), machine: "/srv/odoo/odoo.conf" },
      { ...part("addons", "/mnt/extra-addons"), machine: "/srv/odoo/addons" },
      part("compose", "/srv/odoo/compose.yaml"),
      { ...part("proxy", "/etc/nginx"), machine: "" },
      part("project", "/srv/odoo/secrets"),
      { ...part("postgresql", "/var/lib/postgresql/data/cluster"), machine: "" },
    ],
  },
};

const damaged = { repository: "primary", although: false };
const ofArchive = {
  ...{
    dataDirectory: "/srv/sandbox/data",
    log: "/srv/sandbox/pglog/postgresql.log",
    isRunning: false,
    running: serving,
    jobs: 2,
  },
  ...{ archive: { limits: { max_connections: "100" }, databaseBytes: 500_000_000 }, set: undefined },
};

const brought = {
  ...{ file: "/srv/old.sql.gz", kind: "sql" as const, isGzipped: true, bytes: 40_000_000, writtenAt: 1_700_000_000 },
  ...{ series: "18.0", jobs: 2, hasFiles: true, running: serving },
  present: { collate: "C", ctype: "C.UTF-8", extensions: ["pg_stat_statements"] },
};
const exported = { backup: "20260101t000000_abcd", ...sized, present: brought.present };

/** Its Odoo is found by way of a link. */
const linked = stackOf(
  sandboxConfig({
    ...settings,
    odoo: { ...settings.odoo, command: ["/opt/odoo/current/odoo-bin"], addons: ["/opt/odoo/current/addons"] },
  }).replace(
    '"modules": "ipai_*"',
    '"modules": "ipai_*", "upgrade": { "link": "/opt/odoo/current", "to": { "19.0": "/opt/odoo/19" } }',
  ),
);
/** Its Odoo is in an image that the project's variables name. */
const named = stackOf(
  composeConfig({ folder: "/srv/odoo", basePort: 18_080, images: {} }).replace(
    '"modules": "ipai_*"',
    '"modules": "ipai_*", "upgrade": { "to": { "19.0": { "ODOO_IMAGE": "odoo:19.0" } } }',
  ),
);
const toNineteen = upgradeMajor.input.parse({ to: "19.0" });

const plans: readonly (readonly [name: string, plan: Plan])[] = [
  ["backup", backup.plan(stack, { reason: "by-hand" }, { ...sized, isRepositoryThere: true, isFilestoreNear: true })],
  [
    "backup-first",
    backup.plan(stack, { reason: "by-hand" }, { ...sized, isRepositoryThere: false, isFilestoreNear: false }),
  ],
  [
    "backup-automation",
    backup.plan(withAutomation, { reason: "by-hand" }, { ...sized, isRepositoryThere: true, isFilestoreNear: true }),
  ],
  ["database-check", databaseCheck.plan(stack, {}, sized)],
  ["n8n-sync", syncWorkflows.plan(withAutomation, {}, { flows: editedFlows })],
  ["backup-verify", verifyBackup.plan(stack, { backup: "latest" }, { backup: "20260101t000000_abcd", ...sized })],
  ["backup-prune", pruneBackups.plan(keepingLittle, { repository: "primary" }, aged)],
  ["backup-prune-copy", pruneBackups.plan(keepingLittle, { repository: "offsite" }, aged)],
  ["backup-copy", copyBackups.plan(keepingLittle, {}, { newest: night(23).id })],
  ["backup-files", shipFiles.plan(archived, {}, { isRepositoryThere: true })],
  ["backup-thin", thinFiles.plan(archived, { repository: "primary" }, thinned)],
  ["backup-check", checkBackups.plan(keepingLittle, {}, {})],
  ["backup-prune-nothing", pruneBackups.plan(stack, { repository: "primary" }, { sets: [night(10)], catalogue: [] })],
  [
    "wal-setup",
    walSetup.plan(
      archived,
      { replaces: false },
      { server, running: serving, isFolderThere: false, hasStanza: false, before: nothingYet },
    ),
  ],
  [
    "wal-setup-away",
    walSetup.plan(
      archivedAway,
      { replaces: false },
      { server, running: serving, isFolderThere: false, hasStanza: false, before: nothingYet },
    ),
  ],
  ["wal-backup", walBackup.plan(archived, { type: "diff" }, server)],
  ["wal-verify", walVerify.plan(archived, {}, { segmentBytes: server.segmentBytes })],
  ["wal-remove", walRemove.plan(archived, {}, { running: serving, walLevel: "replica" })],
  ["restore", restore.plan(archived, { at: "2026-01-01T02:00:00Z" }, past)],
  ["restore-set", restoreSet.plan(stack, wanted, { ...set, trial: "because the set is not proven" })],
  ["restore-set-database", restoreSet.plan(stack, { ...wanted, only: "database", backup: false, trial: "never" }, set)],
  ["restore-set-files", restoreSet.plan(stack, { ...wanted, only: "files" }, set)],
  ["restore-set-automation", restoreSet.plan(withAutomation, { ...wanted, only: "automation" }, set)],
  ["restore-set-elsewhere", restoreSet.plan(staging, { ...wanted, from: production }, set)],
  [
    "restore-set-nothing-there",
    restoreSet.plan(
      staging,
      { ...wanted, from: production, asProduction: true },
      { ...set, present: { database: false, files: false }, running: { odoo: [], proxy: undefined } },
    ),
  ],
  [
    "restore-forget",
    forgetKept.plan(
      stack,
      { id: "20260101t000000_abcd" },
      { databases: ["odoo_before_20260101t000000_abcd"], hasFiles: true },
    ),
  ],
  ["backup-export", exportBackup.plan(stack, { backup: "latest", file: "/srv/out.zip", format: "zip" }, exported)],
  [
    "backup-export-sql",
    exportBackup.plan(stack, { backup: "latest", file: "/srv/out.sql.gz", format: "sql.gz" }, exported),
  ],
  ["restore-file", restoreFile.plan(stack, { file: brought.file }, brought)],
  [
    "restore-copy",
    restoreCopy.plan(
      stack,
      { from: "latest", name: "staging", days: 7 },
      { running: serving, file: undefined, set: { backup: "20260101t000000_abcd", ...sized } },
    ),
  ],
  [
    "restore-copy-file",
    restoreCopy.plan(
      stack,
      { from: "/srv/odoo.zip", name: "staging", days: 7 },
      {
        running: serving,
        set: undefined,
        file: { ...brought, file: "/srv/odoo.zip", kind: "zip" as const, isGzipped: false },
      },
    ),
  ],
  ["copy-serve", serveStaging.plan(stack, { id: "staging", port: 8899 }, {})],
  ["copy-remove", removeStaging.plan(stack, { id: "staging" }, { by: "ana", openedAt: "2026-01-01T00:00:00Z" })],
  ["upgrade", upgrade.plan(stack, { modules: [], acceptLostCrons: false }, running)],
  ["upgrade-major", upgradeMajor.plan(linked, toNineteen, major)],
  ["upgrade-major-compose", upgradeMajor.plan(named, toNineteen, majorNamed)],
  [
    "upgrade-major-without-source",
    upgradeMajor.plan(
      linked,
      { ...toNineteen, upgradePath: ["/opt/openupgrade"], load: ["base", "openupgrade_framework"], approval: false },
      { ...major, code: undefined, scripts: [], had: [], managed: [], rehearsed: 600 },
    ),
  ],
  [
    "upgrade-rehearsal",
    rehearseMajor.plan(linked, rehearseMajor.input.parse({ to: "19.0" }), {
      upgrade: major,
      set: { backup: "20260101t000000_abcd", ...sized },
    }),
  ],
  [
    "upgrade-rehearsal-compose",
    rehearseMajor.plan(named, rehearseMajor.input.parse({ to: "19.0" }), {
      upgrade: majorNamed,
      set: { backup: "20260101t000000_abcd", ...sized },
    }),
  ],
  [
    "upgrade-doorless",
    upgrade.plan(doorless, { modules: [], acceptLostCrons: false }, { ...running, maintenance: undefined }),
  ],
  ["upgrade-closed", upgrade.plan(stack, { modules: [], acceptLostCrons: false }, { ...running, maintenance: "on" })],
  ["maintenance-on", maintenanceOn.plan(stack, { reason: "", until }, { open: [], flag: "" })],
  [
    "maintenance-on-again",
    maintenanceOn.plan(
      stack,
      { reason: 'The year\'s <b>closing</b> & "audit"', until },
      { open: ["maintenance_20260101t000000_abcd"], flag: `person 20260101t000000_abcd ${until}` },
    ),
  ],
  [
    "maintenance-off",
    maintenanceOff.plan(
      stack,
      { id: "", although: false },
      {
        open: ["maintenance_20260101t000000_abcd"],
        flag: `person 20260101t000000_abcd ${until}`,
        odoo: ["odoo-core"],
      },
    ),
  ],
  [
    "maintenance-off-although",
    maintenanceOff.plan(stack, { id: "", although: true }, { open: [], flag: "", odoo: [] }),
  ],
  ["upgrade-stopped", upgrade.plan(stack, { modules: ["ipai_demo_ledger"], acceptLostCrons: true }, stopped)],
  ["recover-server", recoverServer.plan(stack, recovering, { host: bare })],
  ["recover-server-compose", recoverServer.plan(inContainers, recovering, { host: noContainers })],
  ["recover-server-automation", recoverServer.plan(withAutomation, recovering, { host: bare })],
  ["recover-server-archived", recoverServer.plan(archived, recovering, { host: wasArchived })],
  ["recover-server-provision", recoverServer.plan(onBareMachine, recovering, { host: undefined })],
  ["recover-server-named", recoverServer.plan(onBareMachine, { ...recovering, provision: false }, { host: bare })],
  ["recover-database-archive", recoverDatabase.plan(archived, { ...damaged, at: undefined }, ofArchive)],
  [
    "recover-database-set",
    recoverDatabase.plan(stack, { ...damaged, set: "latest" }, { ...ofArchive, archive: undefined, set: found }),
  ],
  [
    "recover-forget",
    forgetDamaged.plan(
      stack,
      { id: "damaged_20260101t000000_abcd" },
      { path: "/srv/data_damaged_20260101t000000_abcd" },
    ),
  ],
  ["drill-server", drill.plan(stack, { what: "server", repository: "" }, { set: found, archive: undefined, jobs: 2 })],
  [
    "drill-database",
    drill.plan(archived, { what: "database", repository: "" }, { set: undefined, archive: ofArchive.archive, jobs: 2 }),
  ],
  ["sandbox-up", sandboxUp.plan(stack, sandbox, fresh)],
  ["sandbox-up-again", sandboxUp.plan(stack, sandbox, { ...fresh, isMade: true })],
  ["sandbox-down", sandboxDown.plan(stack, { remove: "/srv/sandbox" }, {})],
];

describe("the plan of", () => {
  it.each(plans)("%s is what it was", async (name, plan) => {
    expect(validatePlan(plan)).toBe(plan);
    await expect(`${renderPlan(plan, { detail: true })}\n`).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it("a backup asks for its proof where each is to be proven; then none is proven weekly", () => {
    const facts = { ...sized, isRepositoryThere: true, isFilestoreNear: true };
    const asksOf = (one: typeof stack) =>
      backup
        .plan(one, { reason: "by-hand" }, facts)
        .steps.map(({ id }) => id)
        .filter((id) => id === "request proof");
    expect([asksOf(stack), asksOf(provingEach)]).toEqual([[], ["request proof"]]);
    const schedules = (one: typeof stack) =>
      schedulesOf(one.config, createProcedures([], [one])).map(({ name }) => name);
    expect([stack, provingEach].map((one) => schedules(one).includes("proof"))).toEqual([true, false]);
  });

  it("what stops the proxy does not wait for users who are kept out on purpose", () => {
    const waits = (mode: "on" | "off") => {
      const plan = restoreSet.plan(stack, wanted, { ...set, running: { ...serving, mode } });
      return [walk(plan).some(({ step }) => step.id === "serve the public address"), hashPlan(plan)];
    };
    expect([waits("off")[0], waits("on")[0]]).toEqual([true, false]);
    expect(waits("on")[1]).not.toBe(waits("off")[1]);
  });

  it("an upgrade, or a prune, shares the stack with no backup: a dump's locks would make the update fail", () => {
    const leaseOf = (name: string) => plans.find(([one]) => one === name)?.[1].lease;
    const names = [
      "backup",
      "backup-verify",
      "backup-copy",
      "backup-check",
      "database-check",
      "upgrade",
      "backup-prune",
    ];
    expect(names.map(leaseOf)).toEqual([...Array(5).fill("shared"), "exclusive", "exclusive"]);
  });

  it("an upgrade has another identity for every fact that it is bound to", () => {
    const hashOf = (facts: UpgradeFacts) =>
      hashPlan(upgrade.plan(stack, { modules: [], acceptLostCrons: false }, facts));
    const [first, second] = running.changes;
    if (first === undefined || second === undefined) throw new Error("The facts have two changes");
    const others: readonly UpgradeFacts[] = [
      { ...running, changes: [{ ...first, hash: "edited" }, second] },
      { ...running, changes: [{ ...first, from: "18.0.0.9.0" }, second] },
      { ...running, runningServices: ["odoo-accounting"] },
      { ...running, isProxyRunning: false },
      { ...running, maintenance: "on" },
      { ...running, hashes: { ...running.hashes, ipai_other: "h" } },
    ];
    const hashes = [running, ...others].map(hashOf);
    expect(new Set(hashes).size).toBe(hashes.length);
    // The size only forecasts: a database that grows does not void an approval.
    expect(hashOf({ ...running, databaseBytes: 1 })).toBe(hashes[0]);
  });

  it("an upgrade to another series has another identity for every fact that it is bound to", () => {
    const hashOf = (facts: typeof major) => hashPlan(upgradeMajor.plan(linked, toNineteen, facts));
    const [script, other] = major.scripts;
    if (script === undefined || other === undefined) throw new Error("The facts have two scripts");
    const others: readonly (typeof major)[] = [
      { ...major, program: { ...major.program, at: "/opt/odoo/17" } },
      { ...major, code: { ...major.code, to: "3".repeat(40) } },
      { ...major, scripts: [{ ...script, text: "select 2;\n" }, other] },
      { ...major, scripts: [script] },
      { ...major, had: [] },
      { ...major, versions: { ...major.versions, base: "19.0.1.4" } },
      { ...major, managed: major.managed.map((one) => ({ ...one, hash: "edited" })) },
      { ...major, running: { ...serving, odoo: ["odoo-core"] } },
    ];
    const hashes = [major, ...others].map(hashOf);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashOf({ ...major, databaseBytes: 1 })).toBe(hashes[0]);
    const ofNamed = (program: typeof majorNamed.program) =>
      hashPlan(upgradeMajor.plan(named, toNineteen, { ...majorNamed, program }));
    const { program } = majorNamed;
    const moved = { ...program, images: program.images.map((one) => ({ ...one, id: "sha256:other" })) };
    const written = { ...program, lines: { ODOO_IMAGE: "ODOO_IMAGE=odoo:18.0" } } as unknown as typeof program;
    expect(new Set([program, moved, written].map(ofNamed)).size).toBe(3);
  });
});
