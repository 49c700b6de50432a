import type { Kysely } from "kysely";
import type { Control } from "./control.ts";
import type { Run } from "./journal.ts";
import type { Message, Route, Severity } from "./message.ts";
import { post } from "./outbox.ts";
import type { ControlSchema, Outcome } from "./schema.ts";

/** What the journal has to tell: runs that ended or wait for somebody, and times at which nothing happened. */

export interface NewsSettings {
  readonly routes: readonly Route[];
  /** Chapter of a procedure; undefined for what nobody is told of, such as the practice stack's own. */
  readonly chapterOf: (procedure: string) => string | undefined;
}

/** How long after its end a run is still news, when no worker was there to tell it. */
const newsMs = 24 * 3600 * 1000;

/** Posts what has not been told yet. Whatever is told twice has the same key, and is told once. */
export async function postNews(control: Control, settings: NewsSettings, now: Date): Promise<void> {
  await post(control.db, settings.routes, await runNews(control, settings, now), now);
  await control.db.transaction().execute(async (tx) => {
    await post(tx, settings.routes, await lostNews(tx, settings), now);
  });
}

async function runNews(control: Control, { chapterOf }: NewsSettings, now: Date): Promise<readonly Message[]> {
  const runs = await control.db
    .selectFrom("runs")
    .select(["id", "procedure", "stack", "title", "status", "outcome", "waiting_for", "error", "actor"])
    .select(({ selectFrom }) =>
      selectFrom("events")
        .select(({ fn }) => fn.countAll<string>().as("count"))
        .whereRef("events.run", "=", "runs.id")
        .where("events.kind", "=", "run.waiting")
        .as("waits"),
    )
    .where("parent", "is", null)
    .where("is_quiet", "=", false)
    .where("created_at", ">", new Date(now.getTime() - 30 * newsMs))
    .where(({ or, eb }) => or([eb("status", "=", "waiting"), eb("finished_at", ">", new Date(now.getTime() - newsMs))]))
    .execute();
  return runs.flatMap((run) => {
    const chapter = chapterOf(run.procedure);
    return chapter === undefined ? [] : [tellRun(run, chapter)];
  });
}

type Told = Pick<Run, "id" | "stack" | "title" | "status" | "outcome" | "waiting_for" | "error" | "actor"> & {
  /** How often it has begun to wait. */
  readonly waits: string | null;
};

const severities: Readonly<Record<Outcome, Severity>> = {
  succeeded: "info",
  cancelled: "info",
  undone: "warning",
  failed: "warning",
  unknown: "critical",
};
const words: Readonly<Record<Outcome, string>> = {
  succeeded: "succeeded",
  cancelled: "was cancelled, and everything was taken back",
  undone: "failed, and everything was taken back",
  failed: "failed; nothing had been changed",
  unknown: "ended in a state that nobody knows",
};

export function tellRun(run: Told, chapter: string): Message {
  const error = run.error === null ? [] : [run.error.message, run.error.hint];
  const common = { stack: run.stack, chapter };
  const who = `Run ${run.id}, started by ${run.actor}.`;
  if (run.outcome !== null)
    return {
      ...{ ...common, key: `run:${run.id}:${run.outcome}`, severity: severities[run.outcome] },
      ...{ title: `${run.title}: ${words[run.outcome]}`, lines: [...error, who] },
    };
  const isConsent = run.waiting_for === "approval";
  return {
    // It may wait more than once, for something else each time.
    ...{
      ...common,
      key: `run:${run.id}:waiting:${run.waiting_for}:${run.waits ?? "0"}`,
      severity: isConsent ? "warning" : "critical",
    },
    title: `${run.title}: ${isConsent ? "waits for consent" : "stopped, and waits for a decision"}`,
    lines: [...error, who, isConsent ? `ipai approve ${run.id}` : `ipai runs show ${run.id}`],
  };
}

/** Of one schedule everything that was lost since the last look is one message: after a night there may be a hundred. */
async function lostNews(db: Kysely<ControlSchema>, { chapterOf }: NewsSettings): Promise<readonly Message[]> {
  const lost = await db
    .updateTable("occurrences")
    .set({ is_told: true })
    .where("state", "in", ["failed", "missed"])
    .where("is_told", "=", false)
    .returning(["stack", "schedule", "procedure", "state", "at", "error"])
    .execute();
  const groups = Map.groupBy(lost, ({ stack, schedule, state }) => [stack, schedule, state].join("\0"));
  return [...groups.values()].flatMap((group) => {
    const times = group.map(({ at }) => at.toISOString()).sort();
    const [one] = group;
    const chapter = one === undefined ? undefined : chapterOf(one.procedure);
    if (one === undefined || chapter === undefined) return [];
    const [first = "", last = ""] = [times[0], times.at(-1)];
    const when = times.length === 1 ? first : `${times.length} times, from ${first} to ${last}`;
    return [
      {
        ...{
          key: `lost:${one.stack}:${one.schedule}:${one.state}:${last}`,
          stack: one.stack,
          chapter,
          severity: "warning" as const,
        },
        title: `${one.schedule} ${one.state === "missed" ? "was missed" : "could not begin"}: ${when}`,
        lines: one.error === null ? [] : [one.error.message, one.error.hint],
      },
    ];
  });
}
