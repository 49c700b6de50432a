import type { Records } from "../../engine/records.ts";
import { defineFinding } from "../../errors/finding.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Finding } from "../monitoring/check.ts";
import { type Drill, listDrills } from "./record.ts";

const failing = defineFinding("IPAI-RECOVERY-001", {
  title: "Recovery drill",
  asks: "whether the last drill of each kind passed",
  fails: "one did not",
  first: "`ipai runs show RUN` says where it stopped: on the day it would stop there too. Then `ipai drill`.",
});

const tooSlow = defineFinding("IPAI-RECOVERY-002", {
  title: "Time to recover, measured",
  asks: "how long the last drill of each kind took",
  fails: "longer than `objectives.rto` allows",
  first:
    "`ipai drill show` says in which phase: a nearer repository, more workers (`backup.jobs`), or another objective.",
});

const tooOld = defineFinding("IPAI-RECOVERY-003", {
  title: "Work that the drill would have lost",
  asks: "how old what came back in the last drill of each kind was",
  fails: "older than `objectives.rpo` allows",
  first:
    "Do backups reach the repository that the drill read? More often: a schedule, or an archive (`ipai wal setup`).",
});

/** What drills say that is not well: one that did not pass, and one that passed too slowly or would have lost too much. */
export async function findDrillFaults(records: Records, stack: Stack, now: Date): Promise<readonly Finding[]> {
  return judgeDrills(await listDrills(records, stack.name), stack.config.objectives, now);
}

interface Objectives {
  readonly rtoSeconds: number;
  readonly rpoSeconds: number;
}

/** So long one may still be under way. */
const underWayMs = 3_600_000;

export function judgeDrills(drills: readonly Drill[], objectives: Objectives, now: Date): readonly Finding[] {
  const last = (["server", "database"] as const).flatMap((what) => drills.find((one) => one.what === what) ?? []);
  const failed = last.filter(
    ({ evidence, begunAt }) => evidence === undefined && now.getTime() - begunAt.getTime() > underWayMs,
  );
  const passed = last.flatMap(({ evidence }) => (evidence === undefined ? [] : [evidence]));
  const slow = passed.filter(({ seconds }) => seconds > objectives.rtoSeconds);
  const lossy = passed.filter(({ lossSeconds }) => lossSeconds > objectives.rpoSeconds);
  const minutes = (seconds: number) => Math.round(seconds / 60);
  const most = (values: readonly number[]) => Math.max(...values.map(minutes));
  return [
    ...(failed.length === 0
      ? []
      : [
          {
            ...failing,
            ...({ unit: "did not pass", status: "fail", milliseconds: 0 } as const),
            ...{ value: failed.length, threshold: 0 },
            hint: `${failed.map(({ what, run }) => `${what} (run ${run})`).join(", ")}: \`ipai runs show\` says where it stopped. On the day it would stop there too.`,
          },
        ]),
    ...(slow.length === 0
      ? []
      : [
          {
            ...tooSlow,
            ...({ unit: "min", status: "fail", milliseconds: 0 } as const),
            ...{ value: most(slow.map(({ seconds }) => seconds)), threshold: minutes(objectives.rtoSeconds) },
            hint: "The last drill took longer than objectives.rto allows. `ipai drill show` says in which phase: a nearer repository, more workers (backup.jobs), or another objective.",
          },
        ]),
    ...(lossy.length === 0
      ? []
      : [
          {
            ...tooOld,
            ...({ unit: "min", status: "fail", milliseconds: 0 } as const),
            ...{ value: most(lossy.map(({ lossSeconds }) => lossSeconds)), threshold: minutes(objectives.rpoSeconds) },
            hint: "More than objectives.rpo allows. Do backups reach the repository that the drill read? More often: a schedule, or an archive (`ipai wal setup`).",
          },
        ]),
  ];
}
