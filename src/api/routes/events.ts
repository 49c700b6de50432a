import { z } from "zod";
import { lastEvent, listEvents, listRunEvents, type RunEvent } from "../../engine/events.ts";
import { getRun } from "../../engine/journal.ts";
import { endpoint } from "../endpoint.ts";
import { NotFound } from "../problem.ts";
import { type ServerEvent, stream } from "../stream.ts";

/** What happens, as it happens: server-sent events, which go on where they were cut off (`Last-Event-ID`). */

const eventSchema = z.object({
  run: z.string(),
  at: z.iso.datetime(),
  kind: z.string().describe("`run.running`, `step.started`, `output`, …"),
  path: z.string().nullable().describe("Of the step"),
  data: z.unknown(),
});

export const runEvents = endpoint({
  ...{ method: "get", path: "/api/runs/{run}/events", tag: "runs", stream: "text/event-stream" },
  summary: "Steps and output of a run, from its beginning on; ends with the run",
  params: z.object({ run: z.string() }),
  answer: eventSchema,
  handle: async ({ params, headers, signal, ports, guard }) => {
    const { control } = ports;
    const { id, ...run } = await getRun(control, params.run);
    if (!guard.can("look", ports.subjectOf(run))) throw NotFound({ what: `run ${params.run}` });
    return stream(headers, signal, async (after) => {
      // Asked first: whatever happened before the end is among the events that are read then.
      const { status } = await getRun(control, id);
      const events = await listEvents(control, id, after);
      return { events: events.map(toServerEvent), isOver: status === "ended" };
    });
  },
});

export const allEvents = endpoint({
  ...{ method: "get", path: "/api/events", tag: "runs", stream: "text/event-stream" },
  summary: "How runs go on, of every stack that may be seen, from now on",
  answer: eventSchema,
  handle: async ({ headers, signal, ports, guard }) => {
    guard.signedIn();
    let told: ReadonlySet<string> | undefined;
    return stream(headers, signal, async (after) => {
      const begin = after ?? (await lastEvent(ports.control));
      const events = await listRunEvents(ports.control, begin);
      const known = told;
      // At the first look it is the number that tells: what the listener has is not known any more.
      const isNew = ({ id }: { readonly id: string }) =>
        known === undefined ? Number(id) > Number(begin) : !known.has(id);
      const news = events.filter(isNew);
      told = new Set(events.map(({ id }) => id));
      const visible = news.filter((event) => guard.can("look", ports.subjectOf(event)));
      return {
        events: visible.map(toServerEvent), // Never back: the newest event may be one of another kind.
        last: String(Math.max(Number(begin), Number(events.at(-1)?.id ?? 0))),
        isOver: false,
      };
    });
  },
});

function toServerEvent({ id, run, at, kind, path, data }: RunEvent & { readonly id: string }): ServerEvent {
  return { id, event: kind, data: { run, at: at.toISOString(), kind, path, data } };
}
