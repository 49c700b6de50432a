import { getRun } from "../../engine/journal.ts";
import { listDueOneOffs } from "../../engine/one-offs.ts";
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
  if (options.json === true) context.terminal.out(JSON.stringify(releases, null, 2));
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

const header = ["RELEASE", "KIND", "COMMIT", "SUBJECT", "COMMITS", "BY", "USERS OUT", "TOOK"];

function rowOf({ id, kind, commit, commits, by, downtimeSeconds, seconds }: Release): readonly string[] {
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
    duration(seconds),
  ];
}
