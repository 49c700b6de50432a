import { type Kysely, sql } from "kysely";
import { announcements, droppedNews } from "./announcements.ts";
import type { Control } from "./control.ts";
import { duration } from "./duration.ts";
import type { Run } from "./journal.ts";
import type { Message, Severity } from "./message.ts";
import { post } from "./outbox.ts";
import type { ControlSchema, Outcome } from "./schema.ts";
import type { NewsSettings, Story } from "./story.ts";

/** What the journal has to tell: runs that began, ended or wait for somebody, and times at which nothing happened. */

/** How long after its end a run is still news, when no worker was there to tell it. */
const newsMs = 24 * 3600 * 1000;
/** A night's worth; the next look takes the rest. */
const lookMax = 200;

/**
 * Posts what has not been told yet. What is told, and that it was, are written together; whatever is told twice all the same has the
 * same key, and is told once.
 */
export async function postNews(control: Control, settings: NewsSettings, now: Date): Promise<void> {
  await control.db.transaction().execute(async (tx) => {
    await post(tx, settings.routes, await runNews(tx, settings, now), now);
    await post(tx, settings.routes, await lostNews(tx, settings), now);
    await post(tx, settings.routes, await announcements(tx, settings, now), now);
    await post(tx, settings.routes, await droppedNews(tx, settings), now);
  });
}

const planned = sql<Planned | null>`(
  select json_build_object('at', at, 'wasAnnounced', announced is not null)
  from occurrences where run = runs.id and schedule like 'once-%'
)`;
const hasBegun = sql<boolean>`exists (select from steps where steps.run = runs.id)`;
const consented = sql<readonly string[]>`array(
  select approvals.actor from approvals
  where approvals.run = runs.id and approvals.plan_hash = runs.plan_hash order by approvals.at
)`;
const shortfalls = sql<readonly string[]>`array(
  select steps.title || ': ' || (steps.error ->> 'message') from steps
  where steps.run = runs.id and steps.phase = 'do' and steps.outcome = 'failed' order by steps.started_at
)`;

/** A run that another worker tells of just now, or that changes just now, is left to the next look. */
async function runNews(
  tx: Kysely<ControlSchema>,
  { storyOf, instantOf }: NewsSettings,
  now: Date,
): Promise<readonly Message[]> {
  const news = tx.selectFrom("runs").select("id").where("is_told", "=", false).orderBy("id").limit(lookMax);
  const ids = (await news.forUpdate().skipLocked().execute()).map(({ id }) => id);
  if (ids.length === 0) return [];
  const runs = await tx
    .selectFrom("runs")
    .select(["id", "procedure", "stack", "title", "status", "outcome", "waiting_for", "error", "actor"])
    .select(["started_at", "finished_at"])
    .select(sql<string>`plan ->> 'lease'`.as("lease"))
    .select(({ selectFrom }) =>
      selectFrom("events")
        .select(({ fn }) => fn.countAll<string>().as("count"))
        .whereRef("events.run", "=", "runs.id")
        .where("events.kind", "=", "run.waiting")
        .as("waits"),
    )
    .select([hasBegun.as("hasBegun"), planned.as("planned"), consented.as("consented"), shortfalls.as("shortfalls")])
    .where("id", "in", ids)
    .where("parent", "is", null)
    .where("is_quiet", "=", false)
    .where(({ or, eb }) =>
      or([eb("finished_at", "is", null), eb("finished_at", ">", new Date(now.getTime() - newsMs))]),
    )
    .orderBy("id")
    .execute();
  await tx.updateTable("runs").set({ is_told: true }).where("id", "in", ids).execute();
  return runs.flatMap((run) => {
    const story = storyOf(run.procedure);
    return story === undefined ? [] : tellRun(run, story, (at) => instantOf(run.stack, at));
  });
}

type RunFields = "id" | "stack" | "title" | "status" | "outcome" | "waiting_for" | "error" | "actor";
type Told = Pick<Run, RunFields | "started_at" | "finished_at"> & {
  readonly lease: string;
  /** Whether it came to its first step: one that waited in vain for the stack did not. */
  readonly hasBegun: boolean;
  /** How often it has begun to wait. */
  readonly waits: string | null;
  /** When it was to begin, if somebody chose a time. */
  readonly planned: Planned | null;
  /** Who consented to its plan. */
  readonly consented: readonly string[];
  /** Steps that failed; of a run that succeeded, those that it may go on without. */
  readonly shortfalls: readonly string[];
};

interface Planned {
  readonly at: string;
  readonly wasAnnounced: boolean;
}

const severities: Readonly<Record<Outcome, Severity>> = {
  succeeded: "info",
  cancelled: "info",
  undone: "warning",
  failed: "warning",
  unknown: "critical",
};
const words: Readonly<Record<Exclude<Outcome, "succeeded">, string>> = {
  cancelled: "was cancelled, and everything was taken back",
  undone: "failed, and everything was taken back",
  failed: "failed; nothing had been changed",
  unknown: "ended in a state that nobody knows",
};

