import { dropKept, openStack, prove, required, runJson, sql } from "../world.ts";
import { type Upgrade, upgrades } from "./releases.ts";

// Where the stack is is settled when `world.ts` is loaded, before these.
const { push } = await import("../../test/harness/repository.ts");
const { ipai, parsed } = await import("../../test/harness/sandbox.ts");

/** Entries of the practice ledger, so that an update has something to compute and to write. */
const entries = 200_000;

export interface Forecast {
  readonly name: string;
  readonly expected: number;
  readonly actual: number;
  readonly rehearsedUpdate: number;
  readonly update: number;
  readonly copy: number;
}

/** Five different upgrades, each rehearsed on a backup of the moment and then deployed. The first is the first that this stack ever has. */
export async function playForecasts() {
  await using _opened = await openStack();
  await sql(`insert into ipai_demo_entry (name, date, amount, state)
    select 'Entry ' || n, date '2026-01-01' + n % 300, n % 1000, 'posted' from generate_series(1, ${entries}) n`);
  await sql("vacuum analyze ipai_demo_entry");
  await prove();
  const forecasts: Forecast[] = [];
  for (const upgrade of upgrades) {
    forecasts.push(await play(upgrade));
    process.stderr.write(`${JSON.stringify(forecasts.at(-1))}\n`);
  }
  const megabytes = Math.round(Number(await sql("select pg_database_size(current_database())")) / 1_000_000);
  return { about: `${entries.toLocaleString("en")} entries in a database of ${megabytes} MB`, forecasts };
}

interface ReleaseJson {
  readonly forecastSeconds: number | null;
  readonly downtimeSeconds: number;
  readonly updateSeconds: number;
  readonly copySeconds: number;
}

async function play({ name, install, make }: Upgrade): Promise<Forecast> {
  await push(`Upgrade: ${name}`, make);
  const installs = install === undefined ? [] : ["--install", install];
  await required("backup", "--yes");
  const rehearsed = await runJson("rehearse", ...installs);
  const ended = await runJson("deploy", "--no-backup", ...installs);
  for (const { outcome, error } of [rehearsed, ended])
    if (outcome !== "succeeded") throw new Error(`${name}: ${JSON.stringify(error)}`);
  await dropKept();
  const [release] = parsed<readonly ReleaseJson[]>(await ipai(["deployments", "--json"]));
  if (release === undefined || release.forecastSeconds === null) throw new Error(`${name} has no forecast`);
  const { forecastSeconds: expected, downtimeSeconds: actual, updateSeconds: update, copySeconds: copy } = release;
  const rehearsedUpdate = rehearsed.steps.find(({ id }) => id === "update")?.seconds ?? Number.NaN;
  return { name, expected, actual, rehearsedUpdate, update, copy };
}
