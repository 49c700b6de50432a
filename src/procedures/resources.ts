import { z } from "zod";
import type { Records } from "../engine/records.ts";
import { Bug, defineError } from "../errors/error.ts";
import { defineFinding } from "../errors/finding.ts";
import type { CallFunction } from "../host/perform.ts";
import type { Act } from "../runbook/plan.ts";
import type { Json, Text } from "../runbook/value.ts";
import type { Stack } from "../stack/stack.ts";
import type { Finding } from "./monitoring/check.ts";
import { change } from "./steps.ts";

/**
 * What outlives the run that made it: an opened past, a copy, a present that was set aside. Each has an owner, an expiry, and the
 * procedure that closes it. A row here is a promise that somebody will; the thing itself is the world's.
 */

export const resourceKinds = ["past", "copy", "kept", "maintenance"] as const;
export type ResourceKind = (typeof resourceKinds)[number];

const resource = z.object({
  id: z.string(),
  stack: z.string(),
  kind: z.enum(resourceKinds),
  title: z.string(),
  /** Who began the run that opened it. */
  by: z.string(),
  run: z.string(),
  openedAt: z.string(),
  expires: z.string(),
  /** What closes it: a procedure whose input has `id`, the resource's own. */
  close: z.object({ procedure: z.string(), input: z.record(z.string(), z.json()) }),
  /** What whoever uses it has to know, such as the instant of a past. */
  about: z.record(z.string(), z.json()).default({}),
  /** So long after it has expired it is closed by itself, hours; null: never, somebody is only told. */
  graceHours: z.number().nullable().default(0),
  /** How often it was begun to close it because it had expired. */
  attempts: z.number().default(0),
  closed: z.object({ at: z.string(), by: z.string(), run: z.string() }).nullable().default(null),
});
export type Resource = z.infer<typeof resource>;

export const ResourceUnknown = defineError<{ id: string }>("usage.no_resource", {
  exitCode: 26,
  message: (d) => `There is nothing open called ${d.id}. Nothing was changed.`,
  hint: () => "`ipai resources` lists what is open; with --all also what was closed.",
});

const kind = "resource";
/** More than a stack has ever had open. */
const listedMax = 5000;

export type OpenedResource = Opened & ({ readonly hours: number } | { readonly until: string });

interface Opened {
  readonly id: Text;
  readonly kind: ResourceKind;
  readonly title: Text;
  readonly graceHours?: number | null;
  /** The procedure that closes it. Its input is `input` and `id`. */
  readonly close: { readonly procedure: string; readonly input?: Readonly<Record<string, Json>> };
  /** Fixed when the plan is made. */
  readonly about?: Readonly<Record<string, Json>>;
}

/** The step that notes it. It lives for so many hours from when it is opened, or until an instant. It stands before the step that makes the thing: what nobody knows of, nobody closes. */
export function noteOpened(stack: Stack, opened: OpenedResource): Act {
  const { id, close, about = {}, ...rest } = opened;
  const input = { stack: stack.name, id, ...rest, procedure: close.procedure, input: close.input ?? {}, about };
  return change(
    {
      id: "note opened",
      title: "Note who opened it, and until when",
      action: { kind: "call", name: "resource.open", version: 1, input },
    },
    { timeoutSeconds: 60, undo: [noteClosed(stack, id)] },
  );
}

/** The step that notes that it is gone; the last one of what closes it. */
export function noteClosed(stack: Stack, id: Text): Act {
  const input = { stack: stack.name, id };
  return change(
    {
      id: "note closed",
      title: "Note that it is gone",
      action: { kind: "call", name: "resource.close", version: 1, input },
    },
    { timeoutSeconds: 60, attempts: 3 },
  );
}

const openInput = z.intersection(
  resource.pick({ id: true, stack: true, kind: true, title: true, about: true, graceHours: true }).extend({
    procedure: z.string(),
    input: z.record(z.string(), z.json()),
  }),
  z.union([z.object({ hours: z.number().positive() }), z.object({ until: z.iso.datetime() })]),
);

/** A run that was killed in it opens it again: from when it lives does not move then. */
export function openResource(records: Records): CallFunction {
  return async (given, { scope }) => {
    const parsed = openInput.parse(given);
    const { id, stack, kind: what, title, about, graceHours, procedure, input } = parsed;
    const known = { id, stack, kind: what, title, about, graceHours };
    const before = await findResource(records, known.stack, known.id);
    if (before !== undefined && before.closed === null) return before;
    const now = Date.now();
    const by = await records.actorOf(scope.run.id);
    const data: Resource = {
      ...known,
      by,
      run: scope.run.id,
      openedAt: new Date(now).toISOString(),
      expires: "until" in parsed ? parsed.until : new Date(now + parsed.hours * hourMs).toISOString(),
      close: { procedure, input: { ...input, id: known.id } },
      attempts: 0,
      closed: null,
    };
    await keep(records, data, by, "resource.opened", { kind: data.kind, title: data.title, expires: data.expires });
    return data;
  };
}

const hourMs = 3_600_000;

const namedInput = z.object({ stack: z.string(), id: z.string() });

