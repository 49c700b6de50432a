import { defineError } from "../../errors/error.ts";

interface Found {
  readonly found: string;
}

export const DatabaseDamaged = defineError<Found>("database.damaged", {
  exitCode: 36,
  message: (d) => `The database is damaged on disk. Nothing was changed. ${d.found}`,
  hint: () =>
    "An index is made anew from its table: `reindex index concurrently NAME`. For a table, first copy the server's data folder away, then restore: the " +
    "newest proven backup, or an instant before (`ipai restore`). Look at the disk (`smartctl`, `dmesg`). Until a check finds the database sound, no backup is removed. Wrong checksums that the server itself met count for eight days after the last: when what had them is repaired or gone, `select pg_stat_reset()` in its database forgets them.",
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

export const NoMaintenance = defineError<{ stack: string }>("maintenance.not_configured", {
  exitCode: 11,
  message: (d) =>
    `${d.stack} has no maintenance mode: services.proxy.maintenance is not configured. Nothing was changed.`,
  hint: () =>
    "Include sandbox/compose/maintenance.conf in the nginx in front of Odoo, and name the folder in ipai.yaml: docs/operating/maintenance.md.",
});

interface ProbeDetails {
  readonly title: string;
  readonly found: string;
}

export const MaintenanceNotClosed = defineError<ProbeDetails>("maintenance.not_closed", {
  exitCode: 43,
  message: (d) =>
    `Users are not kept out: of "${d.title}" the public address answered ${JSON.stringify(d.found.slice(0, 80))}, although the flag is there.`,
  hint: () =>
    "Does the server block of the public address include maintenance.conf, with the folder as nginx sees it? May nginx's user enter it (namei -l FOLDER/on)? After nginx.conf was changed: nginx -t, then nginx -s reload.",
});

export const MaintenanceIsOver = defineError<{ until: string }>("maintenance.over", {
  exitCode: 14,
  message: (d) => `A maintenance until ${d.until} would be over already. Nothing was changed.`,
  hint: () => "--for 30m counts from now; --until takes an instant that is still to come.",
});

export const MaintenanceIsOff = defineError<{ stack: string }>("maintenance.is_off", {
  exitCode: 26,
  message: (d) => `No maintenance of ${d.stack} is on. Nothing was changed.`,
  hint: () => "`ipai maintenance status` shows what the public address answers.",
});

export const MaintenanceServesNobody = defineError<ProbeDetails>("maintenance.serves_nobody", {
  exitCode: 43,
  retryable: true,
  message: (d) => `Odoo does not serve behind the maintenance: ${d.title} is not so. Users are still kept out.`,
  hint: () => "`ipai health` says what is wrong with it. `--although` lets users in nevertheless.",
});
