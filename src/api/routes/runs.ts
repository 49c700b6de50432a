import { z } from "zod";
import { Forbidden } from "../../access/forbidden.ts";
import { rightToConsent } from "../../access/principal.ts";
import { stacksOf } from "../../access/rights.ts";
import { approveRun, listApprovals } from "../../engine/consent.ts";
import { sendSignal } from "../../engine/events.ts";
import { decideRun, getRun, listRuns, listSteps, type Run, requestCancel, type Tables } from "../../engine/journal.ts";
import { beginOnce, findBegun, type Request } from "../../engine/requests.ts";
import { hashPlan } from "../../runbook/hash.ts";
import { type Plan, undoClassOf } from "../../runbook/plan.ts";
import { planJson, renderPlan } from "../../runbook/render.ts";
import { renderScript } from "../../runbook/script.ts";
import type { Json } from "../../runbook/value.ts";
import { approvalSchema, planSchema, runSchema } from "../contract.ts";
import { type Asked, endpoint, type Guard } from "../endpoint.ts";
import type { ApiPorts } from "../ports.ts";
import { BadRequest, NotFound, PlanIsOther } from "../problem.ts";
import { runJson, summaryJson } from "../shapes.ts";

/** Runs: looking, starting, consenting, and what a person decides about one under way. */

const params = z.object({ run: z.string().describe("Its id, or a part that only one run has") });

export const listRunsEndpoint = endpoint({
  ...{ method: "get", path: "/api/runs", tag: "runs", summary: "The latest runs, without their steps" },
  query: z.object({
    stack: z.string().optional(),
    limit: z.coerce.number().int().min(1).max(200).default(20),
    waiting: z.stringbool().default(false).describe("Those that somebody has to consent to, or decide about"),
    all: z.stringbool().default(false).describe("Also those that only looked, and found what they should"),
  }),
  answer: z.array(runSchema),
  handle: async ({ query, ports, guard }) => {
    guard.signedIn();
    const { stack, all: quiet, waiting: isWaiting, limit } = query;
    // Not those of others first: they would fill the list, and be left out of it then.
    const seen = stacksOf(guard.principal.limits ?? guard.principal.grants, Object.keys(ports.stacks));
    const stacks = stack === undefined ? seen : seen.filter((name) => name === stack);
    const runs = await listRuns(ports.control, limit, { stacks, quiet, isWaiting });
    return runs.filter((run) => guard.can("look", ports.subjectOf(run))).map(summaryJson);
  },
});

export const showRun = endpoint({
  ...{ method: "get", path: "/api/runs/{run}", tag: "runs", summary: "One run with its steps and consents" },
  params,
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async (asked) => answerRun(asked.ports, await findRun(asked, "look")),
});

export const showPlan = endpoint({
  ...{
    method: "get",
    path: "/api/runs/{run}/plan",
    tag: "runs",
    summary: "The plan of a run, for machines and people",
  },
  params,
  answer: planSchema,
  handle: async (asked) => describePlan((await findRun(asked, "look")).plan),
});

const toStart = z.object({
  stack: z.string(),
  procedure: z.string().describe("As GET /api/procedures names it"),
  input: z.record(z.string(), z.unknown()).default({}),
});

export const previewPlan = endpoint({
  ...{ method: "post", path: "/api/plans", tag: "runs", summary: "What a procedure would do now; nothing is kept" },
  body: toStart,
  answer: planSchema,
  handle: async ({ body, ports, guard }) => describePlan(await planFor(ports, guard, body)),
});

type ToBegin = z.output<typeof toStart> & { readonly planHash?: string | undefined };

export const startRun = endpoint({
  ...{ method: "post", path: "/api/runs", tag: "runs", status: 201 },
  summary:
    "Plan a procedure and, with consent, have it carried out. Repeated with the same Idempotency-Key it is begun once",
  body: toStart.extend({
    consent: z.boolean().default(true).describe("false: the plan waits for somebody's consent"),
    planHash: z.string().optional().describe("Of the plan that was read: another one is not begun"),
  }),
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async ({ body, headers, ports, guard }) => {
    const { handle: actor, via } = guard.principal;
    const key = headers.get("idempotency-key");
    if (key !== null && key.length > 200) throw BadRequest({ reason: "its idempotency key is too long" });
    const request = key === null ? undefined : { actor, key, content: body as unknown as Json };
    guard.signedIn();
    const begun = request === undefined ? undefined : await findBegun(ports.control, request);
    const id = begun ?? (await plan(ports, guard, body, request));
    const run = await getRun(ports.control, id);
    guard.need("start", ports.subjectOf(run), `run ${id}`);
    const hasConsented = (await listApprovals(ports.control, run)).some((one) => one.actor === actor);
    // Also of a repetition: what was interrupted may have been the consent.
    if (body.consent && !hasConsented && run.status === "planned")
      await approveRun(ports.control, { id, plan_hash: body.planHash ?? run.plan_hash }, actor, { via });
    return begin(ports, id);
  },
});

