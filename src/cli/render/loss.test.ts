import { expect, it } from "vitest";
import { renderLoss } from "./loss.ts";

const loss = { ageSeconds: 50_400, newerSets: 0, newerBases: undefined, reachableFrom: undefined, rows: [] };

it("says how old the set is, and that nothing was done since", () => {
  expect(renderLoss(loss, "Asia/Manila")).toEqual([
    "The set is 14 h 00 min old.",
    "Nothing was created or changed since, in any table up to 1 GB. What was deleted is not counted.",
  ]);
});

it("names the models with most records first, what is nearer, and what the archive reaches", () => {
  const rows = Array.from({ length: 9 }, (_, index) => ({ model: `m.${index}`, created: index, changed: 9 - index }));
  const archive = { newerBases: 2, reachableFrom: "2026-11-20T18:00:00Z" };
  const most = { model: "account.move", created: 90, changed: 0 };
  expect(renderLoss({ ...loss, ...archive, newerSets: 3, rows: [...rows, most] }, "Asia/Manila")).toEqual([
    "The set is 14 h 00 min old. Sets that are newer: 3.",
    "Since then at least 126 records were created (+) and 45 changed (~), in tables up to 1 GB: " +
      "account.move +90, m.0 ~9, m.1 +1 ~8, m.2 +2 ~7, m.3 +3 ~6, m.4 +4 ~5, m.5 +5 ~4, m.6 +6 ~3, …",
    "The archive reaches any instant since 2026-11-21 02:00:00 Asia/Manila (newer base backups: 2): ipai restore --at loses less.",
  ]);
});

it("says so when the database does not answer", () => {
  expect(renderLoss({ ...loss, rows: undefined }, "Asia/Manila")[1]).toContain("cannot be told");
});
