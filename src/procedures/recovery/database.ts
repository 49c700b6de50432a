import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Bracket, Plan, Step } from "../../runbook/plan.ts";
import { join, output, runId, suffixed, type Text } from "../../runbook/value.ts";
import { pathExists, pathIsAbsent, removeTree } from "../../stack/files.ts";
import { createReplacement, type Replacement } from "../../stack/replacement.ts";
import type { Stack } from "../../stack/stack.ts";
import { compareAttachments, compareManifest, compareSequences, type Restored } from "../backup/compare.ts";
import { targetOf } from "../backup/restore/side.ts";
import { fetchSet, fileOfSet, setIn, withFolder } from "../backup/set.ts";
import type { Procedure } from "../procedure.ts";
import { boundTo } from "../running.ts";
import { change, pivot, serving, servingPublic, startService, stopService, takeBack } from "../steps.ts";
import { otherDatabases } from "./automation.ts";
import { databaseIsThere, hasDatabase, nameLost, readAll, readInstant, whileItRuns } from "./beside.ts";
import { type DatabaseFacts, readDatabaseFacts } from "./database-facts.ts";
import { exchange } from "./exchange.ts";
import { filestoreOf } from "./facts.ts";
import { namesOfPhases, type Phase, stepsOf } from "./phases.ts";
import { archiveAgain, countBack, countsOf } from "./server.ts";
import { type FoundSet, getRepository, setInput } from "./sets.ts";

/** The database is damaged: the newest state that can be reached is proven beside it, and takes its place. The damaged one is kept. */

const input = z.object({
  set: z.string().optional().describe("A set instead of the archive: its id, or latest"),
  repository: setInput.repository,
  at: z.iso.datetime({ offset: true }).optional().describe("An instant of the archive instead of its end"),
  although: z.boolean().default(false).describe("Although the server answers and has the database"),
});
type Input = z.output<typeof input>;

export const recoverDatabase: Procedure<Input, DatabaseFacts> = {
  name: "recover database",
  chapter: "recovery",
  version: 1,
  risk: "change",
  title: "Recovery of a database",
  summary:
    "For a database server that does not start, or whose pages are damaged: a new one is made beside it, from the archive to its last change " +
    "or from the newest set, every table of it is read and compared, and only then it takes the place. The damaged one is kept as evidence.",
  done: { title: "Database recovered" },
  input,
  facts: (reader, given) => readDatabaseFacts(reader, { ...given, set: given.set, at: given.at }),
  plan: planDatabase,
};

function planDatabase(stack: Stack, given: Input, facts: DatabaseFacts): Plan {
  const folder = join(`${facts.dataDirectory}_new_`, runId);
  const server = createReplacement(stack.config, stack.runtime, stack.pgbackrest, folder);
  const work = workOf(stack);
  const parts =
    facts.set === undefined ? fromArchive(stack, server, given, facts) : fromSet(stack, server, facts, facts.set);
  const around: readonly Phase[] = [
    { name: "evidence", steps: keepEvidence(stack, facts) },
    { name: "users out", steps: stopAll(stack, facts) },
  ];
  const after: readonly Phase[] = [
    { name: "exchange", steps: exchange(stack, server, facts, work) },
    { name: "services", steps: startAll(stack, facts) },
  ];
  const phases = [...around, ...parts, ...after];
  return {
    procedure: recoverDatabase.name,
    version: recoverDatabase.version,
    stack: stack.name,
    title: `Recover the database of ${stack.name} from ${facts.set === undefined ? "the archive" : `set ${facts.set.id}`}`,
    input: {
      repository: given.repository,
      although: given.although,
      ...optional("set", given.set),
      ...optional("at", given.at),
    },
    facts: {
      dataDirectory: facts.dataDirectory,
      set: facts.set?.id ?? null,
      ...boundTo(facts.running),
    },
    lease: "exclusive",
    notes: notesOf(stack, given, facts),
    steps: [
      ...stepsOf(around),
      withFolder(stack, work, "recovery", [
        withNewServer(stack, folder, [...stepsOf(parts), ...stepsOf(after), countRecovered(stack, work, facts)]),
      ]),
      record(stack, facts, phases),
      ...(facts.set !== undefined && isArchived(stack, facts.set) ? [archiveAgain()] : []),
    ],
  };
}

function optional(name: string, value: string | undefined) {
  return value === undefined ? {} : { [name]: value };
}

function isArchived({ pgbackrest }: Stack, { cluster }: FoundSet): boolean {
  return pgbackrest !== undefined && cluster.archiveCommand === pgbackrest.archiveCommand;
}

