import { type Bench, median } from "./bench.ts";
import type { Rolled, Update } from "./deploy/rounds.ts";

/**
 * Deployments, against the standard deployment and the hot-fix of the runbook that this program comes from (`deploy/runbook.sh`), with users
 * at the public address of three services: 25 requests a second, every third a POST, and a websocket.
 */

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);

interface Both<T> {
  readonly ours: T;
  readonly theirs: T;
}
interface Figures {
  readonly about: string;
  readonly updates: readonly Both<Update>[];
  readonly rolled: readonly Both<Rolled>[];
}

let figures: Promise<Figures> | undefined;

/** All rows come from the same rounds, so that the database is brought up once. */
function measureAll(): Promise<Figures> {
  figures ??= import("./deploy/rounds.ts").then(({ playRounds }) => playRounds(rounds));
  return figures;
}

function bench(
  given: Pick<Bench, "name" | "title" | "unit"> & { readonly goal?: number },
  valuesOf: (figures: Figures) => readonly number[],
  tell: (figures: Figures) => string,
): Bench {
  let told = "";
  return {
    ...given,
    isLong: true,
    measure: async () => {
      const all = await measureAll();
      told = `${tell(all)}; ${all.about}`;
      return valuesOf(all);
    },
    explain: () => told,
  };
}

const middle = (values: readonly number[]) => median(values.toSorted((a, b) => a - b));
const beyond = ({ out, update, copy }: Update) => out - update - copy;

function sides({ updates }: Figures): string {
  const of = (side: keyof Both<Update>, key: keyof Update) => middle(updates.map((one) => one[side][key])).toFixed(1);
  return [
    `out for ${of("ours", "out")} s, of that ${of("ours", "update")} s odoo -u with what judges it, ${of("ours", "copy")} s the copy`,
    `the runbook: ${of("theirs", "out")} s without a good answer, of that ${of("theirs", "update")} s odoo -u, and no copy`,
    `by its own words users are out for ${of("theirs", "closed")} s, until its step 13`,
  ].join("; ");
}

function failed({ rolled }: Figures): string {
  const of = (side: keyof Both<Rolled>) =>
    rolled.map((one) => `${one[side].failed} of ${one[side].requests}`).join(", ");
  return `ours ${of("ours")}; stop all, start all: ${of("theirs")}`;
}

/** Of what came: how far the forecast was off. */
function forecast(): Bench {
  let told = "";
  return {
    name: "deploy-forecast",
    title:
      "the worst of five different upgrades: how far the downtime that its rehearsal let expect was off, of what came",
    unit: "ratio",
    goal: 0.2,
    isLong: true,
    measure: async () => {
      const { about, forecasts } = await (await import("./deploy/forecasts.ts")).playForecasts();
      const one = ({ name, expected, actual }: (typeof forecasts)[number]) =>
        `${name}: ${expected.toFixed(1)} s expected, ${actual.toFixed(1)} s came`;
      told = `${forecasts.map(one).join("; ")}; ${about}`;
      return [Math.max(...forecasts.map(({ expected, actual }) => Math.abs(expected - actual) / actual))];
    },
    explain: () => told,
  };
}

export const deployBenches: readonly Bench[] = [
  bench(
    {
      name: "deploy-update",
      title: "users out during `ipai deploy` with an update of two modules, beyond `odoo -u` and the copy",
      unit: "s",
      goal: 6,
    },
    ({ updates }) => updates.map(({ ours }) => beyond(ours)),
    sides,
  ),
  bench(
    { name: "deploy-closed", title: "users out, all in all, to the runbook's own window", unit: "ratio" },
    ({ updates }) => updates.map(({ ours, theirs }) => ours.out / theirs.closed),
    sides,
  ),
  bench(
    { name: "deploy-code", title: "failed answers while `ipai deploy` brings code alone", unit: "answers", goal: 0 },
    ({ rolled }) => rolled.map(({ ours }) => ours.failed),
    failed,
  ),
  forecast(),
];
