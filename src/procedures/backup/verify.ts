import { z } from "zod";
import { command, type Probe } from "../../runbook/action.ts";
import type { Act, Bracket, Plan } from "../../runbook/plan.ts";
import { join, output, prefixed, runId, suffixed, type Text } from "../../runbook/value.ts";
import { pathExists, pathIsAbsent, removeTree } from "../../stack/files.ts";
import type { Restic } from "../../stack/restic.ts";
import type { DaemonSpec } from "../../stack/runtime/native.ts";
import { createScratchCluster, type ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, read, serving, startService, stopService, takeBack } from "../steps.ts";
import { checkScript } from "./backup.ts";
import { BackupNotFound, NoRepository } from "./errors.ts";
import { manifestSql } from "./manifest.ts";

const input = z.object({ backup: z.string().default("latest").describe("Id of the backup, or latest") });
type VerifyInput = z.infer<typeof input>;

interface VerifyFacts {
  readonly backup: string;
}

export const verifyBackup: Procedure<VerifyInput, VerifyFacts> = {
  name: "backup verify",
  chapter: "backup",
  version: 1,
  title: "Backup verification",
  summary:
    "Restores a backup on a throw-away PostgreSQL beside the stack's own, compares every table with the manifest and every " +
    "attachment with its checksum, neutralizes the copy, and lets Odoo serve its login page from it. What holds becomes the proof.",
  input,
  facts: async (reader, { backup }) => ({ backup: await findBackup(reader, backup) }),
  plan: planVerification,
};

const snapshots = z.array(z.object({ time: z.string(), tags: z.array(z.string()).default([]) }));

/** The repository is asked, not the catalogue: it is what a restore would have. */
async function findBackup(reader: FactReader, wanted: string): Promise<string> {
  const { restic, name } = reader.stack;
  if (restic === undefined) throw NoRepository({ stack: name });
  if ((await reader.exitCode(restic.isInitialised().action)) !== 0) throw BackupNotFound({ backup: wanted });
  const found = snapshots.parse(await reader.json(restic.list()));
  const ids = found
    .toSorted((a, b) => a.time.localeCompare(b.time))
    .flatMap((snapshot) =>
      snapshot.tags.filter((tag) => tag.startsWith("run=")).map((tag) => tag.slice("run=".length)),
    );
  const chosen = wanted === "latest" ? ids.at(-1) : ids.find((id) => id === wanted);
  if (chosen === undefined) throw BackupNotFound({ backup: wanted });
  return chosen;
}

function planVerification(stack: Stack, { backup }: VerifyInput, facts: VerifyFacts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/proof/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  return {
    procedure: verifyBackup.name,
    version: verifyBackup.version,
    stack: stack.name,
    title: `Prove backup ${facts.backup}`,
    input: { backup },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: ["The copy is restored on a PostgreSQL of its own; the stack keeps serving and is not touched."],
    steps: [
      withFolder(stack, folder, [
        fetch(stack, restic, facts.backup, folder),
        aboutBackup(stack, folder),
        withCluster(cluster, [
          restoreDump(stack, cluster, folder),
          compareManifest(stack, cluster, folder),
          checkAttachments(stack, folder),
          moveFilestore(stack, folder),
          neutralize(stack, cluster),
          findPort(stack),
          withOdoo(stack, cluster, folder, [
            serving(stack, "the copy", join("http://127.0.0.1:", output("port", "number")), "backup.copy_not_serving"),
          ]),
        ]),
        countProof(stack, folder),
      ]),
      recordProof(stack, facts),
    ],
  };
}

/** Folders below are each somebody else's; this one may be passed through but not read. */
function withFolder(stack: Stack, folder: Text, body: Bracket["body"]): Bracket {
  const { host } = stack;
  return {
    kind: "bracket",
    id: "folder",
    title: "Folder of the proof",
    open: [
      change(
        {
          id: "make folder",
          title: "Make the folder of the proof",
          action: command(host, ["install", "-d", "-m", "0711", folder, suffixed(folder, "/set")]),
        },
        { verify: [pathExists(host, folder, "the folder is there")] },
      ),
      change(
        {
          id: "own folder",
          title: "Give it to the cluster's user",
          action: command(host, ["chown", stack.postgres.user, folder]),
        },
        { verify: [pathExists(host, suffixed(folder, "/set"), "the folder of the set is there")] },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "remove folder", title: "Remove the folder of the proof", action: removeTree(host, folder) },
        { verify: [pathIsAbsent(host, folder, "the folder is gone")], timeoutSeconds: 1800 },
      ),
    ],
  };
}

function fetch(stack: Stack, restic: Restic, backup: string, folder: Text): Act {
  return change(
    {
      id: "fetch",
      title: "Read the backup from the repository",
      action: restic.fetch(backup, suffixed(folder, "/set")),
    },
    {
      verify: [pathExists(stack.host, suffixed(folder, "/set/manifest"), "the set has its manifest")],
      timeoutSeconds: 12 * 3600,
    },
  );
}

function aboutBackup(stack: Stack, folder: Text): Act {
  return read({
    id: "about",
    title: "Read what the backup says about itself",
    action: command(stack.host, ["cat", suffixed(folder, "/set/about")]),
    outputs: {
      locale: { from: "stdout", as: "json", pick: ["collate"] },
      takenAt: { from: "stdout", as: "json", pick: ["takenAt"] },
    },
  });
}

