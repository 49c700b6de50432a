import type { Loss } from "../../procedures/backup/restore/loss.ts";
import { duration, instant } from "./text.ts";

/** What a restore would lose, as people read it before they are asked. */
export function renderLoss(loss: Loss, timezone: string): readonly string[] {
  const { newerSets, newerBases, reachableFrom } = loss;
  return [
    `The set is ${duration(loss.ageSeconds)} old.${newerSets === 0 ? "" : ` Sets that are newer: ${newerSets}.`}`,
    renderChanges(loss.rows),
    ...(reachableFrom === undefined
      ? []
      : [
          `The archive reaches any instant since ${instant(reachableFrom, timezone)} (newer base backups: ${newerBases}): ` +
            "ipai restore --at loses less.",
        ]),
  ];
}

export function renderChanges(rows: Loss["rows"]): string {
  if (rows === undefined) return "What was done since cannot be told: the database does not answer.";
  const sum = (of: "created" | "changed") => rows.reduce((total, row) => total + row[of], 0);
  if (rows.length === 0)
    return "Nothing was created or changed since, in any table up to 1 GB. What was deleted is not counted.";
  const most = rows.toSorted((a, b) => b.created + b.changed - a.created - a.changed).slice(0, listedMax);
  const words = most.map(({ model, created, changed }) =>
    [model, ...(created > 0 ? [`+${created}`] : []), ...(changed > 0 ? [`~${changed}`] : [])].join(" "),
  );
  const more = rows.length > listedMax ? ", …" : "";
  return (
    `Since then at least ${sum("created")} records were created (+) and ${sum("changed")} changed (~), in tables up to 1 GB: ` +
    `${words.join(", ")}${more}`
  );
}

const listedMax = 8;
