import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { join, output, prefixed, runId, type Text } from "../../../runbook/value.ts";
import { pathExists, pathIsAbsent, readText } from "../../../stack/files.ts";
import type { BackupType, PgBackRest } from "../../../stack/pgbackrest.ts";
import type { Service } from "../../../stack/runtime/runtime.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Running } from "../../running.ts";
import { change, startService, stopService, takeBack, waitFor, whileClosed, whileOdooStopped } from "../../steps.ts";

/** What setting up and removing the archive share: files that can be put back as they were, and one restart of the server. */

/** A file of the host as it shall be: its text, or no such file. */
interface Wanted {
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly text: string | undefined;
}

export function putFile(stack: Stack, { id, title, path, text }: Wanted): Act {
  const { tools: host } = stack;
  if (text === undefined) {
    const gone = pathIsAbsent(host, path, `${path} is gone`);
    return change({ id, title, action: command(host, ["rm", "-f", "--", path]) }, { done: gone, verify: [gone] });
  }
  const there: Probe = {
    title: `${path} is as it shall be`,
    action: readText(host, path),
    output: { from: "stdout" },
    compare: "eq",
    with: text.trimEnd(),
  };
  const action = { kind: "write", host, path, content: `${text.trimEnd()}\n`, mode: "0644" } as const;
  return change({ id, title, action }, { done: there, verify: [there] });
}

/** The server's settings, and the restart that makes them true. Taken back, the server is restarted once more, as it was. */
export function changeSettings(
  stack: Stack,
  pgbackrest: PgBackRest,
  { wanted, before }: { wanted: string | undefined; before: string | undefined },
): readonly Step[] {
  const file = { path: pgbackrest.serverFile };
  const service = stack.runtime.service(stack.config.services.database.name);
  const put = putFile(stack, { ...file, id: "settings", title: "Write the server's settings", text: wanted });
  const back = putFile(stack, { ...file, id: "settings back", title: "Put the settings back", text: before });
  return [
    {
      ...put,
      verify: [...put.verify, ...(wanted === undefined ? [] : [settingsWin(stack, pgbackrest)])],
      undo: [
        takeBack(back, { verify: back.verify, ...(back.done === undefined ? {} : { done: back.done }) }),
        stopService("stop server again", "Stop the database server", service),
        startServer(stack, "start server again", "Start the database server", service),
      ],
    },
    stopService("stop server", "Stop the database server", service),
    startServer(stack, "start server", "Start the database server with its settings", service),
  ];
}

/** A container that runs says nothing yet of the server in it. */
function startServer(stack: Stack, id: string, title: string, service: Service): Act {
  const start = startService(id, title, service);
  const answers: Probe = {
    title: "it answers",
    action: stack.postgres.query("postgres", "select 1;"),
    output: { from: "stdout" },
    compare: "eq",
    with: "1",
    code: "postgres.unreachable",
  };
  return { ...start, verify: [...start.verify, answers], attempts: 10 };
}

