import { defineError } from "../../../errors/error.ts";

interface Told {
  readonly output?: string;
  readonly found?: string;
}

const lastLine = ({ output, found }: Told) => (output ?? found ?? "").trim().split("\n").at(-1) ?? "";

export const NoPast = defineError<{ id: string }>("past.unknown", {
  exitCode: 26,
  message: (d) => `There is no opened past ${d.id}. Nothing was changed.`,
  hint: () => "`ipai past list` shows those that are open; `ipai restore --at … --look` opens one.",
});

export const PastWritable = defineError<Told>("past.writable", {
  exitCode: 33,
  message: (d) => `The opened past took a change, or did not say why not (${d.found ?? ""}): it cannot be relied on.`,
  hint: () => "Close it and open the instant anew. Did somebody promote that server? Please report it if nobody did.",
});

export const PastMoved = defineError<Told>("past.moved", {
  exitCode: 33,
  message: () =>
    "The opened past does not stand at its instant any more: its server is down, or somebody let it go on. Nothing was changed.",
  hint: () =>
    "Was the machine started again? Close it (`ipai past close`), then open the instant anew: `ipai restore --at … --look`.",
});

export const PastNotCompared = defineError<Told>("past.not_compared", {
  exitCode: 33,
  message: (d) => `The past could not be compared with the present: ${lastLine(d)}.`,
  hint: () => "Was a table changed meanwhile by an update of modules? Then try again: `ipai past look ID`.",
});

export const PastRecordMissing = defineError<Told>("past.record_missing", {
  exitCode: 26,
  message: (d) => `Not all of these records are in the opened past: ${lastLine(d)}. Nothing was written.`,
  hint: () => "`ipai past show ID MODEL` lists what differs. A record that was made later is not in it.",
});

export const PastModelUnknown = defineError<Told>("past.no_model", {
  exitCode: 26,
  message: (d) => `The opened past has no table of such a model: ${lastLine(d)}. Nothing was written.`,
  hint: () => "Write it as Odoo does, such as account.move. A model without a table of its own has no records.",
});

export const PastRecordNotSo = defineError<Told>("past.record_not_so", {
  exitCode: 26,
  message: (d) =>
    `The record is not as it would have to be now: ${lastLine(d)}. What was deleted must be gone, and what was changed must be there, once.`,
  hint: () => "Write its id instead of its name, or the other word: deleted, changed.",
});

export const PastNotFound = defineError<Told>("past.not_found", {
  exitCode: 26,
  message: (d) => `No such transaction was found: ${lastLine(d)}. Everything that was searched is in the plan's notes.`,
  hint: () =>
    "Go back further with --since. A table that was rewritten meanwhile (VACUUM FULL, a change of a column's type) ends the trail.",
});

export const PastTooMany = defineError<Told>("past.too_many", {
  exitCode: 26,
  message: (d) => `Too many transactions may be meant: ${lastLine(d)}. Nothing was looked at.`,
  hint: () => "Narrow it with a later --since, or write the record's id instead of its name.",
});
