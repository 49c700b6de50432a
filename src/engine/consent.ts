import { type ExpressionBuilder, sql } from "kysely";
import { defineError, type IpaiError, toIpaiError } from "../errors/error.ts";
import { record } from "./audit.ts";
import type { Control } from "./control.ts";
import { auditRun, type Run, type Tables } from "./journal.ts";
import type { ControlSchema } from "./schema.ts";

/** Consent to a plan: whose it needs, who gave it, and when it is refused. A refusal is kept as well. */

export const ApprovalOfOtherPlan = defineError<{ run: string; given: string; plan: string }>("approval.other_plan", {
  exitCode: 22,
  message: (d) =>
    `The consent is to plan ${d.given.slice(0, 12)}, but run ${d.run} has plan ${d.plan.slice(0, 12)}. It was not taken.`,
  hint: (d) => `Read the plan that is to run (\`ipai runs show ${d.run}\`), and consent to that one.`,
});

export const ApprovalTooLate = defineError<{ run: string; status: string }>("approval.too_late", {
  exitCode: 22,
  message: (d) => `Run ${d.run} needs no consent any more: it is ${d.status}. Nothing was changed.`,
  hint: (d) => `\`ipai runs show ${d.run}\` says what became of it. A plan that ended is made anew.`,
});

export const ApprovalExpired = defineError<{ run: string; until: string }>("approval.expired", {
  exitCode: 22,
  message: (d) => `The plan of run ${d.run} was good until ${d.until}. Nothing was started.`,
  hint: () => "Run the command again: it makes a new plan from the stack as it is now.",
});

export const ApprovalNeedsOther = defineError<{ run: string; actor: string; needed: number }>("approval.needs_other", {
  exitCode: 23,
  message: (d) => `${d.actor} has consented to run ${d.run} already; it needs ${d.needed} people. Nothing was started.`,
  hint: (d) => `Somebody else reads the plan and consents: ipai approve ${d.run}`,
});

/** How somebody consents, beyond that he does. */
export interface Manner {
  /** `shell`, `session`, `token NAME`. */
  readonly via?: string;
  /** Whose absence gives him the right. */
  readonly onBehalfOf?: string;
}

/** Records a person's consent to exactly this plan, or why it is not taken. `run.plan_hash` is the hash of the plan that he saw. */
export async function approveRun(
  control: Control,
  run: Pick<Run, "id" | "plan_hash">,
  actor: string,
  manner: Manner = {},
): Promise<void> {
  try {
    await control.db.transaction().execute(async (tx) => {
      const found = await tx.selectFrom("runs").selectAll().where("id", "=", run.id).forUpdate().executeTakeFirst();
      const refusal = found === undefined ? undefined : findRefusal(found, run.plan_hash, new Date());
      if (refusal !== undefined) throw refusal;
      if (found !== undefined && !(await giveConsent({ db: tx }, found, actor, manner)))
        throw ApprovalNeedsOther({ run: run.id, actor, needed: found.consents });
    });
  } catch (thrown) {
    const error = toIpaiError(thrown);
    if (error.code.startsWith("approval.")) await noteRefusal(control, run, actor, manner, error);
    throw error;
  }
}

function findRefusal(run: Run, seen: string, now: Date): IpaiError | undefined {
  const { id, status, waiting_for, outcome, plan_hash, consent_until: until } = run;
  const isOpen = status === "planned" || waiting_for === "approval";
  if (!isOpen) return ApprovalTooLate({ run: id, status: outcome ?? status });
  if (seen !== plan_hash) return ApprovalOfOtherPlan({ run: id, given: seen, plan: plan_hash });
  return isExpired(run, now) ? ApprovalExpired({ run: id, until: until?.toISOString() ?? "" }) : undefined;
}

export function isExpired({ consent_until: until }: Pick<Run, "consent_until">, now: Date): boolean {
  return until !== null && until < now;
}

async function noteRefusal(
  control: Control,
  { id, plan_hash }: Pick<Run, "id" | "plan_hash">,
  actor: string,
  { via = "shell" }: Manner,
  { code }: IpaiError,
): Promise<void> {
  const detail = { reason: code, plan: plan_hash, via };
  await control.db.transaction().execute(async (tx) => {
    const run = await tx.selectFrom("runs").select("stack").where("id", "=", id).executeTakeFirst();
    await record(
      tx,
      { actor, action: "run.approval_refused", stack: run?.stack ?? null, subject: id, detail },
      new Date(),
    );
  });
}

/** Without asking: what a schedule stands for, or what the plan around it was approved with. False: it was there before. */
export async function giveConsent({ db }: Tables, run: Run, actor: string, manner: Manner = {}): Promise<boolean> {
  const { via = "shell", onBehalfOf } = manner;
  const given = await db
    .insertInto("approvals")
    .values({ run: run.id, plan_hash: run.plan_hash, actor, via, on_behalf_of: onBehalfOf ?? null })
    .onConflict((conflict) => conflict.doNothing())
    .returning("run")
    .executeTakeFirst();
  if (given === undefined) return false;
  const detail = { plan: run.plan_hash, via, ...(onBehalfOf === undefined ? {} : { onBehalfOf }) };
  await auditRun(db, run, "run.approved", actor, detail);
  return true;
}

/**
 * As many different people have consented to the plan as it needs: as many who did it, and as many by whose right. Who has another name
 * now is still one, and so is an absent person with two deputies.
 */
export function hasConsent({ selectFrom }: ExpressionBuilder<ControlSchema, "runs">) {
  return selectFrom("approvals")
    .whereRef("approvals.run", "=", "runs.id")
    .whereRef("approvals.plan_hash", "=", "runs.plan_hash")
    .select(
      sql<boolean>`least(
        count(distinct ${personBehind("approvals.actor")}),
        count(distinct ${personBehind("coalesce(approvals.on_behalf_of, approvals.actor)")})
      ) >= runs.consents`.as("enough"),
    );
}

/** Of nobody that is known, such as a schedule, the name. */
function personBehind(name: string) {
  const given = sql.raw(name);
  return sql`coalesce((
    select people.id from people
    where people.handle = ${given} or ${given} = any(people.former_handles) or ${given} = any(people.shell_names) limit 1
  ), ${given})`;
}

export async function isApproved(control: Tables, run: Pick<Run, "id">): Promise<boolean> {
  const found = await control.db
    .selectFrom("runs")
    .select((eb) => hasConsent(eb).as("enough"))
    .where("id", "=", run.id)
    .executeTakeFirst();
  return found?.enough === true;
}

export interface Approval {
  readonly actor: string;
  readonly at: Date;
  readonly via: string;
  readonly onBehalfOf: string | null;
}

/** Who has consented to the plan of a run, in order. */
export async function listApprovals(control: Tables, run: Pick<Run, "id" | "plan_hash">): Promise<readonly Approval[]> {
  return control.db
    .selectFrom("approvals")
    .select(["actor", "at", "via", "on_behalf_of as onBehalfOf"])
    .where("run", "=", run.id)
    .where("plan_hash", "=", run.plan_hash)
    .orderBy("at")
    .execute();
}
