import type { Differences } from "../../procedures/backup/past/compare.ts";
import type { Terminal } from "../terminal.ts";
import { clip, instant, table } from "./text.ts";

/** What would be lost by going back, for a person: what people work on first, and of what changes by itself only how much. */

type Model = Differences["models"][number];

export function renderDifferences(terminal: Terminal, found: Differences, timezone: string): string {
  const shown = found.models.filter(({ noise }) => noise === null);
  const noise = found.models.filter((model) => model.noise !== null);
  const head = ["", "MODEL", "CREATED", "CHANGED", "DELETED", "BY"];
  const rows = shown.map((model) => [
    model.label,
    terminal.style("dim", model.model),
    ...[model.created, model.changed, model.deleted].map((count) => (count === 0 ? "" : String(count))),
    byWords(model),
  ]);
  const when = `compared ${instant(found.comparedAt, timezone)}`;
  if (found.models.length === 0) return `Nothing would be lost: no row differs from the present (${when}).`;
  const lost =
    shown.length === 0
      ? `Nothing that anybody made or changed would be lost (${when}).`
      : `By going back, ${found.created} made and ${found.changed} changed would be lost, and ${found.deleted} deleted would be there again (${when}).`;
  return [
    lost,
    ...(rows.length === 0 ? [] : ["", table([head, ...rows]), ...samples(shown)]),
    ...(noise.length === 0 ? [] : ["", noiseWords(noise, found.noise)]),
  ].join("\n");
}

function byWords({ by, deleted }: Model): string {
  const known = by.filter(({ created, changed }) => created + changed > 0);
  const names = known.map(({ login, uid, created, changed }) => `${login ?? userWords(uid)} (${created + changed})`);
  return [names.join(", "), ...(deleted > 0 ? ["who deleted is not kept"] : [])]
    .filter((part) => part !== "")
    .join("; ");
}

function userWords(uid: number | null): string {
  return uid === null ? "unknown" : `user ${uid}`;
}

const sampledModels = 6;
const sampledRecords = 5;

/** The names of some records say more than their number. */
function samples(models: readonly Model[]): readonly string[] {
  const lines = models.slice(0, sampledModels).flatMap(({ label, records }) => {
    const named = records.filter(({ record }) => record !== null);
    if (named.length === 0) return [];
    const first = named
      .slice(0, sampledRecords)
      .map(({ what, record, id }) => `${what} ${clip(record ?? "", 40)} [${id}]`);
    const more = records.length > sampledRecords ? ", …" : "";
    return [`${label}: ${first.join(", ")}${more}`];
  });
  return lines.length === 0 ? [] : ["", ...lines];
}

function noiseWords(models: readonly Model[], rows: number): string {
  const each = models.map((one) => `${one.model} ${one.created + one.changed + one.deleted} (${one.noise})`);
  return `Besides ${rows} rows of what changes by itself: ${each.join(", ")}`;
}
