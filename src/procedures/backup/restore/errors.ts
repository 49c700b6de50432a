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

export const RestoreServerFull = defineError<Told>("restore.server_full", {
  exitCode: 35,
  message: () => "The disk of the database server ran full while the database was loaded. The stack serves as before.",
  hint: () => "What was loaded is removed again. Free some space there: kept databases of earlier restores may go.",
});

export const RestoreDatabaseBusy = defineError<Told>("restore.database_busy", {
  exitCode: 27,
  retryable: true,
  message: (d) =>
    `Somebody else is connected to the database, whose work would go on in the one that is set aside: ${d.found ?? ""}.`,
  hint: () =>
    "End that session (a report? an Odoo started by hand?) and run the command again. The stack serves as before.",
});
