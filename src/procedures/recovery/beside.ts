import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket, Step } from "../../runbook/plan.ts";
import { suffixed, type Text } from "../../runbook/value.ts";
import { pathExists } from "../../stack/files.ts";
import type { Replacement } from "../../stack/replacement.ts";
import type { Stack } from "../../stack/stack.ts";
import { kept } from "../backup/backup.ts";
import { attachmentsSql, manifestSql } from "../backup/manifest.ts";
import { change, read, require, startService, stopService } from "../steps.ts";
import { filestoreOf } from "./facts.ts";

/** A server that runs beside the stack's own: what it has is read and judged before it counts for anything. */

export function whileItRuns(server: Replacement, body: Bracket["body"]): Bracket {
  const service = { ...server, stopSeconds: 60 };
  return {
    kind: "bracket",
    id: "beside",
    title: "The new server runs beside",
    open: [
      { ...startService("start new", "Start the new server beside", service), attempts: 1, timeoutSeconds: 24 * 3600 },
    ],
    body: [
      ...body,
      change(
        { id: "finish", title: "Stop it cleanly", action: server.stopCleanly },
        { done: server.isStopped, verify: [server.isStopped], timeoutSeconds: 3700 },
      ),
    ],
    close: [stopService("stop new", "Stop the new server", service)],
  };
}

/** Of the last transaction that is in it. */
export function readInstant(server: Replacement): Act {
  const sql =
    "select to_char(coalesce(pg_last_xact_replay_timestamp(), (pg_control_checkpoint()).checkpoint_time) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"');";
  return read({
    id: "instant",
    title: "Note the last transaction that it has",
    action: server.query("postgres", sql),
    outputs: { last: { from: "stdout" } },
  });
}

export function hasDatabase(stack: Stack, server: Replacement): Act {
  const { database } = stack.config.odoo;
  return require({ id: "has database", title: `${database} is in it`, probe: databaseIsThere(stack, server) });
}

export function databaseIsThere(stack: Stack, server: Replacement): Probe {
  const { database } = stack.config.odoo;
  return {
    title: `${database} is in it`,
    action: server.query("postgres", "select count(*) from pg_database where datname = :'name';", { name: database }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
    code: "recovery.database_absent",
  };
}

/** Every row of every table is read: a page that came back wrong is met here, and not by a user. */
export function readAll(stack: Stack, server: Replacement, folder: Text): readonly Step[] {
  const { database } = stack.config.odoo;
  const isOdoo: Probe = {
    title: "it is an Odoo database",
    action: server.query(database, "select count(*) from ir_module_module where state = 'installed';"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "recovery.database_absent",
  };
  const ask = (id: string, title: string, sql: string): Act =>
    change(
      { id, title, action: kept(server.query(database, sql), suffixed(folder, `/${id}`)) },
      {
        verify: [pathExists(stack.tools, suffixed(folder, `/${id}`), "the answer is there"), isOdoo],
        timeoutSeconds: 6 * 3600,
      },
    );
  return [
    ask("manifest", "Read every table of it", manifestSql),
    ask("attachments", "List the attachments that it names", attachmentsSql),
    nameLost(stack, folder),
  ];
}

/** The filestore is not the database's: it is as it was. A finding, not a failure. */
export function nameLost(stack: Stack, folder: Text): Act {
  const script =
    'cd -- "$1" && cut -c 43- -- "$2" | while IFS= read -r name; do [ -e "$name" ] || printf "%s\\n" "$name"; done';
  return require({
    id: "lost files",
    title: "Every attachment that it names has its file",
    probe: {
      title: "every attachment that it names has its file",
      action: command(stack.tools, ["sh", "-c", script, "lost", filestoreOf(stack), suffixed(folder, "/attachments")]),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
      code: "recovery.files_lost",
    },
  }, { onFail: "continue", timeoutSeconds: 3600 });
}