/** What there is to say of a run as it stands now; nothing while it is under way and nobody else is concerned. */
export function tellRun(run: Told, story: Story, say: (at: Date) => string): readonly Message[] {
  const { id, stack, planned } = run;
  const common = { run: id, stack, chapter: story.chapter };
  if (run.outcome !== null && !run.hasBegun && planned !== null)
    return [{ ...common, ...tellNotBegun(run, run.outcome, planned, say) }];
  if (run.outcome !== null) return [{ ...common, ...tellEnd(run, run.outcome, story) }];
  if (run.status === "waiting") return [{ ...common, ...tellWaiting(run, say) }];
  if (run.status !== "running" || run.lease !== "exclusive") return [];
  return [
    {
      ...{
        ...common,
        key: `run:${id}:started`,
        event: "run.started",
        severity: "info",
        title: `${run.title}: started`,
      },
      lines: ["The system may be away until it is complete.", whoOf(run)],
    },
  ];
}

type Saying = Omit<Message, "run" | "stack" | "chapter">;

function tellEnd(run: Told, outcome: Outcome, { done }: Story): Saying {
  const common = { key: `run:${run.id}:${outcome}`, event: `run.${outcome}`, severity: severities[outcome] };
  if (outcome !== "succeeded")
    return { ...common, title: `${run.title}: ${words[outcome]}`, lines: [...errorOf(run), endOf(run)] };
  const short = run.shortfalls.map((one) => `Not as it should be: ${one}`);
  const time =
    run.started_at === null || run.finished_at === null ? "" : ` in ${between(run.started_at, run.finished_at)}`;
  if (done === undefined) return { ...common, title: `${run.title}: complete${time}`, lines: [...short, endOf(run)] };
  return {
    ...{ ...common, title: `${done.title}${time}: ${run.title}` },
    lines: [...(done.line === undefined ? [] : [done.line]), ...short, endOf(run)],
  };
}

/** Who was told that it comes, and who consented to it, learns that it does not. */
function tellNotBegun(run: Told, outcome: Outcome, planned: Planned, say: (at: Date) => string): Saying {
  const when = say(new Date(planned.at));
  return {
    ...{ key: `run:${run.id}:${outcome}`, event: `run.${outcome}`, severity: severities[outcome] },
    title: `${run.title}: ${outcome === "cancelled" ? "cancelled" : "does not take place"}`,
    lines: [
      `It was ${planned.wasAnnounced ? "announced" : "planned"} for ${when}. The system stays as it is.`,
      ...(outcome === "cancelled" ? errorOf(run).slice(0, 1) : errorOf(run)),
      endOf(run),
      ...(run.consented.length === 0 ? [] : [`Consented to by ${run.consented.join(", ")}.`]),
    ],
  };
}

function between(start: Date, end: Date): string {
  return duration((end.getTime() - start.getTime()) / 1000);
}

function tellWaiting(run: Told, say: (at: Date) => string): Saying {
  const isConsent = run.waiting_for === "approval";
  return {
    // It may wait more than once, for something else each time.
    ...{ key: `run:${run.id}:waiting:${run.waiting_for}:${run.waits ?? "0"}`, event: "run.waiting" },
    severity: isConsent ? "warning" : "critical",
    title: `${run.title}: ${isConsent ? "waits for consent" : "stopped, and waits for a decision"}`,
    lines: [
      ...errorOf(run),
      ...(isConsent && run.planned !== null ? [`It is to begin ${say(new Date(run.planned.at))}.`] : []),
      whoOf(run),
      isConsent ? `ipai approve ${run.id}` : `ipai runs show ${run.id}`,
    ],
  };
}

function errorOf({ error }: Told): readonly string[] {
  return error === null ? [] : [error.message, error.hint];
}

/** And where the whole story is. */
function endOf({ id, actor }: Told): string {
  return `Run ${id}, started by ${actor}: ipai runs show ${id}`;
}

function whoOf({ id, actor }: Told): string {
  return `Run ${id}, started by ${actor}.`;
}

/** Of one schedule everything that was lost since the last look is one message: after a night there may be a hundred. */
async function lostNews(db: Kysely<ControlSchema>, { storyOf }: NewsSettings): Promise<readonly Message[]> {
  const lost = await db
    .updateTable("occurrences")
    .set({ is_told: true })
    .where("state", "in", ["failed", "missed"])
    .where("is_told", "=", false)
    // Of one whose plan was made beforehand its run tells.
    .where("run", "is", null)
    .returning(["stack", "schedule", "procedure", "state", "at", "error"])
    .execute();
  const groups = Map.groupBy(lost, ({ stack, schedule, state }) => [stack, schedule, state].join("\0"));
  return [...groups.values()].flatMap((group) => {
    const times = group.map(({ at }) => at.toISOString()).sort();
    const [one] = group;
    const story = one === undefined ? undefined : storyOf(one.procedure);
    if (one === undefined || story === undefined) return [];
    const [first = "", last = ""] = [times[0], times.at(-1)];
    const when = times.length === 1 ? first : `${times.length} times, from ${first} to ${last}`;
    return [
      {
        ...{
          key: `lost:${one.stack}:${one.schedule}:${one.state}:${last}`,
          event: `schedule.${one.state}`,
          run: null,
          stack: one.stack,
          chapter: story.chapter,
          severity: "warning" as const,
        },
        title: `${one.schedule} ${one.state === "missed" ? "was missed" : "could not begin"}: ${when}`,
        lines: one.error === null ? [] : [one.error.message, one.error.hint],
      },
    ];
  });
}
