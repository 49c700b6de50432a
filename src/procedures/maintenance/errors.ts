import { defineError } from "../../errors/error.ts";

interface Found {
  readonly found: string;
}

export const DatabaseDamaged = defineError<Found>("database.damaged", {
  exitCode: 36,
  message: (d) => `The database is damaged on disk. Nothing was changed. ${d.found}`,
  hint: () =>
    "An index is made anew from its table: `reindex index concurrently NAME`. For a table, first copy the server's data folder away, then restore: the " +
    "newest proven backup, or an instant before (`ipai restore`). Look at the disk (`smartctl`, `dmesg`). Until a check finds the database sound, no backup is removed.",
});

export const DatabaseCheckIncomplete = defineError<Found>("database.check_incomplete", {
  exitCode: 37,
  retryable: true,
  message: (d) => `A part of the database could not be checked, so nothing is known of it. ${d.found}`,
  hint: () =>
    "A lock that is held for long, or a time limit? Run `ipai database check` again when nobody changes the structure of tables.",
});

export const DatabaseCheckImpossible = defineError<{ stack: string }>("database.check_impossible", {
  exitCode: 37,
  message: (d) =>
    `PostgreSQL of ${d.stack} does not have the extension amcheck, with which its tables and indexes are read. Nothing was checked.`,
  hint: () =>
    "It is part of PostgreSQL: install the package that has its contributed modules (postgresql-contrib, where it is a package of its own).",
});

export const RemovalHeld = defineError<{ stack: string; run: string; at: string; relations: string }>(
  "backup.removal_held",
  {
    exitCode: 36,
    message: (d) =>
      `No backup of ${d.stack} is removed: its database was found damaged on ${d.at} (run ${d.run}: ${d.relations}), so an old set may be the last good one.`,
    hint: () =>
      "Repair or restore the database; when `ipai database check` finds it sound, `ipai backup prune` works again.",
  },
);
