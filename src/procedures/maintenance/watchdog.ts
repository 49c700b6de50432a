import { defineFinding } from "../../errors/finding.ts";
import { type Look, type Maintenance, parseLook } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Check, type Finding, type Judgement, judgeAnswer } from "../monitoring/check.ts";
import type { FactReader } from "../procedure.ts";
import type { Resource } from "../resources.ts";

import { readFlag } from "../running.ts";
import { listMaintenances, shownInstant } from "./owned.ts";

/** A maintenance always ends, or somebody is told that it does not. */

const hourMs = 3_600_000;
/** An upgrade takes minutes; a run that keeps users out for longer hangs, or was left where it is. */
const runHoursMax = 4;
/** The schedule that lifts it comes by every quarter of an hour. */
const graceMinutesMax = 20;

const flagged = defineFinding("IPAI-MAINTENANCE-001", {
  title: "Maintenance mode",
  asks: "whether users are kept out for longer than they were told, where `services.proxy.maintenance` is configured",
  warns: "its end has passed; or the flag was put there by hand",
  fails: `it was not lifted ${graceMinutesMax} minutes after its end and grace; or a run keeps users out for more than ${runHoursMax} hours`,
  first: "`ipai maintenance off` lets users in, if Odoo serves; of a run, `ipai runs show RUN` says where it stands.",
});

const explained = defineFinding("IPAI-MAINTENANCE-002", {
  title: "Maintenance and what is noted of it",
  asks: "whether the flag on the disk and what is recorded of it agree",
  warns: "a flag is there that no run and no record explains, or a record whose flag somebody removed",
  first: "`ipai maintenance off` puts it right.",
});

/** What the flag itself tells, without any record: whether it outlives its time. */
export function maintenanceMode(stack: Stack, { look }: Maintenance): Check {
  const { grace } = stack.config.services.proxy?.maintenance ?? { grace: 0 };
  const { timezone } = stack.config;
  return {
    ...flagged,
    unit: "",
    actions: [look],
    judge: ([answer]) =>
      judgeAnswer(answer, null, "Whether maintenance is on could not be found out.", ({ stdout }) =>
        judgeFlag(parseLook(stdout), grace, timezone),
      ),
  };
}

export function judgeFlag({ now, found }: Look, graceSeconds: number, timezone: string): Judgement {
  if (found === undefined) return { status: "ok", value: "off", threshold: null };
  const { flag, since } = found;
  const ends = "`ipai maintenance off` ends it; `ipai maintenance on --for 30m` gives it more time.";
  const sinceWords = `on since ${shownInstant(since.toISOString(), timezone)}`;
  if (flag === undefined)
    return {
      ...{ status: "warn", value: "on, by hand", threshold: null },
      hint: `Users are kept out by a flag that ipai did not put there, ${sinceWords}: no run and nobody in the audit explains it. ${ends}`,
    };
  if (flag.until === "") {
    const hours = (now.getTime() - since.getTime()) / hourMs;
    const value = `on for run ${flag.run}`;
    if (hours <= runHoursMax) return { status: "ok", value, threshold: null };
    return {
      ...{ status: "fail", value, threshold: null },
      hint: `Users are kept out for ${Math.floor(hours)} hours. \`ipai runs show ${flag.run}\` says where it stands, \`ipai runs resume ${flag.run}\` goes on.`,
    };
  }
  const value = `on until ${shownInstant(flag.until, timezone)}`;
  const lateMs = now.getTime() - Date.parse(flag.until);
  if (lateMs <= 0) return { status: "ok", value, threshold: null };
  const status = lateMs > (graceSeconds + 60 * graceMinutesMax) * 1000 ? "fail" : "warn";
  const late = Math.ceil(lateMs / 60_000);
  const words = `Users are kept out ${late} minute${late === 1 ? "" : "s"} longer than they were told, ${sinceWords} (run ${flag.run}).`;
  return { status, value, threshold: null, hint: `${words} ${ends}` };
}

/** What flag and records tell of each other. `holders`: the runs that hold the stack. */
export async function findMaintenanceFaults(
  reader: FactReader,
  holders: readonly string[],
): Promise<readonly Finding[]> {
  const { stack, records } = reader;
  const { maintenance } = stack;
  if (maintenance === undefined) return [];
  const [open, look] = await Promise.all([
    listMaintenances(records, stack.name),
    // What cannot be looked at is told by the check of the flag.
    reader.maybe(readFlag(reader, maintenance)),
  ]);
  return look === undefined ? [] : judgeExplained(open, look.found, holders);
}

export function judgeExplained(
  open: readonly Pick<Resource, "id" | "run" | "by">[],
  found: Look["found"],
  holders: readonly string[],
): readonly Finding[] {
  const finding = (value: string, hint: string): readonly Finding[] => [
    {
      ...explained,
      ...{ unit: "", threshold: null },
      ...{ status: "warn", value, hint, milliseconds: 0 },
    },
  ];
  const ends = "`ipai maintenance off` puts it right.";
  if (found === undefined) {
    const [first] = open;
    if (first === undefined) return [];
    return finding(
      "lifted by hand",
      `${first.id}, switched on by ${first.by}, is noted as on, but its flag is gone. ${ends}`,
    );
  }
  const { flag } = found;
  // One that was put there by hand is told by the check of the flag.
  if (flag === undefined) return [];
  if (flag.of === "person" && open.some(({ run }) => run === flag.run)) return [];
  if (flag.of === "run" && holders.includes(flag.run)) return [];
  return finding(
    "unexplained",
    `Users are kept out by the flag of run ${flag.run}, which ${flag.of === "run" ? "does not hold the stack any more" : "is noted nowhere as on"}. ${ends}`,
  );
}
