import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Plan, Step } from "../../runbook/plan.ts";
import { join, output, runId, suffixed, type Text } from "../../runbook/value.ts";
import { linkTree, pathExists } from "../../stack/files.ts";
import { isSame, type Placing, placeClone, placeCopy } from "../../stack/placing.ts";
import { createReplacement, type Replacement } from "../../stack/replacement.ts";
import { createScratchCluster, type ScratchCluster } from "../../stack/scratch.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import { compareAttachments, compareManifest, compareSequences } from "../backup/compare.ts";
import { copyName, serveCopy } from "../backup/copy.ts";
import { countCores, jobsOf, readFolder, requireSpace } from "../backup/facts.ts";
import {
  aboutSet,
  checkAttachments,
  fetchSet,
  fileOfSet,
  restoreInScratch,
  setIn,
  withFolder,
  withScratch,
} from "../backup/set.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change } from "../steps.ts";
import { hasDatabase, readAll, readInstant, whileItRuns } from "./beside.ts";
import { foldersScript, inSet } from "./configuration.ts";
import { findArchive } from "./database-facts.ts";
import { filestoreOf, partsInside, placeOf } from "./facts.ts";
import { namesOfPhases, type Phase, stepsOf } from "./phases.ts";
import { countBack, countsOf } from "./server.ts";
import { type FoundPart, type FoundSet, findSet, getRepository } from "./sets.ts";

/** The way back, practised beside the stack: nothing that serves is touched, and it is known what a disaster would cost. */

const input = z.object({
  what: z.enum(["server", "database"]).describe("What is thought of as lost"),
  repository: z
    .string()
    .default("")
    .describe("Where the set is read from; when empty a copy if there is one, since that is what a disaster leaves"),
});
type Input = z.infer<typeof input>;

interface DrillFacts {
  /** Undefined when an archive leads further. */
  readonly set: FoundSet | undefined;
  readonly archive: { readonly limits: Readonly<Record<string, string>>; readonly databaseBytes: number } | undefined;
  readonly jobs: number;
}

export const drill: Procedure<Input, DrillFacts> = {
  name: "drill",
  chapter: "recovery",
  version: 1,
  risk: "change",
  title: "Recovery drill",
  summary:
    "Recovers beside the stack what is thought of as lost: the server (set, configuration, roles, database, attachments, a login page) or the " +
    "database (from the archive if there is one). Times, sizes and counts are kept as evidence and compared with the objectives.",
  done: { title: "Recovery drill passed" },
  input,
  facts: readDrillFacts,
  plan: planDrill,
};

async function readDrillFacts(reader: FactReader, { what, repository }: Input): Promise<DrillFacts> {
  const { stack } = reader;
  const { workDirectory } = stack.config;
  const jobs = jobsOf(stack.config, await countCores(reader));
  const archive = what === "database" ? await findArchive(reader) : undefined;
  const work = await readFolder(reader, workDirectory);
  if (archive !== undefined) {
    requireSpace("The drill", workDirectory, 2.4 * archive.databaseBytes + 200_000_000, work.freeBytes);
    return { set: undefined, archive, jobs };
  }
  const name = repository === "" ? (stack.copies[0]?.name ?? primary) : repository;
  const set = await findSet(reader, { set: "latest", repository: name });
  requireSpace("The drill", workDirectory, set.setBytes + 1.2 * set.databaseBytes + 150_000_000, work.freeBytes);
  return { set, archive: undefined, jobs };
}

function planDrill(stack: Stack, { what, repository }: Input, facts: DrillFacts): Plan {
  const folder = join(`${stack.config.workDirectory}/drill/`, runId);
  const phases =
    facts.set === undefined ? fromArchive(stack, facts, folder) : fromSet(stack, what, facts.set, facts.jobs, folder);
  const unsound = facts.set === undefined ? "/dev/null" : fileOfSet(folder, "unsound");
  const answers = [suffixed(folder, "/manifest"), suffixed(folder, "/attachments"), unsound] as const;
  const filestore = suffixed(folder, `/odoo/filestore/${copyName}`);
  return {
    procedure: drill.name,
    version: drill.version,
    stack: stack.name,
    title: `Drill: the ${what} of ${stack.name} is lost`,
    input: { what, repository },
    facts: { set: facts.set?.id ?? null },
    lease: "shared",
    notes: notesOf(facts),
    steps: [
      begin(stack, what),
      withFolder(stack, folder, "drill", [...stepsOf(phases), countBack(stack, answers, filestore)]),
      record(stack, what, facts, phases),
    ],
  };
}

function notesOf({ set }: DrillFacts): readonly string[] {
  return [
    set === undefined
      ? "The archive is replayed to its end beside the stack."
      : `Set ${set.id}, taken at ${set.takenAt}, read from ${set.repository}.`,
    "The stack keeps serving and is not touched; a machine that has to be made first, and its name, are not in the time.",
  ];
}

