import { defineError } from "../../../errors/error.ts";

interface Told {
  readonly output?: string;
  readonly found?: string;
}

export const RestoreTooEarly = defineError<{ at: string; first: string | undefined }>("restore.too_early", {
  exitCode: 26,
  message: (d) =>
    d.first === undefined
      ? "There is no base backup yet, so no instant can be restored. Nothing was changed."
      : `${d.at} cannot be reached: the archive begins with a base backup that ended at ${d.first}. Nothing was changed.`,
  hint: () => "`ipai wal` shows what there is; `ipai backup list` shows backups that go back further.",
});

export const RestoreInFuture = defineError<{ at: string; now: string }>("restore.in_future", {
  exitCode: 14,
  message: (d) => `${d.at} is still to come for the database server, where it is ${d.now}. Nothing was changed.`,
  hint: () => "Times without an offset are meant in the stack's zone (timezone in ipai.yaml).",
});

export const RestoreTargetNotReached = defineError<Told>("restore.target_not_reached", {
  exitCode: 33,
  message: (d) =>
    `The instant was not reached: ${(d.output ?? d.found ?? "").trim().split("\n").at(-1)}. The stack serves as before.`,
  hint: () => "`ipai wal verify` finds segments that are missing or damaged. An earlier instant may be reachable.",
});

export const RestoreTargetPassed = defineError<Told>("restore.target_passed", {
  exitCode: 33,
  message: (d) =>
    `The copy is not as it was at that instant: the last transaction in it is ${d.found ?? "later"}. The stack serves as before.`,
  hint: () => "A base backup that ended after the instant would do this; `ipai wal` shows them. Please report it.",
});

export const RestoreAttachmentsMissing = defineError<Told>("restore.attachments_missing", {
  exitCode: 33,
  message: (d) =>
    `Attachments that the restored database names are neither in the filestore, nor in a kept copy of it, nor in a backup: ${d.found ?? ""}`,
  hint: () =>
    "Everything else is restored. Each line names a file; their documents: select res_model, res_id, name from ir_attachment where store_fname = …",
});

export const RestoreDiffers = defineError<Told>("restore.carried_differs", {
  exitCode: 33,
  message: (d) => `The database did not come over as it is in the side cluster. First differences: ${d.found ?? ""}`,
  hint: () => "`-` as it was at the instant, `+` as it came. Nothing was put in the place of the serving database.",
});

export const RestoreCarryFailed = defineError<Told>("restore.carry_failed", {
  exitCode: 33,
  message: (d) =>
    `The database could not be brought into the serving server: ${(d.output ?? "").trim().split("\n").at(-1)}. The stack serves as before.`,
  hint: () =>
    "Does it name a role or an extension that the server does not have any more? Make it again, then try again.",
});

export const RestoreSourceUnknown = defineError<{ given: string; known: string }>("restore.source_unknown", {
  exitCode: 14,
  message: (d) => `There is no stack ${d.given} whose sets may be restored here. Nothing was changed.`,
  hint: (d) =>
    `There is: ${d.known}. A stack lends its sets to those that its backup.restoreInto names, since who operates those gets its data.`,
});

export const RestoreSourceUnreached = defineError<{ source: string }>("restore.source_unreached", {
  exitCode: 26,
  message: (d) => `No repository of ${d.source} is reached from here. Nothing was changed.`,
  hint: () =>
    "A folder is reached only from the machine that it is on. Give that stack a second repository (backup.copies) with an address and a " +
    "password from the environment, and fill it: ipai backup copy.",
});

export const RestoreRepositoryAway = defineError<{ repository: string; others: string }>("restore.repository_away", {
  exitCode: 34,
  message: (d) => `The repository ${d.repository} cannot be opened. Nothing was changed.`,
  hint: (d) => `Take the set from another one: --repository NAME, which may be ${d.others}.`,
});

