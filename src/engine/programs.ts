import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { defineError } from "../errors/error.ts";

/** PostgreSQL's own programs on this machine, each version in a folder of its own, as Debian installs them. */

export const NoPostgres = defineError<{ looked: string }>("control.no_postgres", {
  exitCode: 60,
  message: (d) => `No PostgreSQL server programs were found (looked in ${d.looked}).`,
  hint: () => "Install Debian's postgresql package, or set IPAI_DATABASE_URL to a PostgreSQL that ipai may use.",
});

export const NoDumpProgram = defineError<{ server: number; found: string }>("control.no_dump_program", {
  exitCode: 60,
  message: (d) =>
    `The control database runs on PostgreSQL ${d.server}, and no pg_dump of that version or a newer one is here (found: ${d.found}). Nothing was written.`,
  hint: (d) => `Install Debian's package postgresql-client-${d.server}.`,
});

const below = "/usr/lib/postgresql";

/** Folder of the server's programs: of the version that a cluster has, else of the newest. */
export async function findServerPrograms(cluster: number | undefined): Promise<string> {
  const versions = await listVersions("initdb");
  const version = cluster ?? versions.at(-1);
  if (version === undefined || !versions.includes(version)) throw NoPostgres({ looked: below });
  return folderOf(version);
}

/** Folder of pg_dump and pg_restore that know a server: of its own version, else the oldest that is newer. */
export async function findDumpPrograms(server: number): Promise<string> {
  const versions = await listVersions("pg_dump");
  const version = versions.find((one) => one >= server);
  if (version === undefined) throw NoDumpProgram({ server, found: versions.join(", ") || "none" });
  return folderOf(version);
}

async function listVersions(program: string): Promise<readonly number[]> {
  const names = await readdir(below).catch(() => []);
  return names
    .map(Number)
    .filter((version) => existsSync(join(folderOf(version), program)))
    .sort((a, b) => a - b);
}

function folderOf(version: number): string {
  return join(below, String(version), "bin");
}
