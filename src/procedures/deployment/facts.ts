import { z } from "zod";
import { type CommandAction, command } from "../../runbook/action.ts";
import { type Commit, type Git, parseCommits, parseTreeChanges } from "../../stack/git.ts";
import type { SourceImage } from "../../stack/images.ts";
import { externalFunctions } from "../../stack/odoo/external.ts";
import type { Odoo } from "../../stack/odoo/odoo.ts";
import {
  parseReleaseScan,
  type ReleaseScan,
  type ScannedAddon,
  scanRelease,
  usualConfigurationFiles,
  usualImageFiles,
} from "../../stack/odoo/release-scan.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader } from "../procedure.ts";
import type { Running } from "../running.ts";
import { readInstalled, requireSpace } from "../upgrade/facts.ts";
import { type Changes, judgeChanges } from "./changes.ts";
import { DependencyMissing, NoSource, NothingToDeploy, TreeNotClean } from "./errors.ts";
import { forecastDowntime } from "./forecast.ts";
import { isForCommands, readImages } from "./inputs.ts";
import { findRehearsal } from "./rehearsal.ts";
import { listReleases } from "./release.ts";

/** What a deployment depends on: the commits, what differs between them, and what that means for the database as it is. */
export interface DeployFacts extends Changes {
  readonly series: string;
  readonly from: string;
  readonly to: string;
  readonly commits: readonly Commit[];
  readonly scan: ReleaseScan;
  /** Of the project, built anew from the source. */
  readonly images: readonly SourceImage[];
  /** What the modules need besides modules, where the image that is built must have it. Otherwise it was asked for already. */
  readonly needs: readonly Need[];
  /** What the database says now. */
  readonly recorded: Readonly<Record<string, string>>;
  readonly running: Running;
  readonly databaseBytes: number;
  /** How long users are expected to be out, seconds; undefined when nothing was rehearsed, and 0 for code alone. */
  readonly forecastSeconds: number | undefined;
}

export interface Wanted {
  /** A branch, a tag or a commit; the source's branch when null. */
  readonly to: string | null;
  readonly install: readonly string[];
}

export async function readDeployFacts(reader: FactReader, { to: wanted, install }: Wanted): Promise<DeployFacts> {
  const to = await resolveCommit(reader, requireGit(reader.stack), wanted);
  const facts = await readCommitFacts(reader, to, { install });
  const { from, updates, installs, code, databaseBytes } = facts;
  if (from === to && updates.length + installs.length + code.length === 0) throw NothingToDeploy({ commit: to });
  if (updates.length + installs.length === 0) return { ...facts, forecastSeconds: 0 };
  await requireSpace(reader, databaseBytes);
  const { records, stack } = reader;
  const rehearsal = await findRehearsal(records, stack.name, facts);
  if (rehearsal === undefined) return facts;
  const sizes = { databaseBytes, services: facts.running.odoo.length };
  return { ...facts, forecastSeconds: forecastDowntime(rehearsal, await listReleases(records, stack.name), sizes) };
}

/** `database`: the one that the commit is meant for, if it is not the serving one. */
export async function readCommitFacts(
  reader: FactReader,
  to: string,
  { install = [], database = reader.stack.config.odoo.database }: { install?: readonly string[]; database?: string },
): Promise<DeployFacts> {
  const { stack } = reader;
  const git = requireGit(stack);
  const from = await reader.text(git.head());
  await requireClean(reader, git);
  const [commits, scanned, installed, available] = await Promise.all([
    reader.jsonLines(git.log(from, to)),
    reader.jsonLines(scanRelease(git, { from, to, ...scannedFolders(stack) })),
    readInstalled(reader, database),
    reader.json(stack.postgres.query(database, availableSql)),
  ]);
  const scan = parseReleaseScan(scanned);
  const changes = judgeChanges(scan, { ...installed, available: names.parse(available) }, install);
  const { updates, installs, code } = changes;
  const changed = [...updates, ...installs, ...code].map(({ name }) => name);
  const needs = needsOf(scan.addons.filter(({ name }) => changed.includes(name)));
  const images = await readImages(reader, scan);
  const isBuilt = isForCommands(stack, images);
  if (!isBuilt) await requireExternal(reader, needs);
  const { series, recorded, running, databaseBytes } = installed;
  return {
    ...changes,
    series,
    from,
    to,
    commits: parseCommits(commits),
    scan,
    images,
    needs: isBuilt ? needs : [],
    recorded,
    running,
    databaseBytes,
    forecastSeconds: undefined,
  };
}

const names = z.array(z.string());
const availableSql = "select coalesce(json_agg(name order by name), '[]') from ir_module_module;";

export function requireGit({ git, name }: Stack): Git {
  if (git === undefined) throw NoSource({ stack: name });
  return git;
}

