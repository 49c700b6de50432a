import type { Records } from "../../engine/records.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Finding } from "../monitoring/check.ts";
import { type BackupEntry, listBackups } from "./calls.ts";
import { findSizeFaults, type Sizes, usualPercent } from "./sizes.ts";

/** What the catalogue says that is not well with the backups. Beside the health checks, which need no control database. */
export async function findBackupFaults(records: Records, stack: Stack): Promise<readonly Finding[]> {
  if (stack.config.backup === undefined) return [];
  return judgeSizes(await listBackups(records, stack.name));
}

function judgeSizes(backups: readonly BackupEntry[]): readonly Finding[] {
  const [last, ...earlier] = backups;
  if (last === undefined) return [];
  return findSizeFaults(sizesOf(last), earlier.map(sizesOf)).map(({ what, bytes, usualBytes, percent }) => ({
    code: what === "database" ? "IPAI-BACKUP-001" : "IPAI-BACKUP-002",
    title: `Size of the ${what} in the last backup`,
    unit: "% of the usual",
    status: "warn",
    value: percent,
    threshold: percent < usualPercent.least ? usualPercent.least : usualPercent.most,
    hint:
      `${megabytes(bytes)} in backup ${last.id}, and ${megabytes(usualBytes)} usually. Was much deleted or brought in, or is it another ` +
      "database? `ipai backup verify` proves what is in it; pin an older one until that is known: `ipai backup pin`.",
    milliseconds: 0,
  }));
}

function sizesOf({ databaseBytes, filestoreBytes }: BackupEntry): Sizes {
  return { database: databaseBytes, filestore: filestoreBytes };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
