import { z } from "zod";
import type { Records } from "../../../engine/records.ts";
import type { CallFunction } from "../../../host/perform.ts";
import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Plan } from "../../../runbook/plan.ts";
import { join, output, runId, suffixed, type Text } from "../../../runbook/value.ts";
import { readZip, writeSql, writeZip } from "../../../stack/dump-export.ts";
import { pathExists, pathIsAbsent } from "../../../stack/files.ts";
import type { Restic } from "../../../stack/restic.ts";
import { createScratchCluster, type ScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import { removeOwn, takeOut } from "../../../stack/transfer.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { change, read, require, takeBack } from "../../steps.ts";
import { kept } from "../backup.ts";
import { copyName } from "../copy.ts";
import { NoRepository } from "../errors.ts";
import { type ProofFacts, readFolder, readProofFacts, requireSpace } from "../facts.ts";
import { manifestSql } from "../manifest.ts";
import { aboutSet, checkAttachments, fetchSet, fileOfSet, withFolder, withScratch } from "../set.ts";
import { ExportExists, ExportNowhere } from "./errors.ts";
import { type Present, readPresent, readServer } from "./facts.ts";
import { loadInScratch } from "./load.ts";

const formats = ["zip", "sql.gz"] as const;
const input = z.object({
  backup: z.string().default("latest").describe("Id of the backup, or latest"),
  file: z.string().startsWith("/").describe("A new file on the stack's machine, by its whole path"),
  format: z
    .enum(formats)
    .default("zip")
    .describe("zip as Odoo's database manager has it, or the database alone as SQL"),
});
type Input = z.infer<typeof input>;

interface Facts extends ProofFacts {
  readonly present: Present | undefined;
}

export const exportBackup: Procedure<Input, Facts> = {
  name: "backup export",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Export of a backup",
  summary:
    "Makes a file of a backup that others can read: Odoo's own zip, or SQL. It is read back on a throw-away PostgreSQL and compared with " +
    "the backup, row by row and attachment by attachment, before anybody gets it. The audit tells who had it made.",
  done: { title: "Backup exported" },
  input,
  facts: readFacts,
  plan: planExport,
};

async function readFacts(reader: FactReader, { backup, file }: Input): Promise<Facts> {
  const { stack } = reader;
  const script = 'test ! -e "$1" || exit 3; test -d "$(dirname -- "$1")" || exit 4';
  const there = command(stack.host, ["sh", "-c", script, "there", file], { okExitCodes: [0, 3, 4] });
  const code = await reader.exitCode(there);
  if (code === 3) throw ExportExists({ file });
  if (code === 4) throw ExportNowhere({ file });
  const facts = await readProofFacts(reader, backup);
  const work = await readFolder(reader, stack.config.workDirectory);
  // The SQL, its zip with the attachments, and the database that it is read back into.
  requireSpace("The export", stack.config.workDirectory, 4 * facts.databaseBytes + 200_000_000, work.freeBytes);
  return { ...facts, present: await readPresent(reader, await readServer(reader)) };
}

function planExport(stack: Stack, { backup, file, format }: Input, facts: Facts): Plan {
  const { restic } = stack;
  if (restic === undefined) throw NoRepository({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/export/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  return {
    procedure: exportBackup.name,
    version: exportBackup.version,
    stack: stack.name,
    title: `Export backup ${facts.backup} as ${format} to ${file}`,
    input: { backup, file, format },
    facts: { backup: facts.backup },
    lease: "shared",
    notes: [
      "The file is not encrypted: whoever has it has the company's data, and the passwords' hashes. Only this user may read it where it lies.",
      `It lies on the stack's machine (${stack.host}).`,
      "Owners, and rights that were given to other roles, are not in it: it is for any server.",
    ],
    steps: [
      withFolder(stack, folder, "export", [
        ...takeSet(stack, restic, folder, { format, facts }),
        ...makeFile(stack, folder, format),
        ...readBack(stack, cluster, folder, { format, facts }),
        measure(stack, folder),
        recordBefore(stack, { backup: facts.backup, file, format }),
        handOut(stack, folder, file),
      ]),
    ],
  };
}

interface Wanted {
  readonly format: Input["format"];
  readonly facts: Facts;
}

function takeSet(stack: Stack, restic: Restic, folder: Text, { format, facts }: Wanted): readonly Act[] {
  const part = format === "zip" ? "all" : "database";
  return [
    ...fetchSet(stack, restic, { ...facts, part }, folder),
    aboutSet(stack, folder),
    ...(format === "zip" ? [checkAttachments(stack, folder)] : []),
  ];
}

function fileIn(folder: Text): Text {
  return suffixed(folder, "/export");
}

function makeFile(stack: Stack, folder: Text, format: Input["format"]): readonly Act[] {
  const sql = suffixed(folder, "/dump.sql");
  const isThere = pathExists(stack.tools, fileIn(folder), "the file is there");
  const dump = fileOfSet(folder, "dump");
  if (format === "sql.gz")
    return [
      change(
        { id: "write", title: "Write the database as SQL", action: writeSql(stack, dump, fileIn(folder), true) },
        { verify: [isThere], timeoutSeconds: 12 * 3600 },
      ),
    ];
  return [
    change(
      { id: "sql", title: "Write the database as SQL", action: writeSql(stack, dump, sql, false) },
      { verify: [pathExists(stack.tools, sql, "the SQL is there")], timeoutSeconds: 12 * 3600 },
    ),
    change(
      {
        id: "write",
        title: "Pack it with the attachments as Odoo does",
        action: writeZip(
          stack.tools,
          { sql, about: fileOfSet(folder, "about"), filestore: fileOfSet(folder, "filestore") },
          fileIn(folder),
        ),
      },
      { verify: [isThere], timeoutSeconds: 12 * 3600 },
    ),
  ];
}

/** What was made is read as anybody would, and has to be what the backup's own manifest says. */
function readBack(
  stack: Stack,
  cluster: ScratchCluster,
  folder: Text,
  { format, facts }: Wanted,
): readonly (Act | ReturnType<typeof withScratch>)[] {
  const file = {
    path: fileIn(folder),
    kind: format === "zip" ? "zip" : "sql",
    isGzipped: format === "sql.gz",
  } as const;
  const into = { database: copyName, present: facts.present, bytes: facts.databaseBytes };
  const files: Probe = {
    title: "it has every attachment of the backup, as it was",
    action: readZip(stack.tools, fileIn(folder), fileOfSet(folder, "attachments"), fileOfSet(folder, "unsound")),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.export_differs",
  };
  return [
    ...(format === "zip"
      ? [require({ id: "read files", title: "Read its attachments back", probe: files }, { timeoutSeconds: 12 * 3600 })]
      : []),
    withScratch(cluster, [...loadInScratch(stack, cluster, file, into), compareRows(stack, cluster, folder)]),
  ];
}

/** Rows and large objects; owners and grants are left out of the file. */
function compareRows(stack: Stack, cluster: ScratchCluster, folder: Text): Act {
  const mine = suffixed(folder, "/manifest");
  const equal: Probe = {
    title: "every table has the rows and checksums of the backup's manifest",
    action: command(stack.tools, ["sh", "-c", rowsScript, "rows", fileOfSet(folder, "manifest"), mine], {
      okExitCodes: [0, 1],
    }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "backup.export_differs",
  };
  return change(
    {
      id: "compare",
      title: "Compare every table with the backup's manifest",
      action: kept(cluster.query(copyName, manifestSql), mine),
    },
    { verify: [equal], timeoutSeconds: 6 * 3600 },
  );
}

const rowsScript = `
rows() { grep -E '^[{]"(table|large objects)"' "$1" > "$1.rows"; }
rows "$1" && rows "$2" || exit 2
diff --unchanged-line-format= --old-line-format='- %L' --new-line-format='+ %L' -- "$1.rows" "$2.rows"
`;

function measure(stack: Stack, folder: Text): Act {
  const script =
    'printf \'{"sha256": "%s", "bytes": %s}\\n\' "$(sha256sum < "$1" | cut -c 1-64)" "$(stat --format=%s -- "$1")"';
  return read(
    {
      id: "measure",
      title: "Note its size and checksum",
      action: command(stack.tools, ["sh", "-c", script, "measure", fileIn(folder)]),
      outputs: {
        sha256: { from: "stdout", as: "json", pick: ["sha256"] },
        bytes: { from: "stdout", as: "json", pick: ["bytes"] },
      },
    },
    { timeoutSeconds: 12 * 3600 },
  );
}

/** What cannot be recorded is not handed out. */
function recordBefore(
  stack: Stack,
  about: { readonly backup: string; readonly file: string; readonly format: string },
): Act {
  const input = { stack: stack.name, ...about, sha256: output("measure", "sha256"), bytes: output("measure", "bytes") };
  return change(
    {
      id: "record export",
      title: "Note in the audit who gets it",
      action: { kind: "call", name: "backup.record_export", version: 1, input },
    },
    { timeoutSeconds: 30 },
  );
}

function handOut(stack: Stack, folder: Text, file: string): Act {
  const sha256 = output("measure", "sha256");
  const placed: Probe = {
    title: "the file is there, and is the one that was read back",
    action: command(stack.host, ["sh", "-c", 'sha256sum < "$1" 2>/dev/null | cut -c 1-64', "sum", file]),
    output: { from: "stdout" },
    compare: "eq",
    with: sha256,
  };
  const gone = pathIsAbsent(stack.host, file, "it is gone");
  return change(
    { id: "hand out", title: `Put it at ${file}`, action: takeOut(stack.config, fileIn(folder), file) },
    {
      done: placed,
      verify: [placed],
      timeoutSeconds: 12 * 3600,
      undo: [
        takeBack(
          { id: "take away", title: "Remove it again", action: removeOwn(stack.host, file, sha256) },
          { done: gone, verify: [gone] },
        ),
      ],
    },
  );
}

const exported = z.object({
  stack: z.string(),
  backup: z.string(),
  file: z.string(),
  format: z.enum(formats),
  sha256: z.string(),
  bytes: z.number(),
});

/** Who had which backup put where; told in the audit as well. */
export function recordExport(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, ...about } = exported.parse(given);
    const actor = await records.actorOf(scope.run.id);
    const told = { actor, action: "set.exported", stack, subject: about.backup, detail: about };
    const data = { ...about, by: actor };
    await records.put({ kind: "export", id: scope.run.id, stack, run: scope.run.id, data }, told);
    return null;
  };
}