function notesOf(stack: Stack, { at }: Input, { set, dataDirectory }: DatabaseFacts): readonly string[] {
  return [
    ...(set !== undefined
      ? [`The set was taken at ${set.takenAt}: what was entered since is lost.`, ...otherDatabases(stack, set.id)]
      : [
          at === undefined
            ? "The archive is replayed to its end, and after it what the damaged server still has on its disk."
            : `As it was at ${at}.`,
        ]),
    `The damaged one is kept as ${dataDirectory}_damaged_RUN (RUN being this run's id); see ipai resources.`,
    "Users are told what is lost, with the exact instant.",
  ];
}

function keepEvidence(stack: Stack, { dataDirectory, log }: DatabaseFacts): readonly Step[] {
  const { tools: host, postgres } = stack;
  const folder = evidenceOf(stack);
  const script = [
    "sh",
    "-c",
    evidenceScript,
    "evidence",
    folder,
    dataDirectory,
    log,
    stack.runtime.postgres.program("pg_controldata"),
  ] as const;
  return [
    change(
      {
        id: "evidence",
        title: `Note what ${postgres.user}'s server last said, and what its files look like`,
        action: stack.serverFiles?.told(script) ?? command(host, script),
      },
      {
        verify: [pathExists(host, suffixed(folder, "/files"), "it is noted")],
        onFail: "continue",
        timeoutSeconds: 600,
      },
    ),
  ];
}

function evidenceOf(stack: Stack): Text {
  return join(`${stack.config.workDirectory}/runs/`, runId, "/evidence");
}

const evidenceScript = `
set -eu
mkdir -p -m 0700 -- "$1"
tail -c 5000000 -- "$3" > "$1/server.log" 2>/dev/null || true
"$4" "$2" > "$1/controldata" 2>&1 || true
if [ -d "$2" ]; then find "$2" -printf '%T+ %s %u %m %P\\n' | LC_ALL=C sort -k 5 > "$1/files.partial"; else echo "$2 is gone" > "$1/files.partial"; fi
mv -f -- "$1/files.partial" "$1/files"
`;

/** Taken back, what ran runs again: that it serves, a damaged database may keep it from. */
function stopAll(stack: Stack, { running, isRunning }: DatabaseFacts): readonly Step[] {
  const names = [...(running.proxy === undefined ? [] : [running.proxy]), ...running.odoo];
  const database = stack.config.services.database.name;
  return [...names, ...(isRunning ? [database] : [])].map((name) => {
    const service = stack.runtime.service(name);
    return {
      ...stopService(`stop ${name}`, `Stop ${name}`, service),
      undo: [{ ...startService(`start ${name} again`, `Start ${name} again`, service), onFail: "continue" as const }],
    };
  });
}

/** On the file system of the data, so that it takes their place by a rename. */
function withNewServer(stack: Stack, folder: Text, body: Bracket["body"]): Bracket {
  const { tools: host, postgres } = stack;
  return {
    kind: "bracket",
    id: "new",
    title: "New database server",
    open: [
      change(
        {
          id: "room",
          title: "Make room for a new server",
          action: command(host, ["install", "-d", "-m", "0711", "-o", postgres.user, folder]),
        },
        { verify: [pathExists(host, folder, "the folder is there")] },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "remove room", title: "Remove what is left of making it", action: removeTree(host, folder) },
        { verify: [pathIsAbsent(host, folder, "it is gone")], timeoutSeconds: 1800 },
      ),
    ],
  };
}

function fromArchive(stack: Stack, server: Replacement, { at }: Input, facts: DatabaseFacts): readonly Phase[] {
  const { archive, dataDirectory } = facts;
  const target = at === undefined ? undefined : targetOf(at);
  const fetch = change(
    {
      id: "fetch new",
      title: "Fetch a base backup from the archive",
      action: server.fetchNewest({ at: target, limits: archive?.limits ?? {} }),
    },
    {
      verify: [pathExists(stack.tools, suffixed(server.data, "/PG_VERSION"), "it is there")],
      timeoutSeconds: 24 * 3600,
    },
  );
  const rescue = change(
    {
      id: "rescue",
      title: "Take over what the damaged server has not archived yet",
      action: server.rescue(dataDirectory),
    },
    { verify: [pathExists(stack.tools, suffixed(server.data, "/pg_wal"), "it is there")], timeoutSeconds: 3600 },
  );
  const replay = change(
    {
      id: "replay",
      title: at === undefined ? "Replay all that there is" : `Replay the log until ${target}`,
      action: server.awaitReplay,
    },
    { verify: [server.isReplayed], timeoutSeconds: 24 * 3600 },
  );
  const before = [fetch, ...(at === undefined ? [rescue] : [])];
  const within = [replay, readInstant(server), hasDatabase(stack, server), ...readAll(stack, server, workOf(stack))];
  return [
    { name: "fetching", steps: before },
    { name: "replay and proof", steps: [whileItRuns(server, within)] },
  ];
}

