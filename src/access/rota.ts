import { Cron } from "croner";

/** Who is on call. Pure. */

export interface Rota {
  readonly name: string;
  /** In their order; each has a turn, and then the first again. */
  readonly people: readonly string[];
  /** The day on which the first turn begins: `2026-11-23`. */
  readonly from: string;
  /** Of a turn. */
  readonly days: number;
  /** The time at which turns change: `08:00`. */
  readonly at: string;
  readonly timezone: string;
}

export interface Span {
  readonly handle: string;
  readonly from: Date;
  readonly until: Date;
}

export interface OnCall {
  readonly handle: string;
  /** Why it is her: her turn, a cover that was agreed, or the absence of those before her. */
  readonly because: "turn" | "cover" | "absence";
}

/** The last cover that was agreed wins; else whose turn it is, or the first after her who is not away. Undefined: nobody is there. */
export function onCallAt(rota: Rota, absences: readonly Span[], covers: readonly Span[], at: Date): OnCall | undefined {
  const isIn = ({ from, until }: Span) => from <= at && at < until;
  const isAway = (handle: string) => absences.some((span) => span.handle === handle && isIn(span));
  const cover = covers.findLast((span) => isIn(span) && !isAway(span.handle));
  if (cover !== undefined) return { handle: cover.handle, because: "cover" };
  const turn = turnAt(rota, at);
  if (turn === undefined) return undefined;
  const order = rota.people.map((_, index) => rota.people[(turn + index) % rota.people.length] ?? "");
  const handle = order.find((one) => !isAway(one));
  return handle === undefined ? undefined : { handle, because: handle === order[0] ? "turn" : "absence" };
}

/** Counted in days of the calendar, so that a day of 23 or 25 hours is one day. Undefined: before the first turn. */
function turnAt({ people, from, days, at: change, timezone }: Rota, at: Date): number | undefined {
  const { day, time } = wallClock(at, timezone);
  const passed = dayNumber(day) - dayNumber(from) - (time < change ? 1 : 0);
  return passed < 0 || people.length === 0 ? undefined : Math.floor(passed / days) % people.length;
}

function dayNumber(day: string): number {
  return Math.round(Date.parse(`${day}T00:00:00Z`) / 86_400_000);
}

function wallClock(at: Date, timezone: string): { readonly day: string; readonly time: string } {
  // Sweden writes dates as ISO does.
  const text = new Intl.DateTimeFormat("sv-SE", {
    ...{ timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  }).format(at);
  return { day: text.slice(0, 10), time: text.slice(11, 16) };
}

export interface Turn extends OnCall {
  readonly from: Date;
  readonly until: Date;
}

/** Who is on call from one instant to another; neighbours that are the same are one. Gaps have nobody. */
export function listTurns(
  rota: Rota,
  absences: readonly Span[],
  covers: readonly Span[],
  from: Date,
  until: Date,
): readonly Turn[] {
  const edges = [
    from,
    ...changes(rota, from, until),
    ...[...absences, ...covers].flatMap((span) => [span.from, span.until]),
  ]
    .filter((edge) => edge >= from && edge < until)
    .toSorted((a, b) => a.getTime() - b.getTime());
  const turns: Turn[] = [];
  for (const [index, begin] of edges.entries()) {
    const end = edges[index + 1] ?? until;
    const on = begin < end ? onCallAt(rota, absences, covers, begin) : undefined;
    const last = turns.at(-1);
    if (on === undefined) continue;
    const goesOn =
      last?.handle === on.handle && last.because === on.because && last.until.getTime() === begin.getTime();
    if (goesOn) turns[turns.length - 1] = { ...last, until: end };
    else turns.push({ ...on, from: begin, until: end });
  }
  return turns;
}

/** The instants at which turns may change: once a day. */
function changes({ at, timezone }: Rota, from: Date, until: Date): readonly Date[] {
  const [hour, minute] = at.split(":").map(Number);
  const cron = new Cron(`${minute} ${hour} * * *`, { timezone, startAt: from, stopAt: until });
  const days = Math.ceil((until.getTime() - from.getTime()) / 86_400_000) + 1;
  return cron.nextRuns(days, from);
}
