import { type Entry, isWithin } from "../runbook/plan.ts";
import { inTransaction } from "./audit.ts";
import { claimRun } from "./claim.ts";
import { giveConsent } from "./consent.ts";
import { InnerProcedureFailed, InnerProcedureWaits, MandateExceeded } from "./errors.ts";
import { createRun, findInnerRun, type Run, updateRun } from "./journal.ts";
import { persist } from "./persist.ts";
import { openSession, type Session } from "./session.ts";
import { journaled } from "./step.ts";
import { undoAll } from "./undo.ts";

/** A procedure inside a plan: planned when it is reached, held to its mandate, carried out under the outer run's lease. */
export async function runInner(
  session: Session,
  entry: Entry,
  carry: (run: string, outer: Session) => Promise<Run>,
): Promise<void> {
  await journaled(session, { path: entry.path, phase: "do" }, entry.step, async () => {
    const inner = await openInner(session, entry);
    const { id, status, outcome, error } = inner.status === "ended" ? inner : await carry(inner.id, session);
    if (outcome === "succeeded") return { outcome: "succeeded" };
    const details = { run: id, title: entry.step.title, reason: error?.message ?? "its story tells why." };
    throw status === "waiting" ? InnerProcedureWaits(details) : InnerProcedureFailed(details);
  });
}

/** Consent to the outer plan is consent to everything within the mandate. */
async function openInner(session: Session, entry: Entry): Promise<Run> {
  const { engine, run } = session;
  const { step, path } = entry;
  if (step.kind !== "procedure") throw new TypeError(`${path} is no procedure`);
  const place = { run: run.id, step: path };
  const known = await persist(() => findInnerRun(engine.control, place));
  if (known !== undefined && known.status !== "planned") return known;
  const plan = known?.plan ?? (await engine.plan(step.name, undefined, run.stack, step.input));
  if (!isWithin(step.mandate, plan)) throw MandateExceeded({ name: step.name });
  const inner = known ?? (await persist(() => createRun(engine.control, plan, run.actor, new Date(), { place })));
  await persist(() => inTransaction(engine.control.db, (db) => giveConsent({ db }, inner, run.actor, { via: "plan" })));
  return inner;
}

/** Takes back what the procedure inside an entry did, whatever had become of it. Returns whether that had changed anything. */
export async function undoInner(session: Session, entry: Entry): Promise<boolean> {
  const { engine, run } = session;
  const inner = await persist(() => findInnerRun(engine.control, { run: run.id, step: entry.path }));
  if (inner === undefined) return false;
  const claim = await claimRun(engine.control, inner.id, engine.worker, session.claim);
  try {
    const within = await persist(() => openSession(engine, claim, session));
    const changed = await undoAll(within, (deeper) => undoInner(within, deeper));
    await persist(() => within.log.flush());
    const isOpen = inner.status !== "ended" || (inner.outcome === "succeeded" && changed);
    const outcome = changed ? "undone" : "failed";
    const end = { status: "ended", outcome, waiting_for: null, finished_at: new Date() } as const;
    if (isOpen) await persist(() => updateRun(engine.control, claim, end));
    return changed;
  } finally {
    await claim.release();
  }
}

/** The procedure inside an entry, when it is that one which waits for a person. */
export async function findWaitingInner(session: Session, entry: Entry): Promise<Run | undefined> {
  if (entry.step.kind !== "procedure") return undefined;
  const place = { run: session.run.id, step: entry.path };
  const inner = await persist(() => findInnerRun(session.engine.control, place));
  return inner?.status === "waiting" ? inner : undefined;
}
