import { defineError } from "../../../errors/error.ts";

/** Why a staging copy is not made, or not served. */

interface Told {
  readonly output?: string;
  readonly found?: string;
}

export const CopyLeaks = defineError<Told>("restore.copy_leaks", {
  exitCode: 33,
  message: (d) =>
    `The copy could still reach somebody: ${d.found ?? ""}. No Odoo was started on it, and it is removed.`,
  hint: () =>
    "A module of yours may put it back by a trigger or a rule. Its own data/neutralize.sql is the place to take it out.",
});

export const CopyNameTaken = defineError<{ name: string; what: string }>("restore.copy_name_taken", {
  exitCode: 26,
  message: (d) => `${d.name} cannot be the name of a copy: there is ${d.what} of that name. Nothing was changed.`,
  hint: () => "Choose another name, or close the copy that has it: `ipai resources`.",
});

export const CopyListed = defineError<Told>("restore.copy_listed", {
  exitCode: 33,
  message: () => "The stack's Odoo knows of the copy: it is in its list of databases. The copy is removed.",
  hint: () => "Give Odoo one database in its configuration (db_name, dbfilter), and begin again.",
});

export const CopyGone = defineError<Told>("restore.copy_gone", {
  exitCode: 26,
  message: (d) => `There is no database ${d.found ?? ""} for the copy any more. Nothing was started.`,
  hint: () => "Close it: `ipai resources close NAME`; then make it anew.",
});
