import { defineError } from "../../../errors/error.ts";

/** Why an upgrade to another series is refused before it starts, or taken back. */

const untouched = "Nothing was changed.";

interface Ended {
  readonly output?: string;
}

export const NoSuccessor = defineError<{ series: string; known: string }>("upgrade.no_successor", {
  exitCode: 23,
  message: (d) => `The configuration does not say where the Odoo of series ${d.series} lies. ${untouched}`,
  hint: (d) =>
    `Known: ${d.known || "none"}. odoo.upgrade has a link, by which services find their Odoo, and the folder that it will lead to; of a compose project the variables that name the image (docs/operating/major-upgrades.md).`,
});

export const LinkElsewhere = defineError<{ link: string; found: string }>("upgrade.link_elsewhere", {
  exitCode: 23,
  message: (d) => `${d.link} is no link to a folder (found: ${d.found || "nothing"}). ${untouched}`,
  hint: () => "odoo.upgrade.link has to be the symbolic link by which services find the Odoo that serves now.",
});

export const WrongSuccessor = defineError<{ where: string; found: string; wanted: string }>("upgrade.wrong_successor", {
  exitCode: 23,
  message: (d) => `In ${d.where} lies ${d.found}, and not one of series ${d.wanted}. ${untouched}`,
  hint: () => "odoo.upgrade.to names a folder, or an image, for each series. Is it the right one?",
});

export const ImageUnfit = defineError<{ series: string; reasons: string }>("upgrade.image_unfit", {
  exitCode: 23,
  message: (d) => `Services cannot be made of the image of series ${d.series}: ${d.reasons}. ${untouched}`,
  hint: () =>
    "An image is there before (`docker pull`, `docker compose build`), under a name of its own that the variables of odoo.upgrade give (docs/operating/major-upgrades.md#on-docker-compose).",
});

export const VariablesFixed = defineError<Ended>("upgrade.variables_fixed", {
  exitCode: 23,
  message: (d) => `The file with the project's variables cannot be exchanged: ${causeOf(d)}. ${untouched}`,
  hint: () => "It is a file, and whoever ipai works as on the machine may write in its folder.",
});

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
  hint: () =>
    "--upgrade-path names folders on the stack's machine, or in the container of Odoo's commands, readable by Odoo's user.",
});

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

export const VariablesMoved = defineError<{ found: string }>("upgrade.variables_moved", {
  exitCode: 25,
  message: (d) => `The project's variables are not what they should be (found: ${d.found || "none"}).`,
  hint: () => "Did somebody change them meanwhile? Run the command again.",
});

export const ImageMoved = defineError<{ found: string }>("upgrade.image_moved", {
  exitCode: 25,
  message: (d) => `An image's name means another one than when the plan was made (${d.found}).`,
  hint: () => "Was it pulled or built meanwhile? Run the command again.",
});

export const ImageElsewhere = defineError<{ found: string }>("upgrade.image_elsewhere", {
  exitCode: 48,
  message: (d) => `A service was made of another image than that of the new series (${d.found}).`,
  hint: () =>
    "Does a variable of the environment, or another compose file of the commit, say otherwise than .env? `docker compose config` shows it.",
});