/** What is closed already, or was never noted, is as it should be. */
export function closeResource(records: Records): CallFunction {
  return async (given, { scope }) => {
    const { stack, id } = namedInput.parse(given);
    const before = await findResource(records, stack, id);
    if (before === undefined || before.closed !== null) return null;
    const by = await records.actorOf(scope.run.id);
    const closed = { at: new Date().toISOString(), by, run: scope.run.id };
    await keep(records, { ...before, closed }, by, "resource.closed", { kind: before.kind, title: before.title });
    return null;
  };
}

/** Counted before it is begun: one that cannot be closed comes after those that can. */
export function countAttempt(records: Records): CallFunction {
  return async (given) => {
    const { stack, id } = namedInput.parse(given);
    const before = await findResource(records, stack, id);
    if (before === undefined || before.closed !== null) return null;
    await records.put({
      ...{ kind, id: keyOf(stack, id), stack, run: before.run },
      data: { ...before, attempts: before.attempts + 1 },
    });
    return null;
  };
}

/** Lets it live on from now, or from when it would have ended if that is still to come. */
export async function extendResource(
  records: Records,
  { stack, id, days, by }: { stack: string; id: string; days: number; by: string },
): Promise<Resource> {
  const before = await getResource(records, stack, id);
  const from = Math.max(Date.now(), Date.parse(before.expires));
  const data = { ...before, expires: new Date(from + days * 86_400_000).toISOString(), attempts: 0 };
  await keep(records, data, by, "resource.extended", { until: data.expires, before: before.expires });
  return data;
}

async function keep(
  records: Records,
  data: Resource,
  actor: string,
  action: string,
  detail: Readonly<Record<string, Json>>,
): Promise<void> {
  const { stack, id, run } = data;
  const told = { actor, action, stack, subject: id, detail };
  await records.put({ kind, id: keyOf(stack, id), stack, run, data }, told);
}

/** Ids are a stack's own; the table's key is not. */
function keyOf(stack: string, id: string): string {
  return `${stack}/${id}`;
}

/** What is open, by when it expires; with `all` also what was closed, the latest last. */
export async function listResources(records: Records, stack: string, all = false): Promise<readonly Resource[]> {
  const found = (await records.list(kind, stack, listedMax)).map(({ id, data }) => parse(id, data));
  const open = found.filter(({ closed }) => closed === null);
  const closed = found.flatMap((one) => (one.closed === null ? [] : [{ ...one, at: one.closed.at }]));
  return [
    ...open.toSorted((a, b) => a.expires.localeCompare(b.expires)),
    ...(all ? closed.toSorted((a, b) => a.at.localeCompare(b.at)).map(({ at: _, ...one }) => one) : []),
  ];
}

/** What is to be closed by now. */
export async function listExpired(records: Records, stack: string): Promise<readonly Resource[]> {
  const now = Date.now();
  return (await listResources(records, stack)).filter(
    ({ expires, graceHours }) => graceHours !== null && Date.parse(expires) + graceHours * hourMs <= now,
  );
}

/** Undefined: it was never noted. */
export async function findResource(records: Records, stack: string, id: string): Promise<Resource | undefined> {
  const found = await records.find(kind, keyOf(stack, id));
  return found === undefined ? undefined : parse(id, found);
}

/** One that is open. Throws `usage.no_resource`. */
export async function getResource(records: Records, stack: string, id: string): Promise<Resource> {
  const found = await findResource(records, stack, id);
  if (found === undefined || found.closed !== null) throw ResourceUnknown({ id });
  return found;
}

function parse(id: string, data: Json): Resource {
  const parsed = resource.safeParse(data);
  if (parsed.success) return parsed.data;
  throw Bug({ what: `the record of resource ${id} is malformed: ${parsed.error.message}` });
}

/** The schedule comes by every quarter of an hour; what is open for longer after its time is closed by nobody. */
const graceMs = 3_600_000;

const outlived = defineFinding("IPAI-RESOURCE-001", {
  title: "What outlived its time",
  asks: "whether an opened past, a copy or a kept database is open an hour after its end",
  warns: "one is",
  first: "`ipai resources close ID` closes it, `ipai resources extend ID --days N` keeps it. Does a worker run?",
});

export async function findResourceFaults(records: Records, stack: Stack, now: Date): Promise<readonly Finding[]> {
  return judgeResources(await listResources(records, stack.name), now);
}

export function judgeResources(open: readonly Resource[], now: Date): readonly Finding[] {
  // A maintenance has findings of its own.
  const late = open.filter(
    ({ expires, kind }) => kind !== "maintenance" && now.getTime() - Date.parse(expires) > graceMs,
  );
  if (late.length === 0) return [];
  const names = late.map(({ id, title, by, attempts }) => {
    const tried = attempts === 0 ? "" : `, closing it failed ${attempts} times`;
    return `${id} (${title}, opened by ${by}${tried})`;
  });
  return [
    {
      ...outlived,
      ...{ unit: "still open", threshold: 0 },
      ...{ status: "warn", value: late.length, milliseconds: 0 },
      hint: `${names.join(", ")}. \`ipai resources close ID\` closes one, \`ipai resources extend ID --days N\` keeps it. Does a worker run, and is the schedule resources on?`,
    },
  ];
}