function withCluster(cluster: ScratchCluster, body: Bracket["body"]): Bracket {
  return {
    kind: "bracket",
    id: "cluster",
    title: "Throw-away PostgreSQL",
    open: [startService("start cluster", "Start a throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
    body,
    close: [stopService("stop cluster", "Stop the throw-away PostgreSQL", { ...cluster, stopSeconds: 60 })],
  };
}

const copyName = "copy";

function restoreDump(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const options = { jobs: stack.config.backup?.jobs ?? 2, locale: output("about", "locale") };
  return change(
    {
      id: "restore",
      title: "Restore the dump into a new database",
      action: cluster.restore(copyName, suffixed(folder, "/set/dump"), options),
    },
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
    },
  );
}

function compareManifest(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const mine = suffixed(folder, "/manifest");
  const equal: Probe = {
    title: "every table has the rows and checksums of the backup's manifest",
    action: command(stack.host, ["diff", "-U", "0", suffixed(folder, "/set/manifest"), mine], { okExitCodes: [0, 1] }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.manifest_mismatch",
  };
  return change(
    {
      id: "manifest",
      title: "Compare every table with the manifest",
      action: { ...cluster.query(copyName, manifestSql), into: mine },
    },
    { verify: [equal], timeoutSeconds: 3600 },
  );
}

/** What was unsound when the backup was made was lost before; anything more is the backup's fault. */
function checkAttachments(stack: Stack, folder: Text): Act {
  const set = suffixed(folder, "/set");
  const newlyLost: Probe = {
    title: "every attachment is there with its checksum",
    action: command(stack.host, [
      "comm",
      "-13",
      suffixed(folder, "/set/unsound"),
      suffixed(folder, "/set/unsound-now"),
    ]),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.attachments_damaged",
  };
  return change(
    {
      id: "attachments",
      title: "Check every attachment against its checksum",
      action: command(stack.host, ["sh", "-c", checkScript, "check", set, "unsound-now"]),
    },
    { verify: [newlyLost], timeoutSeconds: 6 * 3600 },
  );
}

function moveFilestore(stack: Stack, folder: Text): Act {
  const { user } = stack.config.odoo;
  const data = suffixed(folder, "/odoo");
  const script =
    'if [ ! -d "$1/filestore/$3" ]; then mkdir -p "$1/filestore" && mv -T "$2" "$1/filestore/$3"; fi && chown -R "$4:" "$1"';
  return change(
    {
      id: "filestore",
      title: "Give the filestore to the copy's Odoo",
      action: command(stack.host, [
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
    { verify: [pathExists(stack.host, suffixed(folder, `/odoo/filestore/${copyName}`), "the copy has its filestore")] },
  );
}

/** Before any Odoo is started on it: a copy of production never mails, never runs crons, never calls out. */
function neutralize(stack: Stack, cluster: ScratchCluster): Act {
  return change(
    { id: "neutralize", title: "Neutralize the copy", action: stack.odoo.neutralize(cluster.odooOptions, copyName) },
    {
      verify: [
        {
          title: "the copy is neutralized",
          action: cluster.query(
            copyName,
            "select count(*) from ir_config_parameter where key = 'database.is_neutralized' and value = 'true';\n",
          ),
          output: { from: "stdout", as: "number" },
          compare: "eq",
          with: 1,
        },
      ],
      timeoutSeconds: 300,
    },
  );
}

function findPort(stack: Stack): Act {
  const script = 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])';
  return read({
    id: "port",
    title: "Find a free port",
    action: command(stack.host, ["/usr/bin/python3", "-c", script]),
    outputs: { number: { from: "stdout" } },
  });
}

function withOdoo(stack: Stack, cluster: ScratchCluster, folder: Text, body: Bracket["body"]): Bracket {
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

/** No crons, no other database, only the loopback interface. */
function copyOdoo(stack: Stack, cluster: ScratchCluster, folder: Text): DaemonSpec {
  const { odoo } = stack.config;
  return {
    name: "the copy's Odoo",
    user: odoo.user,
    environment: odoo.environment,
    pidFile: suffixed(folder, "/odoo.pid"),
    log: suffixed(folder, "/odoo.log"),
    stopSeconds: 10,
    command: [
      ...odoo.command,
      ...["-c", odoo.config, ...cluster.odooOptions, "-d", copyName, `--db-filter=^${copyName}$`],
      prefixed("--data-dir=", suffixed(folder, "/odoo")),
      ...["--workers=0", "--max-cron-threads=0", "--no-database-list", "--http-interface=127.0.0.1"],
      prefixed("--http-port=", output("port", "number")),
      "--logfile=",
    ],
  };
}

function countProof(stack: Stack, folder: Text): Act {
  return read({
    id: "count",
    title: "Count what was proven",
    action: command(stack.host, ["sh", "-c", countScript, "count", folder]),
    outputs: {
      tables: { from: "stdout", as: "json", pick: ["tables"] },
      rows: { from: "stdout", as: "json", pick: ["rows"] },
      attachments: { from: "stdout", as: "json", pick: ["attachments"] },
    },
  });
}

const countScript = `
awk -v attachments="$(wc -l < "$1/set/attachments")" -F '"rows" : ' '
  /"table"/ { split($2, part, ","); tables++; rows += part[1] }
  END { printf "{\\"tables\\": %d, \\"rows\\": %d, \\"attachments\\": %d}\\n", tables, rows, attachments }' "$1/manifest"
`;

function recordProof(stack: Stack, facts: VerifyFacts): Act {
  const input = {
    stack: stack.name,
    backup: facts.backup,
    run: runId,
    takenAt: output("about", "takenAt"),
    tables: output("count", "tables"),
    rows: output("count", "rows"),
    attachments: output("count", "attachments"),
  };
  return change(
    {
      id: "record proof",
      title: "Record the proof",
      action: { kind: "call", name: "backup.record_proof", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}
