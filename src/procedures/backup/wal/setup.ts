import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Act, Plan, Step } from "../../../runbook/plan.ts";
import type { PgBackRest } from "../../../stack/pgbackrest.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import { boundTo } from "../../running.ts";
import { change, read } from "../../steps.ts";
import { isArchiving, readSetupFacts, requirePgBackRest, type SetupFacts } from "./facts.ts";
import {
  baseBackup,
  changeSettings,
  fileGoes,
  folderFor,
  putFile,
  segmentArrives,
  settingIs,
  whileServerMayRestart,
} from "./steps.ts";

const input = z.object({
  replaces: z
    .boolean()
    .default(false)
    .describe("The repository has the archive of a server that this one replaces: it is kept, and goes on beside"),
});
type Input = z.infer<typeof input>;

export const walSetup: Procedure<Input, SetupFacts> = {
  name: "wal setup",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Continuous archiving",
  summary:
    "Lets the database server archive every change with pgBackRest, proves that a segment arrives in the repository, and makes the " +
    "first full base backup. From then on any instant can be restored. The server is restarted once.",
  input,
  facts: readSetupFacts,
  plan: planSetup,
};

function planSetup(stack: Stack, { replaces }: Input, facts: SetupFacts): Plan {
  const pgbackrest = requirePgBackRest(stack);
  const { settings } = pgbackrest;
  const isNew = facts.before.configuration === undefined;
  return {
    procedure: walSetup.name,
    version: walSetup.version,
    stack: stack.name,
    title: `Archive every change of the database server in ${settings.repository}`,
    input: { replaces },
    facts: {
      archiveMode: facts.server.archiveMode,
      archiveCommand: facts.server.archiveCommand,
      ...runningFact(facts),
    },
    lease: "exclusive",
    notes: notesOf(facts, pgbackrest),
    steps: [
      ...(pgbackrest.repository.isFolder ? [makeRepository(stack, pgbackrest, facts)] : []),
      {
        ...folderFor(stack, "folder", "Make the folder of the archive's configuration", pgbackrest.folder),
        undo: isNew ? [fileGoes(stack, "remove folder", "Remove the folder", pgbackrest.folder)] : "nothing",
      },
      writeConfiguration(stack, pgbackrest, facts),
      keepPassword(stack, pgbackrest),
      makeKnown(pgbackrest, replaces && facts.hasStanza),
      ...beginArchiving(stack, pgbackrest, facts),
      baseBackup(pgbackrest, "full", facts.server),
    ],
  };
}

/** `stanza-upgrade` takes another server under the same name, and keeps all that there is of the one before. */
function makeKnown(pgbackrest: PgBackRest, isUpgrade: boolean): Act {
  const action = isUpgrade ? pgbackrest.upgradeStanza() : pgbackrest.createStanza();
  const title = isUpgrade
    ? "Make the new server known to the repository, beside the old one"
    : "Make the server known to the repository";
  return change({ id: "stanza", title, action }, { verify: [pgbackrest.hasStanza()], timeoutSeconds: 120 });
}

function runningFact({ running }: SetupFacts) {
  return boundTo(running);
}

function notesOf({ server, hasStanza, running }: SetupFacts, pgbackrest: PgBackRest): readonly string[] {
  const away = [...running.odoo, ...(running.proxy === undefined ? [] : [running.proxy])];
  return [
    ...(isArchiving(server, pgbackrest)
      ? ["The server archives already: it is not restarted."]
      : [
          "archive_mode only changes with a restart of the database server.",
          ...(away.length === 0 ? [] : [`Stopped meanwhile, for some seconds: ${away.join(", ")}.`]),
        ]),
    ...(hasStanza ? ["The repository has an archive of this name already; it goes on if it is this server's."] : []),
    "The repository is encrypted. Keep its password elsewhere too: without it nothing can be restored.",
  ];
}

function makeRepository(stack: Stack, { settings }: PgBackRest, { isFolderThere }: SetupFacts): Act {
  const folder = folderFor(stack, "repository", "Make the folder of the repository", settings.repository);
  return {
    ...folder,
    undo: isFolderThere
      ? "nothing"
      : [fileGoes(stack, "remove repository", "Remove the repository", settings.repository)],
  };
}

function writeConfiguration(stack: Stack, pgbackrest: PgBackRest, { server, before }: SetupFacts): Act {
  const path = pgbackrest.configurationFile;
  const text = pgbackrest.configuration(server.dataDirectory);
  const put = putFile(stack, { id: "configuration", title: "Write pgBackRest's configuration", path, text });
  const old = {
    id: "configuration back",
    title: "Put pgBackRest's configuration back",
    path,
    text: before.configuration,
  };
  return { ...put, undo: [putFile(stack, old)] };
}

/** The server archives without ipai, so the password, and the keys of a bucket, must lie where its user, and nobody else, can read it. */
function keepPassword(stack: Stack, pgbackrest: PgBackRest): Act {
  const { tools: host, postgres } = stack;
  return change(
    { id: "password", title: "Give the server the repository's password", action: pgbackrest.keepPassword() },
    {
      verify: [
        {
          title: "only the server's user may read it",
          action: command(host, ["stat", "--format=%a %U", "--", pgbackrest.passwordFile]),
          output: { from: "stdout" },
          compare: "eq",
          with: `600 ${postgres.user}`,
        },
      ],
    },
  );
}

function beginArchiving(stack: Stack, pgbackrest: PgBackRest, facts: SetupFacts): readonly Step[] {
  const { server, before, running } = facts;
  const wanted = pgbackrest.serverSettings(server.walLevel !== "minimal");
  const archives = settingIs(
    stack,
    "the server archives with this command",
    "select current_setting('archive_mode') || ' ' || current_setting('archive_command');",
    `on ${pgbackrest.archiveCommand}`,
  );
  const proof = [
    read(
      { id: "archives", title: "The server archives", action: archives.action, outputs: {} },
      { verify: [archives], attempts: 3 },
    ),
    read(
      { id: "check", title: "pgBackRest's own check", action: pgbackrest.check(server.dataDirectory), outputs: {} },
      { timeoutSeconds: 3 * pgbackrest.settings.patience },
    ),
    ...segmentArrives(stack, pgbackrest),
  ];
  if (isArchiving(server, pgbackrest) && before.settings === wanted.trimEnd()) return proof;
  return whileServerMayRestart(stack, running, [
    ...changeSettings(stack, pgbackrest, { wanted, before: before.settings }),
    ...proof,
  ]);
}