export const RestoreNewerServer = defineError<{ set: string; server: string }>("restore.newer_server", {
  exitCode: 26,
  message: (d) =>
    `The set is of PostgreSQL ${d.set}, and the server here is ${d.server}, which cannot take it. Nothing was changed.`,
  hint: () => "Upgrade the database server first, or restore into a stack whose server is as new.",
});

export const RestoreSeries = defineError<{ database: string; program: string; series: string }>("restore.series", {
  exitCode: 26,
  message: (d) => `The set is of Odoo ${d.series}, and Odoo here is ${d.program}. Nothing was changed.`,
  hint: () => "Is odoo.command the program that served this database? Put the code of that series back first.",
});

export const RestoreCodeMissing = defineError<{ modules: string }>("restore.code_missing", {
  exitCode: 26,
  message: (d) =>
    `Modules that are installed in the set have no code here: ${d.modules}. Odoo would leave them aside, and run no scheduled action. Nothing was changed.`,
  hint: () =>
    "Put their code into a folder of odoo.addons; a set's folder `configuration` names its commit, or has it.",
});

export const RestorePresentUnreadable = defineError<{ database: string; only: string }>("restore.present_unreadable", {
  exitCode: 26,
  message: (d) =>
    d.only === "files"
      ? `The database ${d.database} cannot be read, so it cannot be told which files it needs. Nothing was changed.`
      : `The database ${d.database} cannot be read, so no set of it can be made first. Nothing was changed.`,
  hint: (d) =>
    d.only === "files"
      ? "Restore the whole set, or the database first."
      : "Run it with --no-backup: the database is kept beside as it is, damaged or not.",
});

export const RestoreNothingKept = defineError<{ run: string }>("restore.nothing_kept", {
  exitCode: 26,
  message: (d) => `Nothing is kept of the run ${d.run}. Nothing was changed.`,
  hint: () => "The whole id of the restore is needed; `ipai runs` shows it. It may have been removed already.",
});

export const RestoreServerFull = defineError<Told>("restore.server_full", {
  exitCode: 35,
  message: () => "The disk of the database server ran full while the database was loaded. The stack serves as before.",
  hint: () => "What was loaded is removed again. Free some space there: kept databases of earlier restores may go.",
});

export const RestoreNoAutomation = defineError<{ stack: string }>("restore.no_automation", {
  exitCode: 14,
  message: (d) => `The stack ${d.stack} has no n8n whose database could be restored. Nothing was changed.`,
  hint: () => "Set services.automation.database in ipai.yaml to the database that n8n uses.",
});

export const RestoreAutomationElsewhere = defineError<{ from: string }>("restore.automation_elsewhere", {
  exitCode: 14,
  message: (d) =>
    `n8n's database of ${d.from} is not restored here: its workflows would act here as they do there, with the same credentials. Nothing was changed.`,
  hint: () =>
    "The set has each workflow as JSON (automation/workflows), without credentials and for n8n to import: `restic restore` brings them.",
});

export const RestoreNoAutomationInSet = defineError<Told>("restore.no_automation_in_set", {
  exitCode: 26,
  message: () => "The set has no database of n8n's. Nothing was changed.",
  hint: () =>
    "`ipai backup list` shows other sets. Why it is missing, `ipai runs show SET` says; `ipai status` tells of the newest (IPAI-AUTOMATION-003).",
});

export const RestoreAutomationKey = defineError<Told>("restore.automation_key", {
  exitCode: 33,
  message: (d) =>
    `n8n has another key than on that day, and could not read its credentials: ${(d.found ?? "").trim()} differs from the set's, or is missing. Nothing was changed.`,
  hint: () =>
    "The set has that key (configuration/automation). Put it in its place while n8n is stopped, keep the present one, and run the command again.",
});

export const RestoreDatabaseBusy = defineError<Told>("restore.database_busy", {
  exitCode: 27,
  retryable: true,
  message: (d) =>
    `Somebody else is connected to the database, whose work would go on in the one that is set aside: ${d.found ?? ""}.`,
  hint: () =>
    "End that session (a report? an Odoo started by hand?) and run the command again. The stack serves as before.",
});
