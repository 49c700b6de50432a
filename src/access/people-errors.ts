import { defineError } from "../errors/error.ts";

/** What can be wrong with what somebody wants of people. */

export const PersonNotFound = defineError<{ handle: string }>("people.not_found", {
  exitCode: 14,
  message: (d) => `There is nobody ${d.handle}. Nothing was changed.`,
  hint: () => "`ipai people` lists everybody.",
});

export const PersonLeft = defineError<{ handle: string; since: string }>("people.left", {
  exitCode: 25,
  message: (d) => `${d.handle} left on ${d.since}. Nothing was changed.`,
  hint: () => "Who comes back is added as a new person, with a handle of her own.",
});

export const BadName = defineError<{ given: string; what: string }>("people.bad_name", {
  exitCode: 14,
  message: (d) => `"${d.given}" cannot be ${d.what}. Nothing was changed.`,
  hint: () =>
    "A handle begins with a letter, has only a-z, 0-9, dots, - and _, and is not root; a shell name is what `whoami` or the comment of an SSH key says; an address is NAME@DOMAIN.",
});

export const NameTaken = defineError<{ name: string; holder: string }>("people.name_taken", {
  exitCode: 25,
  message: (d) =>
    `${d.name} belongs to ${d.holder} already, as handle, former handle, shell name or address, and two people must not be one actor. Nothing was changed.`,
  hint: (d) =>
    `Choose another one. If it is only a shell name, it can be taken from her: ipai people change ${d.holder} --shell NAMES`,
});
