import { command, type Probe, type SqlAction } from "../../runbook/action.ts";
import type { Act, Bracket, Step } from "../../runbook/plan.ts";
import { join, output, prefixed, runId, suffixed, type Text } from "../../runbook/value.ts";
import { makeDirectory, pathExists } from "../../stack/files.ts";
import { isolateSql, leaksSql } from "../../stack/odoo/isolate.ts";
import { explained } from "../../stack/restic.ts";
import type { DaemonSpec } from "../../stack/runtime/runtime.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, read, serving, startService, stopService } from "../steps.ts";
import { withFullDisk } from "./working-folder.ts";

/** An Odoo on a restored copy: kept from mail, from scheduled work and from the world before it is started. */

/** The server that holds the copy. */
export interface CopyCluster {
  query(database: Text, text: string): SqlAction;
  /** As Odoo's user. */
  queryAsOdoo(database: Text, text: string, values?: Readonly<Record<string, Text>>): SqlAction;
  /** Connection options for Odoo's command line; with none, it takes those of its own configuration. */
  readonly odooOptions: readonly Text[];
}

/** Not the name that it had: whatever is meant for the copy finds no other database should it be misled to the stack's own server. */
export const copyName = "copy";

/** What else is done with the copy: before its Odoo starts, and while that serves. */
interface Further {
  readonly before: readonly Step[];
  readonly inside: readonly Step[];
}

const nothing: Further = { before: [], inside: [] };

/** Silences the copy, then serves a login page from it; everything of it lies in `folder`. */
export function serveCopy(stack: Stack, cluster: CopyCluster, folder: Text, further = nothing): readonly Step[] {
  return [...silence(stack, cluster, copyName), ...serveSilenced(stack, cluster, folder, further)];
}

/** One that is silenced already. */
export function serveSilenced(
  stack: Stack,
  cluster: CopyCluster,
  folder: Text,
  { before, inside }: Further = nothing,
): readonly Step[] {
  const address = { from: stack.odoo.place, url: join("http://127.0.0.1:", output("port", "number")) };
  return [
    moveFilestore(stack, folder),
    ...before,
    findPort(stack),
    makeLogFolder(stack),
    withOdoo(stack, cluster, folder, [serving(stack, "the copy", address, "backup.copy_not_serving"), ...inside]),
  ];
}

export function moveFilestore(stack: Stack, folder: Text): Act {
  const { user } = stack.config.odoo;
  const data = suffixed(folder, "/odoo");
  const script =
    'umask 027; if [ ! -d "$1/filestore/$3" ]; then mkdir -p "$1/filestore" && mv -T "$2" "$1/filestore/$3"; fi && chown -R "$4:" "$1"';
  return change(
    {
      id: "filestore",
      title: "Give the filestore to the copy's Odoo",
      action: command(stack.tools, [
        "sh",
        "-c",
        script,
        "move",
        data,
        suffixed(folder, "/set/filestore"),
        copyName,
        user,
      ]),
    },
    {
      verify: [pathExists(stack.tools, suffixed(folder, `/odoo/filestore/${copyName}`), "the copy has its filestore")],
    },
  );
}

/** Before any Odoo is started on it: a copy of production never mails, never runs crons, never calls out. */
export function neutralize(
  stack: Stack,
  cluster: Pick<CopyCluster, "query" | "odooOptions">,
  database: Text,
  action = stack.odoo.neutralize(cluster.odooOptions, database),
): Act {
  const isNeutralized: Probe = {
    title: "the copy is neutralized",
    action: cluster.query(
      database,
      "select count(*) from ir_config_parameter where key = 'database.is_neutralized' and value = 'true';\n",
    ),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  return change(
    { id: "neutralize", title: "Neutralize the copy", action },
    { verify: [isNeutralized], timeoutSeconds: 300 },
  );
}

/**
 * By Odoo's own command, by what that leaves out, and then by asking what is left. As Odoo's user: a database may have been brought by
 * anybody, and what is run in it has no more rights than it would have anyway. `name`: under which it will be known.
 */
export function silence(stack: Stack, cluster: CopyCluster, database: string, name = database): readonly Act[] {
  const ask: Ask = (text, values) => cluster.queryAsOdoo(database, text, values);
  // It lies in the working directory, whose disk may run full.
  const action = withFullDisk(explained(stack.odoo.neutralize(cluster.odooOptions, database)));
  return [neutralize(stack, cluster, database, action), isolate(ask, `http://${name}.invalid`)];
}

type Ask = (text: string, values?: Readonly<Record<string, Text>>) => SqlAction;

/** `url`: the address that it gives itself from now on. */
export function isolate(ask: Ask, url: string): Act {
  const silent: Probe = {
    title: "nothing in it could still reach anybody",
    action: ask(leaksSql),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.copy_leaks",
  };
  return change(
    { id: "isolate", title: "Take addresses, keys and what waits out of it", action: ask(isolateSql, { url }) },
    { verify: [silent], timeoutSeconds: 1800 },
  );
}

function findPort(stack: Stack): Act {
  const script = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])';
  return read({
    id: "port",
    title: "Find a free port",
    action: command(stack.odoo.place, ["/usr/bin/python3", "-c", script]),
    outputs: { number: { from: "stdout" } },
  });
}

/** The copy is gone when somebody wants to know why it did not serve; its log is not. */
function logFolder(stack: Stack): Text {
  return join(`${stack.config.workDirectory}/runs/`, runId);
}

function makeLogFolder(stack: Stack): Act {
  const folder = logFolder(stack);
  return change(
    { id: "log folder", title: "Make the run's own folder", action: makeDirectory(stack.tools, folder) },
    { verify: [pathExists(stack.tools, folder, "the run's folder is there")] },
  );
}

function withOdoo(stack: Stack, cluster: CopyCluster, folder: Text, body: Bracket["body"]): Bracket {
  const service = stack.runtime.daemon(copyOdoo(stack, cluster, folder));
  return {
    kind: "bracket",
    id: "odoo",
    title: "Odoo on the copy",
    open: [startService("start copy", "Start an Odoo on the copy", service)],
    body,
    close: [stopService("stop copy", "Stop the copy's Odoo", service)],
  };
}

/**
 * No crons, no other database, only the loopback interface, and none of the modules that work for a whole server: one that keeps
 * sessions elsewhere or runs a queue of jobs would work for the copy too.
 */
function copyOdoo(stack: Stack, cluster: CopyCluster, folder: Text): DaemonSpec {
  const { odoo } = stack.config;
  return {
    name: "the copy's Odoo",
    user: odoo.user,
    environment: odoo.environment,
    pidFile: suffixed(folder, "/odoo.pid"),
    log: suffixed(logFolder(stack), "/copy.log"),
    stopSeconds: 10,
    command: [
      ...odoo.command,
      ...["-c", odoo.config, ...cluster.odooOptions, "-d", copyName, `--db-filter=^${copyName}$`],
      prefixed("--data-dir=", suffixed(folder, "/odoo")),
      ...["--load=base,web", "--workers=0", "--max-cron-threads=0", "--no-database-list", "--http-interface=127.0.0.1"],
      prefixed("--http-port=", output("port", "number")),
      "--logfile=",
    ],
  };
}