async function plan(ports: ApiPorts, guard: Guard, body: ToBegin, request: Request | undefined) {
  const { handle: actor } = guard.principal;
  const planned = await planFor(ports, guard, body);
  const hash = hashPlan(planned);
  if (body.planHash !== undefined && body.planHash !== hash) throw PlanIsOther({ given: body.planHash, plan: hash });
  const record = (tables: Tables) => ports.record(tables, planned, actor);
  return beginOnce(ports.control, { request, begin: record }, ports.now());
}

export const approve = endpoint({
  ...{ method: "post", path: "/api/runs/{run}/approvals", tag: "runs", summary: "Consent to exactly this plan" },
  params,
  body: z.object({ planHash: z.string().length(64).describe("Of the plan that was read") }),
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async (asked) => {
    const { body, ports, guard } = asked;
    const run = await findRun(asked, "look");
    const right = rightToConsent(guard.principal, ports.subjectOf(run));
    const { handle, via } = guard.principal;
    if (right === undefined) throw Forbidden({ who: handle, right: "consent", what: `run ${run.id}` });
    await approveRun(ports.control, { id: run.id, plan_hash: body.planHash }, handle, { via, ...right });
    return begin(ports, run.id);
  },
});

export const cancel = endpoint({
  ...{ method: "post", path: "/api/runs/{run}/cancel", tag: "runs", status: 202 },
  summary: "Have a run stopped, and what it did taken back",
  params,
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async (asked) => {
    const { ports, guard } = asked;
    const run = await findRun(asked, "steer");
    await requestCancel(ports.control, run.id, guard.principal.handle);
    ports.carryOut(run.id);
    return answerRun(ports, await getRun(ports.control, run.id));
  },
});

export const decide = endpoint({
  ...{ method: "post", path: "/api/runs/{run}/decision", tag: "runs", status: 202 },
  summary: "Say how a run goes on that stopped at a step",
  params,
  body: z.object({ decision: z.enum(["again", "done", "undo", "abandon"]) }),
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async (asked) => {
    const { body, ports, guard } = asked;
    const run = await findRun(asked, "steer");
    await decideRun(ports.control, run, body.decision, guard.principal.handle);
    ports.carryOut(run.id);
    return answerRun(ports, await getRun(ports.control, run.id));
  },
});

export const signal = endpoint({
  ...{ method: "post", path: "/api/runs/{run}/signals", tag: "runs", status: 202 },
  summary: "Tell a run that what it waits for has come",
  params,
  body: z.object({ signal: z.string().min(1).max(200) }),
  answer: runSchema.extend({ approvals: z.array(approvalSchema) }),
  handle: async (asked) => {
    const { body, ports, guard } = asked;
    const run = await findRun(asked, "steer");
    if (run.status === "ended") throw BadRequest({ reason: `run ${run.id} has ended` });
    await sendSignal(ports.control, run, body.signal, guard.principal.handle);
    return answerRun(ports, run);
  },
});

type AskedForRun = Pick<Asked<{ run: string }, undefined, unknown>, "params" | "ports" | "guard">;

async function findRun({ params: { run: id }, ports, guard }: AskedForRun, right: "look" | "steer"): Promise<Run> {
  const run = await getRun(ports.control, id);
  const subject = ports.subjectOf(run);
  if (!guard.can("look", subject)) throw NotFound({ what: `run ${id}` });
  // What is decided about a run inside another one is decided about that one.
  const outer = await findOutermost(ports, run);
  guard.need(right, ports.subjectOf(outer), `run ${outer.id}`);
  return run;
}

async function findOutermost(ports: ApiPorts, run: Run): Promise<Run> {
  return run.parent === null ? run : findOutermost(ports, await getRun(ports.control, run.parent));
}

/** Before it is planned by the procedure alone, and then by how the plan would be taken back. */
async function planFor(
  ports: ApiPorts,
  guard: Guard,
  { stack, procedure, input }: z.output<typeof toStart>,
): Promise<Plan> {
  const entry = (await ports.procedures()).find(({ name }) => name === procedure);
  if (!Object.hasOwn(ports.stacks, stack)) throw NotFound({ what: `stack ${stack}` });
  if (entry === undefined) throw NotFound({ what: `procedure ${procedure}` });
  guard.need("start", ports.subjectOf({ stack, procedure }), `${procedure} on ${stack}`);
  const plan = await ports.plan(procedure, stack, input as Json);
  const subject = ports.subjectOf({ stack, procedure, undo_class: undoClassOf(plan) });
  guard.need("start", subject, `${procedure} on ${stack}`);
  return plan;
}

/** Also when somebody is still missing: then it waits for her, and people are told so. */
async function begin(ports: ApiPorts, id: string) {
  const run = await getRun(ports.control, id);
  const approvals = await listApprovals(ports.control, run);
  if (run.status !== "ended" && approvals.length > 0) ports.carryOut(id);
  return answerRun(ports, run);
}

async function answerRun({ control }: ApiPorts, run: Run) {
  const [steps, approvals] = await Promise.all([listSteps(control, run.id), listApprovals(control, run)]);
  return { ...runJson(run, steps), approvals: approvals.map((one) => ({ ...one, at: one.at.toISOString() })) };
}

function describePlan(plan: Plan) {
  return { plan: planJson(plan), text: renderPlan(plan, { detail: true }), script: renderScript(plan) };
}
