import { defineError } from "../../errors/error.ts";

/** Why an upgrade is refused before it starts, or judged as failed although Odoo said nothing. */

const untouched = "Nothing was changed.";

export const UnknownModule = defineError<{ module: string; known: string }>("upgrade.unknown_module", {
  exitCode: 23,
  message: (d) =>
    `There is no module ${d.module} in the managed addons folders. ${untouched} (Odoo would ignore the name and exit with 0.)`,
  hint: (d) => `Known modules: ${d.known || "none"}. Is the folder listed under odoo.addons?`,
});

export const ModuleNotInstalled = defineError<{ module: string }>("upgrade.not_installed", {
  exitCode: 23,
  message: (d) =>
    `The module ${d.module} is not installed, so there is nothing to upgrade. ${untouched} (Odoo would say nothing and exit with 0.)`,
  hint: () => "Install it in Odoo under Apps, or leave it out.",
});

export const ModuleNotInstallable = defineError<{ module: string }>("upgrade.not_installable", {
  exitCode: 23,
  message: (d) =>
    `The module ${d.module} is marked as not installable in its manifest. ${untouched} (Odoo would skip it and exit with 0.)`,
  hint: () => "Is it meant for another Odoo series? Its manifest says `installable: False`.",
});

export const SeriesMismatch = defineError<{ database: string; program: string; ofDatabase: string }>(
  "upgrade.series_mismatch",
  {
    exitCode: 23,
    message: (d) => `Odoo is ${d.program}, but ${d.database} is of series ${d.ofDatabase}. ${untouched}`,
    hint: () => "A module upgrade stays within one series. Is odoo.command the program that serves this database?",
  },
);

export const DatabaseMissing = defineError<{ database: string }>("upgrade.database_missing", {
  exitCode: 23,
  message: (d) =>
    `There is no database ${d.database}. ${untouched} (Odoo would create it, with demo data and the password "admin".)`,
  hint: () => "Is odoo.database spelled right?",
});

export const DatabaseNotInitialised = defineError<{ database: string }>("upgrade.database_not_initialised", {
  exitCode: 23,
  message: (d) =>
    `The database ${d.database} exists but holds no Odoo. ${untouched} (Odoo would log an error and exit with 0.)`,
  hint: () => "Was a restore interrupted? A backup can be put into it.",
});

export const CodeMissing = defineError<{ modules: string }>("upgrade.code_missing", {
  exitCode: 23,
  message: (d) =>
    `The code of installed modules is missing on disk: ${d.modules}. ${untouched} (Odoo would leave them "to upgrade" and exit with 0.)`,
  hint: () => "Was the checkout incomplete, or a folder dropped from odoo.addons?",
});

export const CodeUnreadable = defineError<{ what: string; reason: string }>("upgrade.code_unreadable", {
  exitCode: 23,
  message: (d) => `${d.what} cannot be read: ${d.reason}. ${untouched}`,
  hint: () => "Correct it and run the command again.",
});

export const NothingToUpgrade = defineError<{ count: string }>("upgrade.nothing_to_do", {
  exitCode: 24,
  message: (d) => `None of the ${d.count} managed modules differs from what is installed. ${untouched}`,
  hint: () => "Changed modules are found by content, not by version. To update one all the same, name it.",
});

export const NoSpace = defineError<{ directory: string; free: string; needed: string }>("upgrade.no_space", {
  exitCode: 23,
  message: (d) =>
    `The snapshot would not fit: ${d.directory} has ${d.free} bytes free, ${d.needed} are needed. ${untouched}`,
  hint: () => "Free space on that disk first; without a snapshot there would be no way back.",
});

interface Found {
  readonly found: string;
}

export const CodeChanged = defineError<Found>("upgrade.code_changed", {
  exitCode: 25,
  message: () => "The code of the modules changed after the plan was made.",
  hint: () => "Did a deployment or an editor write to the addons folder? Run the command again.",
});

export const DatabaseBusy = defineError<Found>("upgrade.database_busy", {
  exitCode: 25,
  retryable: true,
  message: (d) =>
    `Somebody else is connected to the database, whose locks would make the update fail half-way: ${d.found}.`,
  hint: () => "End that session (a backup? a report? an Odoo started by hand?) and run the command again.",
});

export const LogErrors = defineError<Found>("upgrade.log_errors", {
  exitCode: 48,
  message: (d) => `Odoo reported errors during the update although it ended with 0: ${d.found}`,
  hint: () => "The line names the module. A constraint that could not be added means that existing rows violate it.",
});

export const ModulesNotLoaded = defineError<Found>("upgrade.not_loaded", {
  exitCode: 48,
  message: (d) => `The update ended, but its log does not show that every module was loaded (found: ${d.found}).`,
  hint: () => "Was the update stopped from outside, or the log level lowered in odoo.conf?",
});

export const ModulesPending = defineError<Found>("upgrade.modules_pending", {
  exitCode: 48,
  message: (d) =>
    `Modules are left between two states: ${d.found}. Odoo would skip all crons and finish the work at its next start, unverified.`,
  hint: () => "Is the code of every dependency there?",
});

export const VersionsWrong = defineError<Found>("upgrade.versions_wrong", {
  exitCode: 48,
  message: (d) => `After the update not every module is installed at the version of its code: ${d.found}.`,
  hint: () => "The log of the update tells what Odoo did with the module.",
});

export const CronsLost = defineError<Found>("upgrade.crons_lost", {
  exitCode: 48,
  message: (d) => `Scheduled actions that were active are not any more: ${d.found}.`,
  hint: () => "If the new version removes or replaces them on purpose, run the upgrade with --accept-lost-crons.",
});

export const UndoDiffers = defineError<Found>("upgrade.undo_differs", {
  exitCode: 49,
  message: () => "The database that was put back is not as it was before the upgrade.",
  hint: () => "The copy and the failed database are both kept. Compare them before anything else is done.",
});
