import { type BackupEntry, listBackups as readBackups } from "../../procedures/backup/calls.ts";
import type { Context } from "../context.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";

/** The catalogue of backups: what there is, and what is proven. */
export async function listBackups(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const backups = await readBackups(app.records, stack.name, 100);
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(JSON.stringify(backups, null, 2));
    return 0;
  }
  if (backups.length === 0) {
    terminal.out("No backup yet. Make one with: ipai backup");
    return 0;
  }
  const rows = backups.map((backup) => [
    backup.id,
    instant(backup.takenAt, stack.config.timezone),
    bytes(backup.databaseBytes),
    backup.storedBytes === null ? "?" : bytes(backup.storedBytes),
    String(backup.files),
    describeProof(terminal, backup),
  ]);
  terminal.out(table([["BACKUP", "TAKEN", "DATABASE", "STORED", "FILES", "PROOF"], ...rows]));
  return 0;
}

function describeProof(terminal: Terminal, backup: BackupEntry): string {
  if (backup.proof !== null) {
    const { seconds, tables, rows, attachments } = backup.proof;
    return terminal.style(
      "green",
      `proven in ${duration(seconds)}: ${tables} tables, ${rows} rows, ${attachments} attachments`,
    );
  }
  const why = backup.doubt === null ? "" : `, see ipai runs show ${backup.doubt.run}`;
  return terminal.style("yellow", `not proven${why}`);
}
