import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Step } from "../../runbook/plan.ts";
import { suffixed, type Text } from "../../runbook/value.ts";
import { autoSettings, makeCluster } from "../../stack/cluster.ts";
import { clusterPart } from "../../stack/configuration.ts";
import { pathExists } from "../../stack/files.ts";
import type { Containers } from "../../stack/ground.ts";
import { placeTree } from "../../stack/placing.ts";
import { explained } from "../../stack/restic.ts";
import type { Stack } from "../../stack/stack.ts";
import { kept } from "../backup/backup.ts";
import { compareAttachments, compareManifest, compareSequences, type Restored } from "../backup/compare.ts";
import { globalsSql } from "../backup/manifest.ts";
import { checkAttachments, fetchSet, fileOfSet, setIn } from "../backup/set.ts";
import { change, pivot, serving, startService, stopService, waitFor } from "../steps.ts";
import { putAutomation } from "./automation.ts";
import { asking, awayStep, inSet, placingOf, putConfiguration } from "./configuration.ts";
import { filestoreOf, type HostFacts } from "./facts.ts";
import type { Phase } from "./phases.ts";
import { type FoundSet, getGroundRepository } from "./sets.ts";

/** A blank machine becomes one that serves: from a set, in the order in which a person would do it. */

/** In the folder of the run: the set is below it. */
export function hostPhases(stack: Stack, facts: HostFacts, folder: Text): readonly Phase[] {
  const { set } = facts;
  const isBare = stack.ground.containers === undefined;
  return [
    { name: "reading the set", steps: readSet(stack, set, folder) },
    ...(isBare ? [{ name: "configuration and code", steps: putConfiguration(stack, facts, folder) }] : []),
    { name: "database", steps: putDatabase(stack, facts, folder) },
    { name: "attachments", steps: putFilestore(stack, folder) },
    { name: "services", steps: startAll(stack) },
  ];
}

export function stopAll(stack: Stack, { running }: Pick<HostFacts, "running">): readonly Step[] {
  return running.map((name) => stopService(`stop ${name}`, `Stop ${name}`, stack.runtime.service(name)));
}

function readSet(stack: Stack, { id, repository, databaseBytes }: FoundSet, folder: Text): readonly Step[] {
  const wanted = { backup: id, databaseBytes };
  const check = checkAttachments(stack, folder);
  const found = getGroundRepository(stack, repository);
  const { containers } = stack.ground;
  const fetch = containers?.carry(found, id, setIn(folder));
  return [...fetchSet(stack, found, wanted, folder, fetch), { ...check, ...asking }];
}

/** Measured on the test machine; only used to say how long it will take. */
const restoreBytesPerSecond = 15_000_000;

function putDatabase(stack: Stack, facts: HostFacts, folder: Text): readonly Step[] {
  const { set } = facts;
  const { config, postgres, runtime } = stack;
  const restored: Restored = {
    ask: (sql) => postgres.query(config.odoo.database, sql),
    set: setIn(folder),
    answers: folder,
  };
  const service = runtime.service(config.services.database.name);
  return [
    ...(stack.ground.containers === undefined
      ? [makeServer(stack, set)]
      : settleServer(stack, stack.ground.containers, set, folder)),
    {
      ...startService("start database", "Start the database server", service),
      ...asking,
      undo: [stopService("stop database again", "Stop the database server", service)],
    },
    waitFor(
      { id: "answers", title: "Wait until it answers", probe: answers(stack), timeoutSeconds: 120 },
      { onTimeout: "ask" },
    ),
    makeRoles(stack, folder),
    compareRoles(stack, folder),
    restoreDump(stack, facts, folder),
    ...nameDatabase(stack, set),
    ...[compareManifest, compareAttachments, compareSequences].map((compare) => ({
      ...compare(stack, restored),
      ...asking,
    })),
    ...putAutomation(stack, folder, facts.jobs),
  ];
}

