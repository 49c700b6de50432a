import { type CommandAction, command } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";
import { explained, gently } from "./restic.ts";
import type { Stack } from "./stack.ts";

/**
 * A dump in directory format as others read it: SQL, and the zip of Odoo's database manager (`odoo/service/db.py`, the same in 18 and 19):
 * `dump.sql` first, `manifest.json`, and `filestore/` as it lies on the disk.
 */

/** No server is needed for it, and none of the owners, grants, tablespaces or subscriptions of the one that it came from are in it. */
export function writeSql(
  { tools, runtime, postgres }: Stack,
  dump: Text,
  into: Text,
  isPacked: boolean,
): CommandAction {
  const options = ["--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions", "--no-tablespaces"];
  const print = runtime.as(postgres.user, [runtime.postgres.program("pg_restore"), ...options, "--file=-", dump]);
  return {
    kind: "command",
    host: tools,
    pipeline: [
      { argv: [...gently, ...print] as unknown as readonly [Text, ...Text[]] },
      ...(isPacked ? [{ argv: ["gzip", "-c"] } as const] : []),
      { argv: ["sh", "-c", 'umask 077 && dd of="$1" conv=fsync status=none', "into", into] },
    ],
    exitCodes: { 1: "backup.dump_damaged" },
  };
}

export interface ZipParts {
  readonly sql: Text;
  readonly about: Text;
  readonly filestore: Text;
}

export function writeZip(host: string, { sql, about, filestore }: ZipParts, into: Text): CommandAction {
  const argv = [...gently, "/usr/bin/python3", "-c", zipScript, "write", into, sql, about, filestore] as unknown;
  return explained(command(host, argv as readonly [Text, ...Text[]], { exitCodes: { 28: "backup.disk_full" } }));
}

/** Names the attachments of a list that the zip has not, or not as they were; those of `unsound` were lost before. */
export function readZip(host: string, zip: Text, attachments: Text, unsound: Text): CommandAction {
  return command(host, ["/usr/bin/python3", "-c", zipScript, "read", zip, attachments, unsound]);
}

/** Odoo's manifest says the version of its program; the one of its module \`base\` begins with the same series. */
const zipScript = `
import hashlib, json, os, re, sys, zipfile

what, path = sys.argv[1:3]


def manifest(about):
    with open(about, encoding="utf-8") as handle:
        said = json.load(handle)
    series = ".".join(said["modules"]["base"].split(".")[:2])
    major, minor = series.split(".")
    server = re.match(r"\\d+", said["server"]).group()
    return {
        "odoo_dump": "1",
        "db_name": said["database"],
        "version": series,
        "version_info": [int(major) if major.isdigit() else major, int(minor), 0, "final", 0, ""],
        "major_version": series,
        "pg_version": server + ".0",
        "modules": said["modules"],
    }


def write(sql, about, filestore):
    umask = os.umask(0o077)
    with zipfile.ZipFile(path + ".partial", "w", zipfile.ZIP_DEFLATED, allowZip64=True, strict_timestamps=False) as archive:
        archive.write(sql, "dump.sql")
        archive.writestr("manifest.json", json.dumps(manifest(about), indent=4))
        for base, folders, files in os.walk(filestore):
            folders.sort()
            for name in sorted(files):
                full = os.path.join(base, name)
                archive.write(full, os.path.join("filestore", os.path.relpath(full, filestore)))
    with open(path + ".partial", "rb") as handle:
        os.fsync(handle.fileno())
    os.replace(path + ".partial", path)


def read(attachments, unsound):
    with open(unsound, encoding="utf-8") as handle:
        lost = set(handle.read().splitlines())
    with zipfile.ZipFile(path) as archive, open(attachments, encoding="utf-8") as wanted:
        there = set(archive.namelist())
        for name in ("dump.sql", "manifest.json"):
            if name not in there:
                print(name + " is missing")
        json.loads(archive.read("manifest.json"))
        for line in wanted:
            checksum, name = line.rstrip("\\n").split("  ", 1)
            if name in lost:
                continue
            if "filestore/" + name not in there:
                print(name + " is missing")
                continue
            digest = hashlib.sha1()
            with archive.open("filestore/" + name) as member:
                for block in iter(lambda: member.read(1 << 20), b""):
                    digest.update(block)
            if digest.hexdigest() != checksum:
                print(name + " is another")


write(*sys.argv[3:6]) if what == "write" else read(*sys.argv[3:5])
`;
