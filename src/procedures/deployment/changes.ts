import { adaptVersion } from "../../stack/odoo/inventory.ts";
import type { ReleaseScan, ScannedAddon } from "../../stack/odoo/release-scan.ts";
import { ModuleNotInstallable } from "../upgrade/errors.ts";
import { type Installed, type ModuleVersions, requireSeriesOfManifest } from "../upgrade/facts.ts";
import { CodeBroken, DependencyMissing, ModulesLost, NotJudged, NotNew } from "./errors.ts";

/** What a release means for a database: which modules have to be updated or installed, and which ones only need their process anew. */

export interface Changes {
  /** To be updated by Odoo. */
  readonly updates: readonly ModuleVersions[];
  /** To be installed. */
  readonly installs: readonly ModuleVersions[];
  /** Only their code changed: a restarted process has it. */
  readonly code: readonly ModuleVersions[];
  /** Content hashes of every installed module once it is deployed. */
  readonly hashes: Readonly<Record<string, string>>;
  /** Why the database has to change, a line each. */
  readonly reasons: readonly string[];
}

/** `available`: modules that Odoo knows of, installed or not. */
export type Known = Pick<Installed, "modules" | "recorded" | "series"> & { readonly available: readonly string[] };

/**
 * Pure. A module is judged by what the database was last updated with, not by the commit that lies there: one that was checked out and
 * never updated is found too. Modules that are not installed may change as they like.
 */
export function judgeChanges(scan: ReleaseScan, installed: Known, install: readonly string[]): Changes {
  requireReadable(scan, installed, install);
  const known = new Map(installed.modules.map((row) => [row.name, row]));
  const brought = scan.addons.filter(({ change, name }) => change !== "removed" && known.has(name));
  const changed = brought.filter((addon) => isChanged(addon, installed));
  for (const addon of changed) {
    if (!addon.isInstallable) throw ModuleNotInstallable({ module: addon.name });
    requireSeriesOfManifest(addon, installed.series);
  }
  const isCode = (addon: ScannedAddon) => isCodeOnly(addon, installed);
  const updates = changed.filter((addon) => !isCode(addon));
  const installs = install.toSorted().map((name) => toInstall(name, scan, installed));
  requireDependencies([...updates, ...installs], scan, installed);
  const describe = (addon: ScannedAddon): ModuleVersions => ({
    name: addon.name,
    folder: addon.path,
    hash: addon.hash ?? unknownHash,
    from: known.get(addon.name)?.version ?? "none",
    to: adaptVersion(addon.version, installed.series),
  });
  return {
    updates: updates.map(describe),
    installs: installs.map(describe),
    code: changed.filter(isCode).map(describe),
    hashes: {
      ...installed.recorded,
      // Of the others too: what is pulled by hand later differs from something then.
      ...Object.fromEntries([...brought, ...installs].map((addon) => [addon.name, addon.hash ?? unknownHash])),
    },
    reasons: updates.flatMap((addon) => reasonsOf(addon, installed)),
  };
}

/** One whose own files are as they were may still need an update, because of what it imports. */
function isChanged(addon: ScannedAddon, { recorded, modules, series }: Known): boolean {
  const before = recorded[addon.name] ?? addon.hashNow;
  const version = modules.find(({ name }) => name === addon.name)?.version;
  const isNeeded = addon.kind === "data" || addon.kind === "schema";
  return isNeeded || addon.hash === null || before !== addon.hash || version !== adaptVersion(addon.version, series);
}

/** Of an addon with parts from outside of the repository: it counts as changed each time. */
export const unknownHash = "unknown";

/** Code that the database was never updated with cannot be told from what would need an update. */
function isCodeOnly(addon: ScannedAddon, { recorded, modules, series }: Known): boolean {
  const version = modules.find(({ name }) => name === addon.name)?.version;
  const isKnown = (recorded[addon.name] ?? addon.hashNow) === addon.hashNow;
  return isKnown && ["none", "code"].includes(addon.kind) && version === adaptVersion(addon.version, series);
}

function reasonsOf(addon: ScannedAddon, installed: Known): readonly string[] {
  const own = addon.reasons.filter(({ kind }) => kind === "data" || kind === "schema");
  if (own.length > 0) return own.map(({ file, why }) => `${addon.name}: ${why} (${file})`);
  const version = installed.modules.find(({ name }) => name === addon.name)?.version;
  return [`${addon.name}: the database was last updated with other code (version ${version ?? "none"})`];
}

function requireReadable(scan: ReleaseScan, { modules }: Known, install: readonly string[]): void {
  const isMeant = (name: string) => install.includes(name) || modules.some((row) => row.name === name);
  const faults = scan.broken.filter(({ addon }) => isMeant(addon));
  if (faults.length > 0)
    throw CodeBroken({
      faults: faults.map(({ file, line, message }) => `${file}:${line ?? 1}: ${message}`).join("; "),
    });
  const doubts = [
    ...scan.missingFolders.map((folder) => `${folder}: the folder of modules is not there`),
    ...scan.submodules.map(({ path }) => `${path}: a repository of its own, which a checkout does not bring`),
    ...scan.doubts.map(({ file, why }) => `${file}: ${why}`),
  ];
  if (doubts.length > 0) throw NotJudged({ doubts: doubts.join("; ") });
  const lost = scan.addons.filter(
    ({ change, name }) => change === "removed" && modules.some((row) => row.name === name),
  );
  if (lost.length > 0) throw ModulesLost({ modules: lost.map(({ name }) => name).join(", ") });
}

function toInstall(name: string, scan: ReleaseScan, installed: Known): ScannedAddon {
  const addon = scan.addons.find((one) => one.name === name && one.change !== "removed");
  if (addon === undefined) throw NotNew({ module: name, reason: "the release has no such module" });
  if (!addon.isInstallable) throw ModuleNotInstallable({ module: name });
  if (installed.modules.some((row) => row.name === name))
    throw NotNew({ module: name, reason: "it is installed already" });
  requireSeriesOfManifest(addon, installed.series);
  return addon;
}

/** Of modules; packages and programs are asked for where Odoo runs. */
function requireDependencies(addons: readonly ScannedAddon[], scan: ReleaseScan, { available }: Known): void {
  const there = new Set([...available, ...scan.addons.map(({ name }) => name)]);
  const missing = addons.flatMap(({ name, depends }) =>
    depends.filter((one) => !there.has(one)).map((one) => `${name} depends on the module ${one}`),
  );
  if (missing.length > 0) throw DependencyMissing({ missing: missing.join(", ") });
}
