import { defineError } from "../../../errors/error.ts";

/** Why an upgrade to another series is refused before it starts, or taken back. */

const untouched = "Nothing was changed.";

export const NoSuccessor = defineError<{ series: string; known: string }>("upgrade.no_successor", {
  exitCode: 23,
  message: (d) => `The configuration does not say where the Odoo of series ${d.series} lies. ${untouched}`,
  hint: (d) =>
    `Known: ${d.known || "none"}. odoo.upgrade has a link, by which services find their Odoo, and the folder that it will lead to (docs/operating/major-upgrades.md).`,
});

export const MajorOnlyNative = defineError<{ stack: string }>("upgrade.major_only_native", {
  exitCode: 23,
  message: (d) =>
    `The services of ${d.stack} are containers, and an upgrade to another series changes their image, which ipai does not do. ${untouched}`,
  hint: () =>
    "Do it by hand on a copy first: `ipai restore copy` makes one. Scripts under migrations/ can be run with psql there.",
});

export const LinkElsewhere = defineError<{ link: string; found: string }>("upgrade.link_elsewhere", {
  exitCode: 23,
  message: (d) => `${d.link} is no link to a folder (found: ${d.found || "nothing"}). ${untouched}`,
  hint: () => "odoo.upgrade.link has to be the symbolic link by which services find the Odoo that serves now.",
});

export const WrongSuccessor = defineError<{ folder: string; found: string; wanted: string }>(
  "upgrade.wrong_successor",
  {
    exitCode: 23,
    message: (d) => `In ${d.folder} lies ${d.found}, and not one of series ${d.wanted}. ${untouched}`,
    hint: () => "odoo.upgrade.to names a folder for each series. Is it the right one?",
  },
);

export const ModulesIncompatible = defineError<{ count: string; modules: string }>("upgrade.modules_incompatible", {
  exitCode: 23,
  message: (d) => `${d.count} installed modules do not fit: ${d.modules}. ${untouched}`,
  hint: () =>
    "Bring their code for the new series, or uninstall them in Odoo. Those that scripts rename, merge or remove are named with --without.",
});

export const WithoutUnknown = defineError<{ modules: string }>("upgrade.without_unknown", {
  exitCode: 23,
  message: (d) => `There is nothing to do without: ${d.modules} would be upgraded. ${untouched}`,
  hint: () => "--without names installed modules that the new series has no code for.",
});

export const NoUpgradeScripts = defineError<{ from: string; to: string; folder: string }>("upgrade.no_scripts", {
  exitCode: 23,
  message: (d) =>
    `There are no scripts that bring a database from ${d.from} to ${d.to}, and Odoo itself has none: it ends in its first second. ${untouched}`,
  hint: (d) =>
    `Name folders of upgrade scripts (OpenUpgrade's) with --upgrade-path, or put scripts into ${d.folder} of the source repository.`,
});

export const ScriptsUnreadable = defineError<{ faults: string }>("upgrade.scripts_unreadable", {
  exitCode: 23,
  message: (d) => `The migration scripts cannot be taken as they are: ${d.faults}. ${untouched}`,
  hint: () => "They are called NN_name.sql or NN_name.py, no number twice, and are texts in UTF-8.",
});

export const MigrationChanged = defineError<{ scripts: string }>("upgrade.migration_changed", {
  exitCode: 23,
  message: (d) => `The database has had these scripts already, with another text: ${d.scripts}. ${untouched}`,
  hint: () =>
    "A script that was run stays as it is. What is to be corrected goes into a new one, with a higher number.",
});

export const FolderMissing = defineError<{ folder: string }>("upgrade.folder_missing", {
  exitCode: 23,
  message: (d) => `There is no folder ${d.folder}. ${untouched}`,
  hint: () => "--upgrade-path names folders on the stack's machine, readable by Odoo's user.",
});

interface Ended {
  readonly output?: string;
}

export const MigrationFailed = defineError<Ended>("upgrade.migration_failed", {
  exitCode: 48,
  message: (d) => `A migration script failed, and nothing of it stays: ${causeOf(d)}`,
  hint: () =>
    "Correct it and run the command again. A script cannot commit, nor hold what runs outside of a transaction.",
});

/** What psql and Python say last is where, not what. */
function causeOf({ output }: Ended): string {
  const lines = output?.trim().split("\n") ?? [];
  return (lines.find((line) => line.includes("ERROR:")) ?? lines.at(-1) ?? "it gives no reason").trim();
}

export const MigrationNotRecorded = defineError<{ found: string }>("upgrade.migration_not_recorded", {
  exitCode: 48,
  message: () => "A migration script was run, but the database has no record of it with that text.",
  hint: () => "Does the script touch the table ipai.migrations?",
});

export const LinkMoved = defineError<{ found: string }>("upgrade.link_moved", {
  exitCode: 25,
  message: (d) => `The link does not lead where it did when the plan was made (it leads to ${d.found}).`,
  hint: () => "Did somebody change it meanwhile? Run the command again.",
});