/** What no commit has would be lost, or run without anybody knowing. What git does not know counts where code lies. */
export async function requireClean(reader: FactReader, git: Git): Promise<void> {
  const folders = codeFolders(reader.stack);
  const isCode = (path: string) => folders.some((folder) => folder === "." || path.startsWith(`${folder}/`));
  const changes = parseTreeChanges(await reader.jsonLines(git.changes()));
  const counted = changes.filter(({ isKnown, path }) => isKnown || isCode(path)).map(({ path }) => path);
  if (counted.length === 0) return;
  const more = counted.length > 5 ? ` and ${counted.length - 5} more` : "";
  throw TreeNotClean({ changes: counted.slice(0, 5).join(", ") + more });
}

/** Folders with modules, relative to the repository. Those of Odoo that lie in it, if nobody says otherwise. */
export function codeFolders({ config: { source, odoo } }: Stack): readonly string[] {
  if (source === undefined) return [];
  return source.addons ?? odoo.addons.flatMap((path) => belowSource(source.repository, path) ?? []);
}

/** Relative to the repository; undefined for what lies elsewhere. */
function belowSource(repository: string, path: string): string | undefined {
  if (path === repository) return ".";
  return path.startsWith(`${repository}/`) ? path.slice(repository.length + 1) : undefined;
}

/** The folder of the source that one of Odoo's is taken from. Where containers see them elsewhere, both are told apart by their places. */
export function inSource({ config: { source, odoo } }: Stack): (path: string) => string | undefined {
  if (source === undefined) return () => undefined;
  const { repository, addons } = source;
  if (addons === undefined) return (path) => (odoo.addons.includes(path) ? belowSource(repository, path) : undefined);
  const folders = new Map(odoo.addons.map((path, index) => [path, addons[index]]));
  return (path) => folders.get(path);
}

export function scannedFolders(stack: Stack) {
  const { image = [], configuration = [] } = stack.config.source ?? {};
  return {
    addons: codeFolders(stack),
    image: [...usualImageFiles, ...image],
    configuration: [...usualConfigurationFiles, ...configuration],
  };
}

/**
 * A commit that is named in full is the plan's own: it is looked for before the remote is asked. A name is the remote's; what the tree
 * itself calls so may be long out of date.
 */
export async function resolveCommit(reader: FactReader, git: Git, wanted: string | null): Promise<string> {
  if (wanted !== null && /^[0-9a-f]{40}$/.test(wanted)) {
    const known = await reader.maybe(reader.text(git.resolve(wanted)));
    if (known !== undefined) return known;
  }
  if (wanted === null) {
    await reader.text(git.fetch());
    return reader.text(git.resolveBranch());
  }
  await reader.text(git.fetchAll());
  const branch = await reader.maybe(reader.text(git.resolveBranch(wanted)));
  if (branch !== undefined) return branch;
  const tag = reader.text(git.resolveTag(wanted));
  return isHash(wanted) ? ((await reader.maybe(tag)) ?? reader.text(git.resolve(wanted))) : tag;
}

/** Perhaps abbreviated. */
const isHash = (name: string) => /^[0-9a-f]{4,40}$/.test(name);

export interface Need {
  readonly name: string;
  readonly what: "python" | "program";
  readonly one: string;
}

/** What modules need besides, by their manifests. */
export function needsOf(addons: readonly Pick<ScannedAddon, "name" | "external">[]): readonly Need[] {
  return addons.flatMap(({ name, external }) => [
    ...external.python.map((one) => ({ name, what: "python", one }) as const),
    ...external.bin.map((one) => ({ name, what: "program", one }) as const),
  ]);
}

function wordOf({ what, one }: Need): string {
  return `${what}:${one}`;
}

/** Prints those of them that are missing, as a list of JSON. */
export function askFor(needs: readonly Need[]): readonly [string, ...string[]] {
  return ["python3", "-c", externalScript, ...needs.map(wordOf)];
}

/** Odoo refuses a module whose Python packages or programs are missing, but only when it is installed or updated. */
export async function requireExternal(reader: FactReader, needs: readonly Need[]): Promise<void> {
  const lacking = await findLacking(reader, reader.stack, needs);
  if (lacking.length === 0) return;
  throw DependencyMissing({ missing: lacking.map((need) => `${need.name} needs the ${sayNeed(need)}`).join(", ") });
}

/** An Odoo, and how it is asked if not as it is. */
interface Asked {
  readonly odoo: Odoo;
  ask?(question: CommandAction): CommandAction;
}

/** What this Odoo does not have of it. */
export async function findLacking(
  reader: FactReader,
  { odoo, ask = (question) => question }: Asked,
  needs: readonly Need[],
): Promise<readonly Need[]> {
  if (needs.length === 0) return [];
  const question = command(odoo.place, odoo.as(["/usr/bin/env", ...askFor(needs)]));
  const missing = names.parse(await reader.json(ask(question)));
  return needs.filter((need) => missing.includes(wordOf(need)));
}

export function sayNeed({ what, one }: Need): string {
  return `${what === "python" ? "Python package" : "program"} ${one}`;
}

const externalScript = `import json, sys
${externalFunctions}
def has(word):
    what, _, name = word.partition(":")
    return has_python(name) if what == "python" else has_program(name)

print(json.dumps([word for word in sys.argv[1:] if not has(word)]))
`;
