import { z } from "zod";
import {
  listOccurrences,
  listPauses,
  type Occurrence,
  pauseSchedule,
  unpauseSchedule,
} from "../../engine/occurrences.ts";
import { addOneOff, removeOneOff } from "../../engine/one-offs.ts";
import { listNext, type Schedule } from "../../engine/schedule.ts";
import { undoClassOf } from "../../runbook/plan.ts";
import type { Json } from "../../runbook/value.ts";
import { occurrenceSchema, scheduleSchema } from "../contract.ts";
import { type Asked, endpoint } from "../endpoint.ts";
import { BadRequest, NotFound } from "../problem.ts";
import { findStack } from "./stacks.ts";

/** What runs by itself, and when. */

const params = z.object({ stack: z.string() });
const named = z.object({ stack: z.string(), name: z.string() });

export const listSchedules = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/schedules", tag: "schedules", summary: "The schedules of a stack" },
  params,
  answer: z.array(scheduleSchema),
  handle: async (asked) => {
    const { name, schedules } = findStack(asked);
    const pauses = await listPauses(asked.ports.control, name);
    return schedules.map((schedule) => {
      const paused = pauses.get(schedule.name);
      const [next] = paused === undefined ? listNext(schedule, asked.ports.now(), 1) : [];
      return {
        ...{ name: schedule.name, procedure: schedule.procedure, input: schedule.input, cron: schedule.cron },
        ...{ timezone: schedule.timezone, missed: schedule.missed, next: next?.toISOString() ?? null },
        paused: paused === undefined ? null : { by: paused.by, at: paused.at.toISOString() },
      };
    });
  },
});

export const listTimes = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/occurrences", tag: "schedules" },
  summary: "Times of schedules and of what is to run once, the latest first, and what became of them",
  params,
  query: z.object({ schedule: z.string().optional(), limit: z.coerce.number().int().min(1).max(500).default(50) }),
  answer: z.array(occurrenceSchema),
  handle: async (asked) => {
    const { name } = findStack(asked);
    const { schedule, limit } = asked.query;
    return (await listOccurrences(asked.ports.control, name, limit, schedule)).map(occurrenceJson);
  },
});

export const pause = endpoint({
  ...{ method: "post", path: "/api/stacks/{stack}/schedules/{name}/pause", tag: "schedules" },
  summary: "Let nothing of a schedule happen, and make up for nothing afterwards",
  params: named,
  answer: z.object({ name: z.string(), paused: z.boolean() }),
  handle: async (asked) => {
    const { ports, guard, params: given } = asked;
    const schedule = findSchedule(asked);
    await pauseSchedule(ports.control, schedule, guard.principal.handle, ports.now());
    return { name: given.name, paused: true };
  },
});

export const unpause = endpoint({
  ...{ method: "post", path: "/api/stacks/{stack}/schedules/{name}/resume", tag: "schedules" },
  summary: "Let a paused schedule go on",
  params: named,
  answer: z.object({ name: z.string(), paused: z.boolean() }),
  handle: async (asked) => {
    const { ports, guard, params: given } = asked;
    const schedule = findSchedule(asked);
    await unpauseSchedule(ports.control, schedule, guard.principal.handle, ports.now());
    return { name: given.name, paused: false };
  },
});

export const runOnce = endpoint({
  ...{ method: "post", path: "/api/stacks/{stack}/once", tag: "schedules", status: 201 },
  summary: "Have a procedure carried out once, at an instant",
  params,
  body: z.object({
    procedure: z.string(),
    input: z.record(z.string(), z.unknown()).default({}),
    at: z.iso.datetime({ offset: true }).describe("An instant that is still to come"),
    graceSeconds: z
      .int()
      .min(60)
      .max(7 * 86_400)
      .default(6 * 3600)
      .describe("How late it may begin"),
  }),
  answer: occurrenceSchema,
  handle: async (asked) => {
    const { body, ports, guard } = asked;
    const { name: stack } = findStack(asked);
    const procedure = (await ports.procedures()).find(({ name }) => name === body.procedure);
    if (procedure === undefined) throw NotFound({ what: `procedure ${body.procedure}` });
    const subject = ports.subjectOf({ stack, procedure: procedure.name });
    guard.need("schedule", subject, `${procedure.name} on ${stack}`);
    guard.need("start", subject, `${procedure.name} on ${stack}`);
    const at = new Date(body.at);
    if (at <= ports.now()) throw BadRequest({ reason: `${body.at} is past` });
    await ports.checkInput(procedure.name, body.input as Json);
    // It begins without asking again. What cannot be planned now may turn out to be anything.
    const undo_class = await ports
      .plan(procedure.name, stack, body.input as Json)
      .then(undoClassOf, () => "irreversible");
    guard.need(
      "start",
      ports.subjectOf({ stack, procedure: procedure.name, undo_class }),
      `${procedure.name} on ${stack}`,
    );
    const { handle: actor } = guard.principal;
    const { input, graceSeconds } = body;
    const given = { stack, procedure: procedure.name, input: input as Json, actor, at, graceSeconds };
    return occurrenceJson(await addOneOff(ports.control, given, ports.now()));
  },
});

export const dropOnce = endpoint({
  ...{ method: "delete", path: "/api/stacks/{stack}/once/{name}", tag: "schedules", status: 204 },
  summary: "Take back something that was to run once",
  params: named,
  answer: z.void(),
  handle: async (asked) => {
    const { ports, guard, params: given } = asked;
    const { name: stack } = findStack(asked);
    const due = (await listOccurrences(ports.control, stack, 1, given.name))[0];
    if (due === undefined) throw NotFound({ what: given.name });
    guard.need("schedule", ports.subjectOf(due), given.name);
    if (!(await removeOneOff(ports.control, stack, given.name, guard.principal.handle, ports.now())))
      throw NotFound({ what: `${given.name} that is still to come` });
  },
});

type AskedForName = Pick<Asked<{ stack: string; name: string }, undefined, undefined>, "params" | "ports" | "guard">;

function findSchedule(asked: AskedForName): Schedule {
  const { name } = asked.params;
  const found = findStack(asked).schedules.find((schedule) => schedule.name === name);
  if (found === undefined) throw NotFound({ what: `schedule ${name}` });
  asked.guard.need("schedule", asked.ports.subjectOf(found), `schedule ${name}`);
  return found;
}

function occurrenceJson({ schedule, procedure, at, state, actor, run, error }: Occurrence) {
  return { schedule, procedure, at: at.toISOString(), state, actor, run, error };
}
