import { getRun } from "../../engine/journal.ts";
import { listDueOneOffs } from "../../engine/one-offs.ts";
import { forecastError } from "../../procedures/deployment/forecast.ts";
import { listReleases, type Release } from "../../procedures/deployment/release.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { duration, instant, table } from "../render/text.ts";

/** What was deployed. */
export async function listDeployments(
  context: Context,
  options: { readonly limit?: string; readonly json?: boolean },
): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const releases = (await listReleases(app.records, stack.name)).slice(0, Number(options.limit ?? 20));
  if (options.json !== true) await tellPlanned(context, app, stack);
  const told = releases.map((release) => ({ ...release, forecastError: forecastError(release) ?? null }));
  if (options.json === true) context.terminal.out(JSON.stringify(told, null, 2));
  else if (releases.length === 0) context.terminal.out(`Nothing was deployed on ${stack.name} yet.`);
  else context.terminal.out(table([header, ...releases.map(rowOf)]));
  return 0;
}

/** What is to be deployed, and when. For machines it is among `schedules --json`. */
async function tellPlanned({ terminal }: Context, app: App, { name, config }: Stack): Promise<void> {
  const [due, { all }] = await Promise.all([listDueOneOffs(app.control, name), app.procedures()]);
  const isDeployment = (procedure: string) => all.find((one) => one.name === procedure)?.chapter === "deployment";
  for (const { procedure, at, actor, run, schedule } of due.filter((one) => isDeployment(one.procedure))) {
    const title = run === null ? procedure : (await getRun(app.control, run)).title;
    terminal.out(`Planned for ${instant(at, config.timezone)} by ${actor}: ${title} (${run ?? schedule})`);
  }
}

const header = ["RELEASE", "KIND", "COMMIT", "SUBJECT", "COMMITS", "BY", "USERS OUT", "EXPECTED", "TOOK"];

function rowOf(release: Release): readonly string[] {
  const { id, kind, commit, commits, by, downtimeSeconds, seconds } = release;
  const subject = commits.at(0)?.subject ?? "";
  const shown = subject.length > 40 ? `${subject.slice(0, 39)}…` : subject;
  return [
    id,
    kind,
    commit.slice(0, 10),
    shown,
    String(commits.length),
    by,
    duration(downtimeSeconds),
    expected(release),
    duration(seconds),
  ];
}

/** What was forecast, and by how much of what came it was too long (+) or too short (−). */
function expected(release: Release): string {
  const error = forecastError(release);
  if (error === undefined || release.forecastSeconds === null) return "";
  const percent = Math.round(Math.abs(error) * 100);
  return `${duration(release.forecastSeconds)} (${error < 0 ? "−" : "+"}${percent} %)`;
}
