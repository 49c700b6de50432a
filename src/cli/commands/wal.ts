import { readArchive } from "../../procedures/backup/wal/facts.ts";
import { createFactReader } from "../../procedures/procedure.ts";
import type { Context } from "../context.ts";
import { bytes, duration, instant, table } from "../render/text.ts";

/** What the archive holds, as its repository says. */
export async function listArchive(context: Context, options: { json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const archive = await readArchive(createFactReader(stack, app.performer, app.records));
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(JSON.stringify(archive, null, 2));
    return 0;
  }
  const [oldest] = archive.backups;
  if (oldest === undefined) {
    terminal.out("No base backup yet, so no instant can be restored. Make one with: ipai wal backup --type full");
    return 0;
  }
  const at = (seconds: number) => instant(new Date(seconds * 1000), stack.config.timezone);
  const rows = archive.backups.map((backup) => [
    backup.label,
    backup.type,
    at(backup.stoppedAt),
    duration(backup.stoppedAt - backup.startedAt),
    bytes(backup.databaseBytes),
    bytes(backup.storedBytes),
  ]);
  terminal.out(table([["BASE BACKUP", "TYPE", "ENDED", "TOOK", "DATABASE", "STORED"], ...rows]));
  terminal.out(`Every instant since ${at(oldest.stoppedAt)} can be restored: ipai restore --at "YYYY-MM-DD HH:MM"`);
  return 0;
}
