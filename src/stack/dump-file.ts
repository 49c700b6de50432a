import { type Command, type CommandAction, command } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { type ScratchCluster, stranger } from "./scratch.ts";

/**
 * A file that somebody brings: Odoo's own backup (a zip), what pg_dump writes as its custom format, or plain SQL; the last two compressed
 * by gzip or not. It lies on the stack's machine, and nothing in it is believed.
 */
export interface DumpFile {
  readonly path: Text;
  readonly kind: DumpKind;
  readonly isGzipped: boolean;
}

export type DumpKind = "zip" | "custom" | "sql";

/** What can be told from its first bytes. */
export interface FileHeader {
  readonly kind: DumpKind;
  readonly isGzipped: boolean;
  /** Of the server that it was made of, as pg_dump wrote it; undefined where a zip hides it. */
  readonly server: string | undefined;
}

/**
 * Prints a line with its size in bytes and when it was last written, its first bytes, and the first bytes of what gzip makes of it; or
 * `absent`.
 */
export function readHead(host: string, path: string): CommandAction {
  return command(host, ["sh", "-c", headScript, "head", path]);
}

const headScript = `
if [ ! -f "$1" ] || [ ! -r "$1" ]; then echo absent; exit; fi
stat --format='%s %Y' -- "$1"
head -c 4096 -- "$1" | base64 -w 0; echo
{ gzip -dc -- "$1" 2>/dev/null || :; } | head -c 4096 | base64 -w 0; echo
`;

/** Undefined: it is none of the kinds that are known. */
export function parseHeader(head: Buffer, unzipped: Buffer): FileHeader | undefined {
  if (head.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004")))
    return { kind: "zip", isGzipped: false, server: undefined };
  const isGzipped = head.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]));
  const content = isGzipped ? unzipped : head;
  if (content.subarray(0, 5).toString("latin1") === "PGDMP")
    return { kind: "custom", isGzipped, server: serverOfArchive(content) };
  const text = content.toString("utf8");
  if (!/^--\s*\n-- PostgreSQL database (cluster )?dump/.test(text)) return undefined;
  return { kind: "sql", isGzipped, server: /^-- Dumped from database version (.+)$/m.exec(text)?.[1]?.trim() };
}

/**
 * pg_dump's archive (ReadHead of pg_backup_archiver.c): five letters, version in three bytes, sizes of its numbers, format, compression,
 * seven numbers of a time, then three texts: the database, its server's version, and pg_dump's. A number has a byte for its sign first.
 */
function serverOfArchive(content: Buffer): string | undefined {
  const [major = 0, minor = 0, size = 4] = [content[5], content[6], content[8]];
  const compression = major > 1 || minor >= 15 ? 1 : 1 + size;
  let at = 11 + compression + 7 * (1 + size);
  const text = (): string | undefined => {
    const length = at + 1 + size <= content.length ? content.readUIntLE(at + 1, Math.min(size, 6)) : Number.NaN;
    const start = at + 1 + size;
    at = start + length;
    return at <= content.length ? content.toString("utf8", start, at) : undefined;
  };
  text();
  return text();
}

/** The programs that print it as plain SQL, the first as root and whatever interprets it as nobody. */
function printSql(runtime: Runtime, { path, kind, isGzipped }: DumpFile): readonly [Command, ...Command[]] {
  if (kind === "zip") return [{ argv: ["/usr/bin/python3", "-c", zipScript, "sql", path] }];
  const content: Command = { argv: isGzipped ? ["gzip", "-dc", "--", path] : ["cat", "--", path] };
  if (kind === "sql") return [content];
  const options = ["--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions", "--file=-"];
  return [content, { argv: runtime.as(stranger, [runtime.postgres.program("pg_restore"), ...options]) }];
}

/**
 * The attachments of Odoo's zip, into a folder. Only files that are named as Odoo names them are taken out, and only if they are what
 * their name says; everything else in the zip is not looked at. Ends with 7 when it has no dump, with 8 when it is damaged.
 */
export function takeFiles(host: string, zip: Text, folder: Text): CommandAction {
  return command(host, ["/usr/bin/python3", "-c", zipScript, "files", zip, folder], {
    exitCodes: { 7: "restore.file_no_dump", 8: "restore.file_damaged", 28: "backup.disk_full" },
  });
}

/** Loads a file into an empty database of a throw-away server. */
export function loadInto(runtime: Runtime, file: DumpFile, cluster: ScratchCluster, database: Text): CommandAction {
  const pipeline = [...printSql(runtime, file), cluster.load(database)] as const;
  return { kind: "command", host: runtime.tools, pipeline, exitCodes: loadExitCodes };
}

/** Of whatever prints or loads a file; each program's own failure is 1. */
const loadExitCodes = {
  1: "restore.file_damaged",
  2: "postgres.unreachable",
  3: "restore.file_sql_error",
  4: "restore.file_truncated",
  5: "restore.file_commands",
  6: "restore.file_unknown",
  7: "restore.file_no_dump",
  8: "restore.file_damaged",
  28: "backup.disk_full",
};

const zipScript = `
import errno, hashlib, os, re, shutil, sys, zipfile, zlib

what, path = sys.argv[1:3]
NAME = re.compile(r"filestore/([0-9a-f]{2}/[0-9a-f]{40})")


def stop(code, message):
    print(message, file=sys.stderr)
    sys.exit(code)


def sql(archive):
    if "dump.sql" not in archive.namelist():
        stop(7, "There is no dump.sql in it.")
    with archive.open("dump.sql") as member:
        shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)


def files(archive, folder):
    if "dump.sql" not in archive.namelist():
        stop(7, "There is no dump.sql in it.")
    os.makedirs(folder, exist_ok=True)
    taken, unsound = 0, []
    for member in archive.infolist():
        named = NAME.fullmatch(member.filename)
        if named is None:
            continue
        target = os.path.join(folder, named.group(1))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        digest = hashlib.sha1()
        with archive.open(member) as source, open(target + ".partial", "wb") as into:
            for block in iter(lambda: source.read(1 << 20), b""):
                digest.update(block)
                into.write(block)
        if digest.hexdigest() == named.group(1)[3:]:
            os.replace(target + ".partial", target)
            taken += 1
        else:
            os.remove(target + ".partial")
            unsound.append(named.group(1))
    print('{"files": %d, "unsound": %d}' % (taken, len(unsound)))


try:
    with zipfile.ZipFile(path) as archive:
        sql(archive) if what == "sql" else files(archive, sys.argv[3])
except BrokenPipeError:
    sys.exit(1)
except OSError as error:
    stop(28 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 8, str(error))
except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
    stop(8, str(error))
`;
