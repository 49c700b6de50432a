import { inTransaction, record } from "../engine/audit.ts";
import type { Control } from "../engine/control.ts";
import { defineError } from "../errors/error.ts";
import type { Principal } from "./principal.ts";
import type { Right, Subject } from "./rights.ts";

/** What somebody may not do. It is kept, so that trying shows. */

export const Forbidden = defineError<{ who: string; right: Right; what: string }>("access.forbidden", {
  exitCode: 24,
  message: (d) => `${d.who} may not do that (${d.right}) to ${d.what}. Nothing was changed.`,
  hint: () => "`ipai people grants` shows who may do what; an admin gives and takes roles.",
});

export const UnknownPerson = defineError<{ name: string }>("access.unknown_person", {
  exitCode: 24,
  message: (d) => `This plan needs two people, and ${d.name} is nobody that ipai knows. Nothing was started.`,
  hint: (d) =>
    `Work under your own name (sudo), and let an admin add you: ipai people add HANDLE --name NAME --email ADDRESS --shell ${d.name}`,
});

export async function noteForbidden(
  control: Control,
  { handle: actor, via }: Pick<Principal, "handle" | "via">,
  { stack, procedure }: Subject,
  reason: string,
  subject: string,
  now: Date,
): Promise<void> {
  const detail = { reason, via, procedure: procedure?.name ?? null };
  await inTransaction(control.db, (tx) =>
    record(tx, { actor, action: "access.refused", stack: stack ?? null, subject, detail }, now),
  );
}
