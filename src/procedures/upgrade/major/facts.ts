import { command } from "../../../runbook/action.ts";
import { type Commit, parseCommits } from "../../../stack/git.ts";
import { type AvailableModule, parseAvailable } from "../../../stack/odoo/available.ts";
import { parseInventory } from "../../../stack/odoo/inventory.ts";
import {
  listMigrationFiles,
  type MigrationScript,
  parseMigrationFiles,
  parseRecordedMigrations,
  recordedMigrationsSql,
} from "../../../stack/odoo/migrations.ts";
import { parseReleaseScan, type ReleaseScan, scanRelease } from "../../../stack/odoo/release-scan.ts";
import type { Successor } from "../../../stack/successor/find.ts";
import { available } from "../../../stack/successor/successor.ts";
import { CodeBroken } from "../../deployment/errors.ts";
import {
  findLacking,
  inSource,
  needsOf,
  requireClean,
  requireGit,
  resolveCommit,
  sayNeed,
  scannedFolders,
} from "../../deployment/facts.ts";
import { addonsPathOf } from "../../deployment/rehearse.ts";
import type { FactReader } from "../../procedure.ts";
import type { Running } from "../../running.ts";
import { type Installed, type ModuleVersions, matches, readInstalled } from "../facts.ts";
import { findUnfit, versionsAfter } from "./compatible.ts";
import { ModulesIncompatible, NoUpgradeScripts, WithoutUnknown } from "./errors.ts";
import { requireFolder } from "./folder.ts";
import { type PlannedProgram, readProgram, requireSuccessor } from "./program.ts";
import { folderOf, orderScripts, stillToRun } from "./scripts.ts";

/** What an upgrade to another series depends on. Whatever can be known to fail is refused here, before anybody is kept out. */

export interface Wanted {
  readonly to: string;
  readonly ref: string | null;
  readonly upgradePath: readonly string[];
  readonly without: readonly string[];
}

export interface MajorFacts {
  readonly from: string;
  readonly to: string;
  readonly program: PlannedProgram;
  /** Commits of the source; undefined when the stack has none. */
  readonly code: { readonly from: string; readonly to: string; readonly commits: readonly Commit[] } | undefined;
  /** Odoo's folders of modules, as its configuration names them. */
  readonly addonsPath: readonly string[];
  /** Those that the database still has to have. */
  readonly scripts: readonly MigrationScript[];
  /** Names of those that it has had. */
  readonly had: readonly string[];
  /** Every installed module that stays, with the version that Odoo will note. */
  readonly versions: Readonly<Record<string, string>>;
  /** Those of the source among them, or without one the managed ones: their code is known. */
  readonly managed: readonly ModuleVersions[];
  readonly running: Running;
  readonly databaseBytes: number;
}

export async function readMajorFacts(reader: FactReader, wanted: Wanted): Promise<MajorFacts> {
  const { stack } = reader;
  const successor = requireSuccessor(stack, wanted.to);
  const program = await readProgram(reader, successor);
  for (const folder of wanted.upgradePath) await requireFolder(reader, successor, folder);
  const installed = await readInstalled(reader);
  const { series: from, running, databaseBytes } = installed;
  const code = await readCode(reader, wanted.ref);
  const conf = await reader.text(successor.ask(readConfiguration(successor)));
  const addonsPath = addonsPathOf(conf);
  const found = await readAvailable(reader, successor, installed, addonsPath, code);
  const names = installed.modules.map(({ name }) => name);
  requireFit(names, found, wanted);
  const { scripts, had } = await readScripts(reader, folderOf(from, wanted.to), code);
  if (from !== wanted.to && wanted.upgradePath.length + scripts.length + had.length === 0)
    throw NoUpgradeScripts({ from, to: wanted.to, folder: folderOf(from, wanted.to) });
  const staying = names.filter((name) => !wanted.without.includes(name));
  const versions = versionsAfter(staying, found, wanted.to);
  return {
    from,
    to: wanted.to,
    program,
    code: code === undefined ? undefined : { from: code.from, to: code.to, commits: await readCommits(reader, code) },
    addonsPath,
    scripts,
    had,
    versions,
    managed: await readManaged(reader, successor, installed, versions, code),
    running,
    databaseBytes,
  };
}

function readConfiguration({ odoo, config }: Successor) {
  return command(odoo.place, ["cat", "--", config.odoo.config]);
}

