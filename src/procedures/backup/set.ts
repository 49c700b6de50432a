import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket, Step } from "../../runbook/plan.ts";
import { output, suffixed, type Text } from "../../runbook/value.ts";
import { pathExists, pathIsAbsent, removeTree } from "../../stack/files.ts";
import { explained, type Readable, type SetPart } from "../../stack/restic.ts";
import type { ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, read, require, startService, stopService, takeBack } from "../steps.ts";
import { checkScript } from "./backup.ts";
import { copyName } from "./copy.ts";
import { withFullDisk } from "./working-folder.ts";

/**
 * A set in a folder of this run's: `FOLDER/set` has what a backup stores (`dump`, `roles`, `manifest`, `sequences`, `attachments`, `about`,
 * `unsound`, `filestore`; of a backup also `configuration` and `automation`), wherever it came from. Everything else that is made on the way lies in `FOLDER`.
 */

export function setIn(folder: Text): Text {
  return suffixed(folder, "/set");
}

export function fileOfSet(folder: Text, name: string): Text {
  return suffixed(folder, `/set/${name}`);
}

/**
 * Two users have folders below: both may pass through the folder, and nobody reads it. The set, which may hold passwords, is for the
 * server's user alone.
 */
export function withFolder(stack: Stack, folder: Text, what: string, body: Bracket["body"]): Bracket {
  return {
    kind: "bracket",
    id: "folder",
    title: `Folder of the ${what}`,
    open: [makeFolder(stack, folder, what)],
    body,
    close: [removeFolder(stack, folder, what)],
  };
}

export function makeFolder({ tools: host, postgres }: Stack, folder: Text, what: string): Act {
  return change(
    {
      id: "make folder",
      title: `Make the folder of the ${what}`,
      action: command(host, ["sh", "-c", folderScript, "make", folder, postgres.user]),
    },
    { verify: [pathExists(host, setIn(folder), "the folder is there")] },
  );
}

export function removeFolder({ tools: host }: Stack, folder: Text, what: string): Act {
  return takeBack(
    { id: "remove folder", title: `Remove the folder of the ${what}`, action: removeTree(host, folder) },
    { verify: [pathIsAbsent(host, folder, "the folder is gone")], timeoutSeconds: 1800 },
  );
}

/** Others, such as restic for its cache, may have made the folders above for root alone. */
const folderScript = `
install -d -m 0711 -o "$2" "$1" && install -d -m 0750 -o "$2" "$1/set" &&
chmod a+x "$(dirname -- "$1")" "$(dirname -- "$(dirname -- "$1")")"
`;

export interface WantedSet {
  /** Its id. */
  readonly backup: Text;
  readonly databaseBytes: number;
  readonly part?: SetPart;
}

/** restic brings the numbers of users that files had, which on another machine are somebody else's. */
export function fetchSet(
  stack: Stack,
  repository: Readable,
  wanted: WantedSet,
  folder: Text,
  fetch = repository.fetch(wanted.backup, setIn(folder), wanted.part ?? "all"),
): readonly Act[] {
  const { databaseBytes, part = "all" } = wanted;
  const there = {
    all: "manifest",
    database: "manifest",
    files: "attachments",
    automation: "about",
    configuration: "manifest",
  }[part];
  const { user } = stack.postgres;
  return [
    change(
      {
        id: "fetch",
        title: "Read the backup from the repository",
        action: fetch,
      },
      {
        verify: [pathExists(stack.tools, fileOfSet(folder, there), `the set has its ${there}`)],
        timeoutSeconds: 24 * 3600,
        forecastSeconds: 1 + Math.ceil(databaseBytes / fetchBytesPerSecond),
      },
    ),
    change(
      {
        id: "own set",
        title: "Give the set to those who read it here",
        action: command(stack.tools, ["sh", "-c", ownScript, "own", setIn(folder), user, stack.config.odoo.user]),
      },
      { verify: [isOwned(stack, folder)], timeoutSeconds: 3600 },
    ),
  ];
}

/** Measured on the test machine; only used to say how long it will take. */
const fetchBytesPerSecond = 50_000_000;

