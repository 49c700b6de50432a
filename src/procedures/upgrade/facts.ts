import { z } from "zod";
import {
  type Addon,
  adaptVersion,
  type Inventory,
  parseInventory,
  seriesOfProgram,
  seriesOfVersion,
} from "../../stack/odoo/inventory.ts";
import { modulesSql, recordedHashesSql, seriesSql } from "../../stack/odoo/sql.ts";
import type { FactReader } from "../procedure.ts";
import { type Mode, type Running, readRunning, readServerDisk } from "../running.ts";
import {
  CodeMissing,
  CodeUnreadable,
  DatabaseMissing,
  DatabaseNotInitialised,
  ModuleNotInstallable,
  ModuleNotInstalled,
  NoSpace,
  NothingToUpgrade,
  SeriesMismatch,
  UnknownModule,
} from "./errors.ts";

/** What the plan of a module upgrade depends on. Every mistake that Odoo would answer with exit code 0 is refused here. */

export interface ModuleVersions {
  readonly name: string;
  readonly folder: string;
  readonly hash: string;
  readonly from: string;
  readonly to: string;
}

export interface ModuleChange extends ModuleVersions {
  /** The tool holds a copy of the code that is installed now, so that it can be put back. */
  readonly isCodeKept: boolean;
}

export interface UpgradeFacts {
  readonly series: string;
  readonly changes: readonly ModuleChange[];
  /** Hashes of every managed installed module after the upgrade. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly runningServices: readonly string[];
  readonly isProxyRunning: boolean;
  readonly maintenance: Mode;
  readonly databaseBytes: number;
}

/** What updating modules itself depends on. */
export interface Update extends Pick<UpgradeFacts, "hashes" | "databaseBytes"> {
  readonly changes: readonly ModuleVersions[];
  /** Modules that are installed with it. */
  readonly installs?: readonly ModuleVersions[];
}

const moduleRow = z.object({ name: z.string(), state: z.string(), version: z.string().nullable() });
const seriesRow = z.object({ initialised: z.boolean(), size: z.number(), server: z.number() });
const hashesText = z.record(z.string(), z.string());
export type ModuleRow = z.infer<typeof moduleRow>;

/** What the database says that it is made of, and which services run on it. */
export interface Installed {
  readonly series: string;
  readonly modules: readonly ModuleRow[];
  /** Content hashes of the code that the database was last updated with. */
  readonly recorded: Readonly<Record<string, string>>;
  readonly running: Running;
  readonly databaseBytes: number;
}

export async function readInstalled(
  reader: FactReader,
  database = reader.stack.config.odoo.database,
): Promise<Installed> {
  const { stack } = reader;
  await requireDatabase(reader, database);
  const about = seriesRow.parse(await reader.json(stack.postgres.query(database, seriesSql)));
  if (!about.initialised) throw DatabaseNotInitialised({ database });
  const [rows, printed, hashes, running] = await Promise.all([
    reader.jsonLines(stack.postgres.query(database, modulesSql)),
    reader.text(stack.odoo.version()),
    reader.text(stack.postgres.query(database, recordedHashesSql)),
    readRunning(reader),
  ]);
  const modules = z.array(moduleRow).parse(rows);
  return {
    series: requireSeries(printed, modules, database),
    modules,
    recorded: hashes === "" ? {} : hashesText.parse(JSON.parse(hashes)),
    running,
    databaseBytes: about.size,
  };
}

export async function readUpgradeFacts(reader: FactReader, requested: readonly string[]): Promise<UpgradeFacts> {
  const { stack } = reader;
  const { odoo, workDirectory } = stack.config;
  const { series, modules, recorded, running, databaseBytes } = await readInstalled(reader);
  const [inventory, keptInventory] = await Promise.all(
    [odoo.addons, [keptCodeFolder(workDirectory)]].map((folders) => reader.jsonLines(stack.odoo.inventory(folders))),
  );
  const addons = requireCode(parseInventory(inventory), modules, odoo.modules);
  const wanted = selectModules(requested, addons, modules, recorded, series, odoo.modules);
  const kept = parseInventory(keptInventory).addons;
  await requireSpace(reader, databaseBytes);
  return {
    series,
    changes: wanted.map((addon) => describeChange(addon, modules, series, recorded, kept)),
    hashes: hashesAfter(wanted, recorded),
    runningServices: running.odoo,
    isProxyRunning: running.proxy !== undefined,
    maintenance: running.mode,
    databaseBytes,
  };
}

async function requireDatabase(reader: FactReader, database: string): Promise<void> {
  const { action } = reader.stack.postgres.databaseExists(database);
  if ((await reader.number(action)) === 0) throw DatabaseMissing({ database });
}

/** The program and the database must be of one series: Odoo itself only warns, and breaks later. */
function requireSeries(printed: string, modules: readonly ModuleRow[], database: string): string {
  const program = seriesOfProgram(printed);
  const ofDatabase = seriesOfVersion(modules.find((row) => row.name === "base")?.version ?? "");
  if (program !== ofDatabase) throw SeriesMismatch({ database, program, ofDatabase });
  return program;
}

/** The code of every installed module that is managed must be there and readable. */
function requireCode(
  inventory: Inventory,
  modules: readonly ModuleRow[],
  patterns: readonly string[],
): readonly Addon[] {
  const [folder] = inventory.missingFolders;
  if (folder !== undefined) throw CodeUnreadable({ what: folder, reason: "the folder does not exist" });
  const isInstalled = (name: string) => modules.some((row) => row.name === name && row.state !== "uninstalled");
  const broken = inventory.broken.find((addon) => isInstalled(addon.name));
  if (broken !== undefined) throw CodeUnreadable({ what: `${broken.folder}/__manifest__.py`, reason: broken.broken });
  const lost = modules.filter(
    (row) => matches(row.name, patterns) && !inventory.addons.some((addon) => addon.name === row.name),
  );
  if (lost.length > 0) throw CodeMissing({ modules: lost.map((row) => row.name).join(", ") });
  return inventory.addons;
}

/** Named modules must be there, installable and installed; without names, the changed ones are found by content. */
function selectModules(
  requested: readonly string[],
  addons: readonly Addon[],
  modules: readonly ModuleRow[],
  recorded: Readonly<Record<string, string>>,
  series: string,
  patterns: readonly string[],
): readonly Addon[] {
  const installed = new Map(modules.map((row) => [row.name, row]));
  if (requested.length > 0)
    return [...new Set(requested)].sort().map((name) => {
      const addon = addons.find((candidate) => candidate.name === name);
      if (addon === undefined)
        throw UnknownModule({ module: name, known: addons.map((known) => known.name).join(", ") });
      if (!addon.installable) throw ModuleNotInstallable({ module: name });
      requireSeriesOfManifest(addon, series);
      if (!installed.has(name)) throw ModuleNotInstalled({ module: name });
      return addon;
    });
  const changed = addons.filter((addon) => {
    const row = installed.get(addon.name);
    if (row === undefined || !matches(addon.name, patterns)) return false;
    return recorded[addon.name] !== addon.hash || row.version !== adaptVersion(addon.version, series);
  });
  if (changed.length === 0) throw NothingToUpgrade({ count: String(addons.length) });
  for (const addon of changed) {
    if (!addon.installable) throw ModuleNotInstallable({ module: addon.name });
    requireSeriesOfManifest(addon, series);
  }
  return changed;
}

/** A manifest of another series (17.0.1.0.0 on 18.0) makes Odoo ignore the module silently. */
export function requireSeriesOfManifest(addon: Pick<Addon, "name" | "version">, series: string): void {
  const own = /^(\d+\.0)\.\d+\.\d+/.exec(addon.version)?.[1];
  if (own !== undefined && own !== series && addon.version.split(".").length >= 5)
    throw SeriesMismatch({ database: `module ${addon.name}`, program: series, ofDatabase: own });
}

function describeChange(
  addon: Addon,
  modules: readonly ModuleRow[],
  series: string,
  recorded: Readonly<Record<string, string>>,
  kept: readonly Addon[],
): ModuleChange {
  const installed = recorded[addon.name];
  return {
    name: addon.name,
    folder: addon.folder,
    hash: addon.hash,
    from: modules.find((row) => row.name === addon.name)?.version ?? "none",
    to: adaptVersion(addon.version, series),
    // The kept copy only serves when it is the code that the database was last updated with.
    isCodeKept: installed !== undefined && kept.some(({ name, hash }) => name === addon.name && hash === installed),
  };
}

/** Where the code of the installed modules is kept. */
export function keptCodeFolder(workDirectory: string): string {
  return `${workDirectory}/code`;
}

/** A module that was changed on disk but is not part of this upgrade keeps the hash of what is installed, so that it is found next time. */
export function hashesAfter(
  wanted: readonly Addon[],
  recorded: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return { ...recorded, ...Object.fromEntries(wanted.map((addon) => [addon.name, addon.hash])) };
}

/**
 * The snapshot is a full copy, and the update itself may rewrite tables: one and a half times the database must be free. The server writes
 * the copy to its log as well, of which it keeps this much.
 */
export async function requireSpace(reader: FactReader, databaseBytes: number): Promise<void> {
  const { directory, freeBytes } = await readServerDisk(reader);
  const needed = Math.ceil(databaseBytes * 1.5 + Math.min(databaseBytes, logBytesMost));
  if (freeBytes < needed) throw NoSpace({ directory, free: String(freeBytes), needed: String(needed) });
}

/** PostgreSQL's own max_wal_size, where nobody sets another one. */
const logBytesMost = 1 << 30;

export function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(name),
  );
}