async function readCode(reader: FactReader, ref: string | null): Promise<ReleaseScan | undefined> {
  const { stack } = reader;
  const { git } = stack;
  if (git === undefined) return undefined;
  const [to, from] = [await resolveCommit(reader, git, ref), await reader.text(git.head())];
  await requireClean(reader, git);
  return parseReleaseScan(await reader.jsonLines(scanRelease(git, { from, to, ...scannedFolders(stack) })));
}

async function readCommits({ stack, jsonLines }: FactReader, { from, to }: ReleaseScan): Promise<readonly Commit[]> {
  return parseCommits(await jsonLines(requireGit(stack).log(from, to)));
}

/** The source's own count as its commit has them; all others as they lie on the disk. */
async function readAvailable(
  reader: FactReader,
  successor: Successor,
  { modules }: Installed,
  addonsPath: readonly string[],
  code: ReleaseScan | undefined,
): Promise<readonly AvailableModule[]> {
  const names = modules.map(({ name }) => name);
  const isOfSource = inSource(reader.stack);
  const folders = addonsPath.filter((path) => isOfSource(path) === undefined).map(successor.relinked);
  const others = parseAvailable(await reader.jsonLines(successor.ask(available(successor, folders, names))));
  const own = code?.addons.filter(({ change }) => change !== "removed") ?? [];
  const installed = own.filter(({ name }) => names.includes(name));
  const faults = code?.broken.filter(({ addon }) => names.includes(addon)) ?? [];
  if (faults.length > 0)
    throw CodeBroken({ faults: faults.map(({ file, message }) => `${file}: ${message}`).join("; ") });
  const lacking = await findLacking(reader, successor, needsOf(installed));
  return [
    ...own.map(({ name, version, depends, isInstallable }) => ({
      name,
      version,
      depends,
      installable: isInstallable,
      lacks: lacking.filter((one) => one.name === name).map(sayNeed),
    })),
    ...others.filter(({ name }) => !own.some((one) => one.name === name)),
  ];
}

function requireFit(
  installed: readonly string[],
  available: readonly AvailableModule[],
  { to, without }: Pick<Wanted, "to" | "without">,
): void {
  const all = findUnfit(installed, available, to);
  const stray = without.filter((name) => !all.some((one) => one.name === name));
  if (stray.length > 0) throw WithoutUnknown({ modules: stray.join(", ") });
  const unfit = all.filter(({ name }) => !without.includes(name));
  if (unfit.length > 0)
    throw ModulesIncompatible({
      count: String(unfit.length),
      modules: unfit.map(({ name, why }) => `${name} (${why})`).join("; "),
    });
}

async function readScripts(
  reader: FactReader,
  folder: string,
  code: ReleaseScan | undefined,
): Promise<{ readonly scripts: readonly MigrationScript[]; readonly had: readonly string[] }> {
  const { git, postgres, config } = reader.stack;
  if (git === undefined || code === undefined) return { scripts: [], had: [] };
  const all = orderScripts(
    folder,
    parseMigrationFiles(await reader.jsonLines(listMigrationFiles(git, code.to, folder))),
  );
  const recorded = parseRecordedMigrations(
    await reader.jsonLines(postgres.query(config.odoo.database, recordedMigrationsSql)),
  );
  const scripts = stillToRun(all, recorded);
  return { scripts, had: all.filter((one) => !scripts.includes(one)).map(({ name }) => name) };
}

/** Of these the code is known, by its content. */
async function readManaged(
  reader: FactReader,
  { config, odoo }: Successor,
  { modules }: Installed,
  versions: Readonly<Record<string, string>>,
  code: ReleaseScan | undefined,
): Promise<readonly ModuleVersions[]> {
  const found =
    code === undefined
      ? parseInventory(await reader.jsonLines(odoo.inventory(config.odoo.addons))).addons
      : code.addons.flatMap(({ name, path, hash }) => (hash === null ? [] : [{ name, folder: path, hash }]));
  return modules.flatMap(({ name, version }) => {
    const to = versions[name];
    const addon = found.find((one) => one.name === name);
    const isOwn = code !== undefined || matches(name, config.odoo.modules);
    if (to === undefined || addon === undefined || !isOwn) return [];
    return [{ name, folder: addon.folder, hash: addon.hash, from: version ?? "none", to }];
  });
}