/** First of all: one that fails, or never ends, must show as one that did not pass. */
function begin(stack: Stack, what: string): Act {
  const input = { stack: stack.name, what };
  return change(
    {
      id: "begin",
      title: "Note that a drill has begun",
      action: { kind: "call", name: "recovery.begin_drill", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}

function fromSet(stack: Stack, what: Input["what"], set: FoundSet, jobs: number, folder: Text): readonly Phase[] {
  const repository = getRepository(stack, set.repository);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const restored = { ask: (sql: string) => cluster.query(copyName, sql), set: setIn(folder), answers: folder };
  const sized = { jobs, databaseBytes: set.databaseBytes, source: set.database };
  const configuration = what === "server" ? practiseConfiguration(stack, set, folder) : [];
  const served = what === "server" ? withOwnConfiguration(stack, set, cluster, folder) : cluster;
  const database: readonly Step[] = [
    ...(what === "server" ? [makeRoles(stack, cluster, folder)] : []),
    restoreInScratch(cluster, folder, sized),
    compareManifest(stack, restored),
    compareAttachments(stack, restored),
    compareSequences(stack, restored),
  ];
  const services = serveCopy(stack, served, folder);
  return [
    {
      name: "reading the set",
      steps: [
        ...fetchSet(stack, repository, { backup: set.id, databaseBytes: set.databaseBytes }, folder),
        aboutSet(stack, folder),
        checkAttachments(stack, folder),
      ],
    },
    { name: "configuration and code", steps: configuration },
    // One bracket: the cluster runs while Odoo is served from it.
    { name: "database and services", steps: [withScratch(cluster, [...database, ...services])] },
  ].filter(({ steps }) => steps.length > 0);
}

/** As on a blank machine, below a folder that stands for its root. */
function rootOf(folder: Text): Text {
  return suffixed(folder, "/root");
}

function practiseConfiguration(stack: Stack, set: FoundSet, folder: Text): readonly Step[] {
  const { tools: host } = stack;
  const placing: Placing = { host, ledger: suffixed(folder, "/made"), suffix: ".before" };
  const list = fileOfSet(folder, "configuration/folders");
  const root = rootOf(folder);
  const there = pathExists(host, root, "there is a root");
  const script = `mkdir -p -m 0711 -- "$2" && if [ -e "$1" ]; then set -- "$1" "$2"; ${"\n"}${foldersScript}\nfi`;
  return [
    change(
      {
        id: "folders",
        title: "Make the folders that services need",
        action: command(host, ["sh", "-c", script, "folders", list, root]),
      },
      { verify: [there], timeoutSeconds: 600 },
    ),
    ...partsInside(set).map((part) => practisePart(stack, placing, part, folder)),
    change(
      {
        id: "point",
        title: "Let odoo.conf name the code of the set",
        action: command(host, ["sh", "-c", pointScript, "point", suffixed(root, stack.config.odoo.config), root]),
      },
      { verify: [there] },
    ),
  ];
}

function practisePart(stack: Stack, placing: Placing, part: FoundPart, folder: Text): Act {
  const { tools: host } = stack;
  const target = suffixed(rootOf(folder), placeOf(part));
  const source = fileOfSet(folder, `configuration/${inSet(part)}`);
  const isAtCommit: Probe = {
    title: "it is at that commit",
    action: command(host, ["git", "-c", "safe.directory=*", "-C", target, "rev-parse", "HEAD"]),
    output: { from: "stdout" },
    compare: "eq",
    with: part.commit,
    code: "recovery.not_in_place",
  };
  const isCode = part.state === "commit";
  return change(
    {
      id: `put ${part.part}`,
      title: isCode ? `Fetch the code of ${placeOf(part)}` : `Put ${placeOf(part)} in place`,
      action: isCode ? placeClone(placing, target, part) : placeCopy(placing, source, target),
    },
    { verify: [isCode ? isAtCommit : isSame(host, source, target, "it is as the set has it")], timeoutSeconds: 3600 },
  );
}

/** Folders of addons that came with the set are those that Odoo is tried with. */
const pointScript = `
set -eu
conf=$1 root=$2
paths=$(sed -n 's/^addons_path *= *//p' "$conf")
new=
old_ifs=$IFS
IFS=,
for path in $paths; do
  if [ -d "$root$path" ]; then path=$root$path; fi
  new=\${new:+$new,}$path
done
IFS=$old_ifs
[ -z "$new" ] || NEW=$new awk '/^addons_path *=/ { print "addons_path = " ENVIRON["NEW"]; next } { print }' "$conf" > "$conf.new"
[ ! -e "$conf.new" ] || { chown --reference="$conf" -- "$conf.new"; chmod --reference="$conf" -- "$conf.new"; mv -f -- "$conf.new" "$conf"; }
`;

/** Of two files that Odoo is given, the second counts. */
function withOwnConfiguration(stack: Stack, _set: FoundSet, cluster: ScratchCluster, folder: Text) {
  const file = suffixed(rootOf(folder), stack.config.odoo.config);
  return { ...cluster, odooOptions: ["-c", file, ...cluster.odooOptions] };
}

function makeRoles(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const { user, program } = stack.runtime.postgres;
  const psql = stack.runtime.as(user, [
    program("psql"),
    "-h",
    cluster.socket,
    "-XAtq",
    "-v",
    "ON_ERROR_STOP=1",
    "-d",
    "postgres",
  ]);
  return change(
    {
      id: "roles",
      title: "Make the server's roles, with their rights and passwords",
      action: {
        kind: "command",
        host: stack.tools,
        pipeline: [{ argv: ["cat", "--", fileOfSet(folder, "globals")] }, { argv: psql }],
      },
    },
    { verify: [cluster.isRunning] },
  );
}

function fromArchive(stack: Stack, { archive }: DrillFacts, folder: Text): readonly Phase[] {
  const server = createReplacement(stack.config, stack.runtime, stack.pgbackrest, folder);
  const fetch = change(
    {
      id: "fetch new",
      title: "Fetch a base backup from the archive",
      action: server.fetchNewest({ at: undefined, limits: archive?.limits ?? {} }),
    },
    {
      verify: [pathExists(stack.tools, suffixed(server.data, "/PG_VERSION"), "it is there")],
      timeoutSeconds: 24 * 3600,
    },
  );
  const replay = change(
    { id: "replay", title: "Replay all that there is", action: server.awaitReplay },
    { verify: [server.isReplayed], timeoutSeconds: 24 * 3600 },
  );
  const within: readonly Step[] = [
    replay,
    readInstant(server),
    hasDatabase(stack, server),
    ...readAll(stack, server, folder),
    giveCopy(stack, server),
    linkFiles(stack, folder),
    ...serveCopy(stack, server, folder),
  ];
  return [
    { name: "fetching", steps: [fetch] },
    { name: "replay, proof and services", steps: [whileItRuns(server, within)] },
  ];
}

/** The throw-away server's own database becomes the copy: it is neutralized before any Odoo sees it. */
function giveCopy(stack: Stack, server: Replacement): Act {
  const { database, user } = stack.config.odoo;
  const there: Probe = {
    title: "the copy is there, and Odoo's user may use it",
    action: server.query(
      "postgres",
      "select count(*) from pg_database where datname = :'copy' and has_database_privilege(:'user', datname, 'create');",
      { copy: copyName, user },
    ),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  return change(
    {
      id: "copy",
      title: "Give it the name of a copy",
      action: server.query("postgres", copySql, { source: database, copy: copyName, user }),
    },
    { done: there, verify: [there] },
  );
}

const copySql = `
select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = :'source' and pid <> pg_backend_pid();
select format('alter database %I rename to %I', :'source', :'copy') from pg_database where datname = :'source' \\gexec
select format('create role %I', :'user') where to_regrole(quote_ident(:'user')) is null \\gexec
alter role :"user" login;
select format('grant %I to %I', pg_get_userbyid(datdba), :'user') from pg_database
  where datname = :'copy' and pg_get_userbyid(datdba) <> :'user' \\gexec
`;

function linkFiles(stack: Stack, folder: Text): Act {
  const target = fileOfSet(folder, "filestore");
  return change(
    {
      id: "link files",
      title: "Link the filestore for the copy",
      action: linkTree(stack.tools, filestoreOf(stack), target),
    },
    { verify: [pathExists(stack.tools, target, "the copy's filestore is there")], timeoutSeconds: 6 * 3600 },
  );
}

function record(stack: Stack, what: string, { set, archive }: DrillFacts, phases: readonly Phase[]): Act {
  const { rtoSeconds, rpoSeconds } = stack.config.objectives;
  const input = {
    ...{ stack: stack.name, what, mode: "drill", set: set?.id ?? null },
    takenAt: set === undefined ? output("instant", "last") : set.takenAt,
    databaseBytes: set?.databaseBytes ?? archive?.databaseBytes ?? 0,
    phases: namesOfPhases(phases),
    objectives: { rtoSeconds, rpoSeconds },
    kept: [],
    ...countsOf(),
  };
  return change(
    { id: "record", title: "File the evidence", action: { kind: "call", name: "recovery.record", version: 1, input } },
    { timeoutSeconds: 60 },
  );
}
