import { type Kysely, sql } from "kysely";
import { isApproved } from "./consent.ts";
import { duration } from "./duration.ts";
import type { Message } from "./message.ts";
import type { ControlSchema } from "./schema.ts";
import type { NewsSettings } from "./story.ts";

/** What people are told before something happens that somebody chose a time for. */

/**
 * The announcement that is due: so many seconds before, the nearest one whose time has come, so that what is nearer than all of them is
 * announced at once, and once. Pure.
 */
export function leadOf(at: Date, leads: readonly number[], now: Date): number | undefined {
  const left = (at.getTime() - now.getTime()) / 1000;
  const reached = leads.filter((lead) => left <= lead);
  return left <= 0 || reached.length === 0 ? undefined : Math.min(...reached);
}

interface Coming {
  readonly stack: string;
  readonly schedule: string;
  readonly procedure: string;
  readonly actor: string;
  readonly at: Date;
  readonly announced: number | null;
  readonly run: string | null;
  /** Of its plan, where that was made already. */
  readonly title: string | null;
  readonly awaySeconds: number | null;
}

/** Each announcement is noted with its message, in one transaction. What still lacks a consent may not come, and is not announced. */
export async function announcements(
  tx: Kysely<ControlSchema>,
  { storyOf, instantOf }: NewsSettings,
  now: Date,
): Promise<readonly Message[]> {
  const messages: Message[] = [];
  for (const coming of await listComing(tx, now)) {
    const story = storyOf(coming.procedure);
    const lead = leadOf(coming.at, story?.announceSeconds ?? [], now);
    if (story === undefined || lead === undefined || lead >= (coming.announced ?? Number.POSITIVE_INFINITY)) continue;
    if (coming.run !== null && !(await isApproved({ db: tx }, { id: coming.run }))) continue;
    if (!(await noteAnnounced(tx, coming, lead))) continue;
    const when = instantOf(coming.stack, coming.at);
    messages.push({
      ...commonOf(coming, story.chapter),
      key: `${keyOf(coming)}:announced:${lead}`,
      event: "schedule.announced",
      title: `${coming.title ?? story.title}: begins ${when}`,
      lines: [
        `That is in ${duration((coming.at.getTime() - now.getTime()) / 1000)}. ${awayOf(coming)}`,
        sourceOf(coming),
      ],
    });
  }
  return messages;
}

async function listComing(tx: Kysely<ControlSchema>, now: Date): Promise<readonly Coming[]> {
  return tx
    .selectFrom("occurrences")
    .leftJoin("runs", "runs.id", "occurrences.run")
    .select(["occurrences.stack", "schedule", "occurrences.procedure", "occurrences.actor", "at", "announced", "run"])
    .select("title")
    .select(sql<number | null>`(plan ->> 'awaySeconds')::float8`.as("awaySeconds"))
    .where("schedule", "like", "once-%")
    .where("state", "=", "due")
    .where("at", ">", now)
    .where("cancel_requested_by", "is", null)
    .orderBy("at")
    .execute();
}

/** False: it was taken back, or another worker announced it, just now. */
async function noteAnnounced(
  tx: Kysely<ControlSchema>,
  { stack, schedule, at }: Coming,
  lead: number,
): Promise<boolean> {
  const noted = await tx
    .updateTable("occurrences")
    .set({ announced: lead })
    .where("stack", "=", stack)
    .where("schedule", "=", schedule)
    .where("at", "=", at)
    .where("state", "=", "due")
    .where(({ or, eb }) => or([eb("announced", "is", null), eb("announced", ">", lead)]))
    .returning("at")
    .executeTakeFirst();
  return noted !== undefined;
}

/** One that had been announced and was taken back: who was told that it comes. Of one with a run the run's own end is told. */
export async function droppedNews(
  tx: Kysely<ControlSchema>,
  { storyOf, instantOf }: NewsSettings,
): Promise<readonly Message[]> {
  const dropped = await tx
    .updateTable("occurrences")
    .set({ is_told: true })
    .where("state", "=", "dropped")
    .where("is_told", "=", false)
    .returning(["stack", "schedule", "procedure", "actor", "at", "run"])
    .execute();
  return dropped.flatMap((one) => {
    const story = storyOf(one.procedure);
    if (story === undefined) return [];
    const lines = [`It was announced for ${instantOf(one.stack, one.at)}. The system stays as it is.`, sourceOf(one)];
    const common = { ...commonOf(one, story.chapter), key: `${keyOf(one)}:dropped`, event: "schedule.dropped" };
    return [{ ...common, title: `${story.title}: cancelled`, lines }];
  });
}

type Named = Pick<Coming, "stack" | "schedule" | "actor" | "run">;

const keyOf = ({ stack, schedule }: Named) => `once:${stack}:${schedule}`;

function commonOf({ stack, run }: Named, chapter: string) {
  return { run, stack, chapter, severity: "info" as const };
}

function sourceOf({ run, schedule, actor }: Named): string {
  return run === null ? `Planned by ${actor} as ${schedule}.` : `Planned by ${actor}: ipai runs show ${run}`;
}

/** Nobody is kept out by 0 seconds; what nobody measured may take a while. */
function awayOf({ awaySeconds }: Coming): string {
  if (awaySeconds === 0) return "You can go on working.";
  if (awaySeconds === null) return "The system may be away until it is complete. Please save your work before.";
  return `The system will be away for about ${duration(Math.ceil(awaySeconds))}. Please save your work before.`;
}