function makeServer(stack: Stack, { cluster }: FoundSet): Act {
  const { tools: host, runtime, config } = stack;
  const data = cluster.dataDirectory;
  const made = pathExists(host, `${data}/PG_VERSION`, "the data folder is there");
  const { superuser } = config.services.database;
  return change(
    {
      id: "cluster",
      title: `Make the database server's data folder ${data}`,
      action: makeCluster(placingOf(stack), runtime, { data, superuser, shape: cluster }),
    },
    { ...asking, verify: [made], undo: [awayStep(placingOf(stack), data)] },
  );
}

/** A project's own file has made it, with the configuration that its image begins with. */
function settleServer(
  stack: Stack,
  containers: Containers,
  { cluster, parts }: FoundSet,
  folder: Text,
): readonly Act[] {
  const service = stack.runtime.service(stack.config.services.database.name);
  const settings = autoSettings({ settings: { ...cluster.settings, ...keepsQuiet(stack, cluster) } });
  const data = cluster.dataDirectory;
  const part = parts.find((one) => one.part === clusterPart && one.state === "taken");
  const from = part === undefined ? undefined : fileOfSet(folder, `configuration/${inSet(part)}`);
  return [
    ...(from === undefined
      ? []
      : [
          change(
            {
              id: "configure",
              title: "Give the database server the configuration that the old one had",
              action: containers.configure(data, from),
            },
            { ...asking, verify: [containers.isConfigured(data, from)] },
          ),
        ]),
    change(
      {
        id: "settings",
        title: "Give it what was set in the old one itself",
        action: containers.settle(data, settings),
      },
      {
        ...asking,
        verify: [
          {
            title: "they are set",
            action: containers.settings(data),
            output: { from: "stdout" },
            compare: settings === "" ? "absent" : "eq",
            with: settings.trim(),
            code: "recovery.not_in_place",
          },
        ],
      },
    ),
    { ...stopService("stop database", "Stop it, so that it begins with them", service), ...asking },
  ];
}

/** It has the old one's name and other data: an archive that is not ours might be written over. */
function keepsQuiet({ pgbackrest }: Stack, { archiveMode, archiveCommand }: FoundSet["cluster"]) {
  const isOurs = pgbackrest !== undefined && archiveCommand === pgbackrest.archiveCommand;
  return isOurs || archiveMode === "off" ? {} : { archive_mode: "off" };
}