const ownScript = `
set -eu
cd -- "$1"
chown "$2": .
for part in dump roles automation; do [ ! -e "$part" ] || chown -R "$2": "$part"; done
[ ! -e filestore ] || chown -R "$3": filestore
`;

function isOwned(stack: Stack, folder: Text): Probe {
  const script =
    'cd -- "$1" && for part in dump roles automation; do [ ! -e "$part" ] || find "$part" ! -user "$2" -print -quit; done';
  return {
    title: `${stack.postgres.user} may read the dump`,
    action: command(stack.tools, ["sh", "-c", script, "owned", setIn(folder), stack.postgres.user]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
  };
}

/** What the set says about itself. */
export function aboutSet(stack: Stack, folder: Text): Act {
  return read({
    id: "about",
    title: "Read what the backup says about itself",
    action: command(stack.tools, ["cat", fileOfSet(folder, "about")]),
    outputs: {
      database: { from: "stdout", as: "json", pick: ["database"] },
      databaseBytes: { from: "stdout", as: "json", pick: ["databaseBytes"] },
      takenAt: { from: "stdout", as: "json", pick: ["takenAt"] },
      server: { from: "stdout", as: "json", pick: ["server"] },
    },
  });
}

/** pg_restore would say of a newer server's dump that it does not know the file, as of one that is damaged. */
export function requireServer(cluster: ScratchCluster): Act {
  const sql = `
select case when substring(:'made' from '^[0-9]+')::int > current_setting('server_version_num')::int / 10000 then :'made' else '' end;
`;
  const probe: Probe = {
    title: "the server is not older than the one that was backed up",
    action: cluster.query("postgres", sql, { made: output("about", "server") }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.server_newer",
  };
  return require({ id: "new enough", title: "The server is not older than the one that was backed up", probe });
}

/** The name that the set's database had. */
export const databaseOfSet = output("about", "database");

/**
 * What was unsound when the backup was made was lost before; anything more is the backup's fault. The names of all that are not as they
 * should be are left in the set as `unsound-now`.
 */
export function checkAttachments(stack: Stack, folder: Text): Act {
  const newlyLost: Probe = {
    title: "every attachment is there with its checksum",
    action: command(stack.tools, ["comm", "-13", fileOfSet(folder, "unsound"), fileOfSet(folder, "unsound-now")]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.attachments_damaged",
  };
  return change(
    {
      id: "attachments",
      title: "Check every attachment against its checksum",
      action: withFullDisk(
        explained(command(stack.tools, ["sh", "-c", checkScript, "check", setIn(folder), "unsound-now"])),
      ),
    },
    { verify: [newlyLost], timeoutSeconds: 6 * 3600 },
  );
}

/** A PostgreSQL of its own in the folder while the body runs. */
export function withScratch(cluster: ScratchCluster, body: Bracket["body"]): Bracket {
  return {
    kind: "bracket",
    id: "cluster",
    title: "Throw-away PostgreSQL",
    open: [startService("start cluster", "Start a throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
    body,
    close: [stopService("stop cluster", "Stop the throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
  };
}

/** How a set's dump is loaded. */
export interface Load {
  /** The name that its database had. */
  readonly source: Text;
  readonly jobs: number;
  readonly databaseBytes: number;
}

export function restoreInScratch(cluster: ScratchCluster, folder: Text, { source, jobs, databaseBytes }: Load): Step {
  const action = cluster.restore(copyName, {
    source,
    dump: fileOfSet(folder, "dump"),
    roles: fileOfSet(folder, "roles"),
    jobs,
  });
  return change(
    { id: "restore", title: "Restore the dump into a new database", action },
    {
      verify: [
        {
          title: "the restored database is an Odoo database",
          action: cluster.query(copyName, "select count(*) from ir_module_module where state = 'installed';\n"),
          output: { from: "stdout", as: "number" },
          compare: "ge",
          with: 1,
          code: "backup.dump_damaged",
        },
      ],
      timeoutSeconds: 12 * 3600,
      forecastSeconds: 2 + Math.ceil(databaseBytes / restoreBytesPerSecond),
    },
  );
}

/** Measured on the test machine, with indexes. */
export const restoreBytesPerSecond = 15_000_000;