const workOf = (stack: Stack): Text => join(`${stack.config.workDirectory}/recover/`, runId);

function fromSet(stack: Stack, server: Replacement, { jobs }: DatabaseFacts, set: FoundSet): readonly Phase[] {
  const work = workOf(stack);
  const wanted = { backup: set.id, databaseBytes: set.databaseBytes };
  const restored: Restored = { ask: (sql) => server.query(set.database, sql), set: setIn(work), answers: work };
  const make = change(
    { id: "make new", title: "Make a new, empty server", action: server.makeAnew(set.cluster) },
    { verify: [pathExists(stack.tools, suffixed(server.data, "/PG_VERSION"), "it is there")] },
  );
  const { database } = stack.config.odoo;
  const name = change(
    {
      id: "name",
      title: `Call it ${database}`,
      action: server.query("postgres", 'alter database :"was" rename to :"wanted";', {
        was: set.database,
        wanted: database,
      }),
    },
    { verify: [databaseIsThere(stack, server)] },
  );
  const within: readonly Step[] = [
    change(
      {
        id: "roles",
        title: "Make its roles, with their rights and passwords",
        action: server.run(fileOfSet(work, "globals")),
      },
      { verify: [server.isRunning] },
    ),
    change(
      { id: "load", title: "Restore the database into it", action: server.load(fileOfSet(work, "dump"), jobs) },
      { verify: [server.isRunning], timeoutSeconds: 24 * 3600 },
    ),
    compareManifest(stack, restored),
    compareAttachments(stack, restored),
    compareSequences(stack, restored),
    ...(set.database === database ? [] : [name]),
  ];
  return [
    { name: "reading the set", steps: [...fetchSet(stack, getRepository(stack, set.repository), wanted, work)] },
    { name: "restore and proof", steps: [make, whileItRuns(server, within), ...bringFiles(stack, work)] },
  ];
}

/** Files that Odoo has removed since, the older database names again. Those that are there stay. */
function bringFiles(stack: Stack, folder: Text): readonly Step[] {
  const source = fileOfSet(folder, "filestore");
  const script = 'mkdir -p -- "$2" && cp -an -- "$1/." "$2/" && chown "$3:" -- "$2"';
  const action = command(stack.tools, [
    "sh",
    "-c",
    script,
    "bring",
    source,
    filestoreOf(stack),
    stack.config.odoo.user,
  ]);
  return [
    change(
      { id: "bring files", title: "Bring attachments of the set that are not there any more", action },
      { verify: [pathExists(stack.tools, filestoreOf(stack), "the filestore is there")], timeoutSeconds: 6 * 3600 },
    ),
    nameLost(stack, folder),
  ];
}

function startAll(stack: Stack, { running }: DatabaseFacts): readonly Step[] {
  const { odoo, database } = stack.config.services;
  const start = (name: string): Act => {
    const service = stack.runtime.service(name);
    return {
      ...startService(`start ${name}`, `Start ${name}`, service),
      undo: [stopService(`stop ${name} again`, `Stop ${name}`, service)],
    };
  };
  const started = odoo.filter(({ name }) => running.odoo.includes(name));
  return [
    start(database.name),
    ...running.odoo.map(start),
    ...started.map((service) => serving(stack, service.name, stack.odoo.addressOf(service))),
    pivot,
    ...(running.proxy === undefined ? [] : [start(running.proxy)]),
    ...(running.proxy === undefined || started.length === 0 ? [] : servingPublic(stack, running)),
  ];
}

function countRecovered(stack: Stack, work: Text, { set }: DatabaseFacts): Act {
  const unsound = set === undefined ? "/dev/null" : fileOfSet(work, "unsound");
  return countBack(stack, [suffixed(work, "/manifest"), suffixed(work, "/attachments"), unsound], filestoreOf(stack));
}

function record(stack: Stack, facts: DatabaseFacts, phases: readonly Phase[]): Act {
  const { rtoSeconds, rpoSeconds } = stack.config.objectives;
  const { set, archive, dataDirectory } = facts;
  const input = {
    ...{ stack: stack.name, what: "database", mode: "real", set: set?.id ?? null },
    takenAt: set === undefined ? output("instant", "last") : set.takenAt,
    databaseBytes: set?.databaseBytes ?? archive?.databaseBytes ?? 0,
    phases: namesOfPhases(phases),
    objectives: { rtoSeconds, rpoSeconds },
    kept: [`${dataDirectory}_damaged_RUN`, `${stack.config.workDirectory}/runs/RUN/evidence`],
    ...countsOf(),
  };
  return change(
    {
      id: "record",
      title: "Record what it took, and tell people what is lost",
      action: { kind: "call", name: "recovery.record", version: 1, input },
    },
    { timeoutSeconds: 60 },
  );
}