/** A file that is not read, or that a later one contradicts, would only be noticed after the restart. */
function settingsWin(stack: Stack, pgbackrest: PgBackRest): Probe {
  const sql = `
select coalesce(string_agg(format('%s is set by %s%s', name, sourcefile, ' ' || error), '; '), 'none of it is read')
  from (select distinct on (name) name, sourcefile, error from pg_file_settings
    where name in ('archive_mode', 'archive_command') order by name, seqno desc) last
  having count(*) < 2 or bool_or(sourcefile <> :'file');
`;
  return {
    title: "the server reads these settings, and nothing contradicts them",
    action: stack.postgres.query("postgres", sql, { file: pgbackrest.serverFile }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "wal.settings_unread",
  };
}

/** Users, Odoo and its schedulers are away while the server is restarted: a scheduler does not come back by itself. */
export function whileServerMayRestart(stack: Stack, running: Running, body: readonly Step[]): readonly Step[] {
  return whileClosed(stack, running, whileOdooStopped(stack, running.odoo, body));
}

export function settingIs(stack: Stack, title: string, sql: string, expected: string): Probe {
  return {
    title,
    action: stack.postgres.query("postgres", sql),
    output: { from: "stdout" },
    compare: "eq",
    with: expected,
    code: "wal.settings_not_taken",
  };
}

/**
 * A transaction ends, so that there is one after whatever instant is meant: replay stops at the first one that is later, and calls
 * it an error when there is none. Its segment is finished, and looked for in the repository itself: what a program says of its own work is not enough.
 */
export function segmentArrives(stack: Stack, pgbackrest: PgBackRest): readonly Step[] {
  const sql = `
select pg_current_xact_id() \\gset
select pg_walfile_name(pg_create_restore_point(:'name')) as segment \\gset
select pg_switch_wal() as lsn \\gset
select json_build_object('segment', :'segment', 'lsn', :'lsn');
`;
  return [
    change(
      {
        id: "segment",
        title: "Finish a segment of the write-ahead log",
        action: stack.postgres.query("postgres", sql, { name: join("ipai ", runId) }),
      },
      {
        outputs: {
          name: { from: "stdout", as: "json", pick: ["segment"] },
          lsn: { from: "stdout", as: "json", pick: ["lsn"] },
        },
        verify: [
          {
            title: "the server has begun the next one",
            action: stack.postgres.query("postgres", "select pg_current_wal_insert_lsn() >= :'lsn'::pg_lsn;", {
              lsn: output("segment", "lsn"),
            }),
            output: { from: "stdout" },
            compare: "eq",
            with: "t",
          },
        ],
      },
    ),
    waitFor({
      id: "arrival",
      title: "Wait until it is in the repository",
      probe: pgbackrest.holds(output("segment", "name")),
      timeoutSeconds: pgbackrest.settings.patience,
    }),
  ];
}

export function baseBackup(
  pgbackrest: PgBackRest,
  type: BackupType,
  server: { readonly databaseBytes: number; readonly segmentBytes: number },
): Act {
  const isListed: Probe = {
    title: "the repository lists this run's backup",
    action: pgbackrest.info(),
    output: { from: "stdout" },
    compare: "has",
    with: prefixed('"ipai-run":"', join(runId, '"')),
    code: "wal.backup_failed",
  };
  return change(
    {
      id: "base backup",
      title: `Make a base backup (${words[type]})`,
      action: pgbackrest.backup(type, prefixed("--annotation=ipai-run=", runId)),
    },
    {
      done: isListed,
      verify: [isListed, isWithoutGaps(pgbackrest, server.segmentBytes)],
      timeoutSeconds: 24 * 3600,
      forecastSeconds: 4 + Math.ceil(type === "full" ? server.databaseBytes / backupBytesPerSecond : 0),
      onFail: "ask",
    },
  );
}

const words: Readonly<Record<BackupType, string>> = { full: "full", diff: "differential", incr: "incremental" };

/** Measured on the test machine; only used to say how long it will take. */
const backupBytesPerSecond = 20_000_000;

export function isWithoutGaps(pgbackrest: PgBackRest, segmentBytes: number): Probe {
  return {
    title: "every segment from the oldest backup on is there",
    action: pgbackrest.gaps(segmentBytes),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "wal.gap",
  };
}

export function fileGoes(stack: Stack, id: string, title: string, path: Text): Act {
  const { tools: host } = stack;
  const gone = pathIsAbsent(host, path, "it is gone");
  return takeBack(
    { id, title, action: command(host, ["rm", "-rf", "--one-file-system", "--", path]) },
    { done: gone, verify: [gone] },
  );
}

export function folderFor(stack: Stack, id: string, title: string, path: string): Act {
  const { tools: host, postgres } = stack;
  return change(
    {
      id,
      title,
      action: command(host, ["install", "-d", "-m", "0750", "-o", postgres.user, "-g", postgres.user, path]),
    },
    { verify: [pathExists(host, path, "the folder is there")] },
  );
}