function answers({ postgres }: Stack): Probe {
  return {
    title: "the database server answers",
    action: postgres.query("postgres", "select 1;"),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
}

/** With the rights and passwords that they had. */
function makeRoles(stack: Stack, folder: Text): Act {
  const { postgres, tools } = stack;
  // The file stays root's: there are passwords in it.
  const read = { argv: ["cat", "--", fileOfSet(folder, "globals")] as const };
  const client = { argv: postgres.client("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres") };
  return change(
    {
      id: "roles",
      title: "Make the server's roles, with their rights and passwords",
      action: { kind: "command", host: tools, pipeline: [read, client] },
    },
    { ...asking, verify: [answers(stack)] },
  );
}

/** What it says of its roles now is what the other one said of its own. */
function compareRoles({ postgres, tools }: Stack, folder: Text): Act {
  const [was, came] = [fileOfSet(folder, "globals"), suffixed(folder, "/globals")];
  return change(
    { id: "compare roles", title: "Compare the roles", action: kept(postgres.query("postgres", globalsSql), came) },
    {
      ...asking,
      verify: [
        {
          title: "every role has the rights and the password that it had",
          action: command(tools, ["sh", "-c", rolesDifferScript, "differ", was, came], { okExitCodes: [0, 1] }),
          output: { from: "stdout", as: "number" },
          compare: "eq",
          with: 0,
          code: "recovery.not_in_place",
        },
      ],
    },
  );
}

/** How many lines differ. Which, nobody prints: there are passwords in them. */
const rolesDifferScript = 'diff -- "$1" "$2" | grep -c "^[<>]" || true';

/** On a server that has nothing else; what a killed attempt left of it is dropped. */
function restoreDump(stack: Stack, { set, jobs }: HostFacts, folder: Text): Act {
  const { postgres, tools } = stack;
  const dump = fileOfSet(folder, "dump");
  const words = postgres.client(
    "pg_restore",
    ...["--create", "--clean", "--if-exists", "--exit-on-error", "--no-tablespaces", "--no-subscriptions"],
    ...[`--jobs=${jobs}`, "--dbname=postgres", "--verbose", dump],
  );
  const isOdoo: Probe = {
    title: "it is an Odoo database",
    action: postgres.query(set.database, "select count(*) from ir_module_module where state = 'installed';"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "backup.dump_damaged",
  };
  return change(
    {
      id: "restore",
      title: "Restore the database",
      action: explained(command(tools, words, { exitCodes: { 1: "backup.dump_damaged", 28: "backup.disk_full" } })),
    },
    {
      ...asking,
      verify: [isOdoo],
      timeoutSeconds: 24 * 3600,
      forecastSeconds: 2 + Math.ceil(set.databaseBytes / restoreBytesPerSecond),
    },
  );
}

/** The dump makes it under the name that it had. */
function nameDatabase({ postgres, config }: Stack, { database }: FoundSet): readonly Act[] {
  const wanted = config.odoo.database;
  if (database === wanted) return [];
  return [
    change(
      {
        id: "name",
        title: `Call it ${wanted}`,
        action: postgres.query("postgres", 'alter database :"was" rename to :"wanted";', { was: database, wanted }),
      },
      { ...asking, done: postgres.databaseExists(wanted), verify: [postgres.databaseExists(wanted)] },
    ),
  ];
}

function putFilestore(stack: Stack, folder: Text): readonly Step[] {
  const { tools: host, config } = stack;
  const target = filestoreOf(stack);
  const lost = command(host, [
    "sh",
    "-c",
    lostScript,
    "lost",
    target,
    fileOfSet(folder, "attachments"),
    fileOfSet(folder, "unsound"),
  ]);
  return [
    change(
      {
        id: "filestore",
        title: `Put the attachments in ${target}`,
        action: placeTree(placingOf(stack), fileOfSet(folder, "filestore"), target, config.odoo.user),
      },
      {
        ...asking,
        verify: [
          {
            title: "every attachment of the set is there",
            action: lost,
            output: { from: "stdout" },
            compare: "absent",
            with: "",
            code: "backup.attachments_damaged",
          },
        ],
        undo: [awayStep(placingOf(stack), target)],
        timeoutSeconds: 6 * 3600,
      },
    ),
  ];
}

/** Their content was checked in the set; here, that all of them came. What was unsound when the set was made is not missed. */
const lostScript = `
cd -- "$1" && cut -c 43- -- "$2" | grep -vxF -f "$3" | while IFS= read -r name; do [ -s "$name" ] || [ -e "$name" ] || printf '%s\\n' "$name"; done
`;

function startAll(stack: Stack): readonly Step[] {
  const { cache, odoo, proxy, automation } = stack.config.services;
  const start = (name: string): Act => {
    const service = stack.runtime.service(name);
    return {
      ...startService(`start ${name}`, `Start ${name}`, service),
      ...asking,
      undo: [stopService(`stop ${name} again`, `Stop ${name}`, service)],
    };
  };
  return [
    ...(cache === undefined ? [] : [start(cache.name)]),
    ...odoo.map(({ name }) => start(name)),
    ...odoo.map((service) => ({
      ...serving(stack, service.name, stack.odoo.addressOf(service)),
      onTimeout: "ask" as const,
    })),
    pivot,
    ...(proxy === undefined ? [] : [start(proxy.name)]),
    ...(automation?.name === undefined ? [] : [start(automation.name)]),
  ];
}
