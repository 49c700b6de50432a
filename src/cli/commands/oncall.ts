import { endAbsence, listAbsences, listCovers, noteAbsence, noteCover } from "../../access/absences.ts";
import { listTurns, onCallAt, type Rota } from "../../access/rota.ts";
import { defineError } from "../../errors/error.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseInstant } from "../instant.ts";
import { instant, table } from "../render/text.ts";
import { getPerson } from "./rights.ts";

/** Who is on call, who is away, and who consents meanwhile. */

export const NoRota = defineError<{ given: string; known: string }>("usage.no_rota", {
  exitCode: 14,
  message: (d) => `There is no rota ${d.given}.`,
  hint: (d) => `Configured under oncall in ipai.yaml: ${d.known}.`,
});

export const NoAbsence = defineError<{ given: string }>("usage.no_absence", {
  exitCode: 14,
  message: (d) => `There is no absence ${d.given} that is not over. Nothing was changed.`,
  hint: () => "`ipai oncall absences` lists them with their numbers.",
});

export const BadSpan = defineError<{ from: string; until: string }>("usage.bad_span", {
  exitCode: 14,
  message: (d) => `From ${d.from} until ${d.until} is no time that is still to come. Nothing was noted.`,
  hint: () => "--until comes after --from, and after now.",
});

interface Options {
  readonly json?: boolean;
  readonly days?: string;
  readonly from?: string;
  readonly until?: string;
  readonly deputy?: string;
}

const dayMs = 86_400_000;

export async function show(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const now = new Date();
  const away = await listAbsences(app.control, now);
  const until = new Date(now.getTime() + Number(options.days ?? 28) * dayMs);
  const found = await Promise.all(
    rotasOf(app).map(async (rota) => {
      const covers = await listCovers(app.control, rota.name, now);
      return { rota, now: onCallAt(rota, away, covers, now), turns: listTurns(rota, away, covers, now, until) };
    }),
  );
  const { terminal } = context;
  if (options.json === true) {
    terminal.out(
      JSON.stringify(
        found.map(({ rota, ...rest }) => ({ rota: rota.name, ...rest })),
        null,
        2,
      ),
    );
    return 0;
  }
  if (found.length === 0) terminal.out("No rota is configured: oncall in ipai.yaml.");
  for (const { rota, now: on, turns } of found) {
    terminal.out(terminal.style("bold", `${rota.name}: ${on === undefined ? "nobody is on call" : on.handle}`));
    const rows = turns.map((turn) => [
      ...[instant(turn.from, rota.timezone), instant(turn.until, rota.timezone), turn.handle],
      turn.because === "turn" ? "" : turn.because,
    ]);
    terminal.out(table([["FROM", "UNTIL", "WHO", ""], ...rows]));
  }
  return 0;
}

export async function cover(context: Context, name: string, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const rota = rotasOf(app).find((one) => one.name === name);
  const known = Object.keys(app.config.oncall).join(", ") || "none";
  if (rota === undefined) throw NoRota({ given: name, known });
  const person = await getPerson(app, handle);
  const span = spanOf(options, rota.timezone);
  await noteCover(app.control, person, { rota: name, ...span }, app.actor, new Date());
  const [from, until] = [instant(span.from, rota.timezone), instant(span.until, rota.timezone)];
  context.terminal.out(`${handle} is on call for ${name} from ${from} until ${until}.`);
  return 0;
}

export async function absences(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const found = await listAbsences(app.control, new Date());
  const { terminal } = context;
  const zone = zoneOf(app);
  if (options.json === true) terminal.out(JSON.stringify(found, null, 2));
  else if (found.length === 0) terminal.out("Nobody is away, or will be.");
  else
    terminal.out(
      table([
        ["NUMBER", "WHO", "FROM", "UNTIL", "CONSENTS MEANWHILE"],
        ...found.map(({ id, handle, from, until, deputy }) => [
          ...[String(id), handle, instant(from, zone), instant(until, zone), deputy ?? "nobody"],
        ]),
      ]),
    );
  return 0;
}

export async function away(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const person = await getPerson(app, handle);
  const deputy = options.deputy === undefined ? undefined : await getPerson(app, options.deputy);
  const zone = zoneOf(app);
  const span = spanOf(options, zone);
  const id = await noteAbsence(app.control, person, { ...span, deputy }, app.actor, new Date());
  const meanwhile = deputy === undefined ? "Nobody consents in her place" : `${deputy.handle} consents in her place`;
  context.terminal.out(
    `${handle} is away from ${instant(span.from, zone)} until ${instant(span.until, zone)} (${id}). ${meanwhile}.`,
  );
  return 0;
}

export async function back(context: Context, given: string): Promise<number> {
  await using app = await context.openApp();
  const id = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  if (!(await endAbsence(app.control, id, app.actor, new Date()))) throw NoAbsence({ given });
  context.terminal.out(`Absence ${given} is over.`);
  return 0;
}

function rotasOf({ config }: App): readonly Rota[] {
  return Object.entries(config.oncall).map(([name, rota]) => ({ name, ...rota }));
}

/** People work in a zone, not in a stack; that of the stacks, when they agree. */
function zoneOf({ config }: App): string {
  const zones = new Set(Object.values(config.stacks).map(({ timezone }) => timezone));
  return zones.size === 1 ? ([...zones][0] ?? "UTC") : "UTC";
}

function spanOf(
  { from: begin, until: end = "" }: Options,
  zone: string,
): { readonly from: Date; readonly until: Date } {
  const now = new Date();
  const from = begin === undefined ? now : parseInstant(begin, zone);
  const until = parseInstant(end, zone);
  if (until <= from || until <= now) throw BadSpan({ from: begin ?? "now", until: end });
  return { from, until };
}
