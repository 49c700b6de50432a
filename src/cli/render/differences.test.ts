import { describe, expect, it } from "vitest";
import type { Differences } from "../../procedures/backup/past/compare.ts";
import type { Candidate } from "../../procedures/backup/past/find.ts";
import { renderCandidates } from "../commands/before.ts";
import { renderDifferences } from "./differences.ts";

/** What a person reads before she decides whether to go back. */

const plain = { style: (_: string, text: string) => text } as Parameters<typeof renderDifferences>[0];
const none = { created: 0, changed: 0, deleted: 0 };
const anna = { uid: 6, login: "anna", name: "Anna Reyes" };
const nobody = { uid: null, login: null, name: null };

const found: Differences = {
  ...{ comparedAt: "2026-11-25T02:00:00.123456Z", created: 2, changed: 1, deleted: 1, noise: 7 },
  models: [
    {
      ...{ model: "account.move", label: "Journal Entry", table: "account_move", kind: "records", noise: null },
      ...{ created: 2, changed: 1, deleted: 1 },
      by: [
        { ...anna, created: 2, changed: 0, deleted: 0 },
        { uid: 9, login: null, name: null, created: 0, changed: 1, deleted: 0 },
        { ...nobody, created: 0, changed: 0, deleted: 1 },
      ],
      records: [
        { id: 7, what: "created", ...anna, record: "INV/2026/00007" },
        { id: 8, what: "created", ...anna, record: null },
        { id: 3, what: "deleted", ...nobody, record: "INV/2026/00003" },
      ],
    },
    {
      ...{ model: "bus.bus", label: "Communication Bus", table: "bus_bus", kind: "records", ...none, created: 7 },
      ...{ noise: "messages on their way to browsers", by: [], records: [] },
    },
  ],
};

describe("what would be lost", () => {
  it("is told by model with who did it, then by some names, and what changes by itself in one line", () => {
    expect(renderDifferences(plain, found, "Asia/Manila")).toBe(
      [
        "By going back, 2 made and 1 changed would be lost, and 1 deleted would be there again (compared 2026-11-25 10:00:00 Asia/Manila).",
        "",
        "               MODEL         CREATED  CHANGED  DELETED  BY",
        "Journal Entry  account.move  2        1        1        anna (2), user 9 (1); who deleted is not kept",
        "",
        "Journal Entry: created INV/2026/00007 [7], deleted INV/2026/00003 [3]",
        "",
        "Besides 7 rows of what changes by itself: bus.bus 7 (messages on their way to browsers)",
      ].join("\n"),
    );
  });

  it("is nothing when nothing differs, and nothing that matters when only noise does", () => {
    expect(renderDifferences(plain, { ...found, models: [] }, "UTC")).toBe(
      "Nothing would be lost: no row differs from the present (compared 2026-11-25 02:00:00 UTC).",
    );
    expect(renderDifferences(plain, { ...found, models: found.models.slice(1) }, "UTC")).toContain(
      "Nothing that anybody made or changed would be lost (compared 2026-11-25 02:00:00 UTC).",
    );
  });
});

describe("transactions that may be meant", () => {
  it("are numbered, with when, by whom, what they changed, and the last instant before", () => {
    const candidate: Candidate = {
      ...{
        at: "2026-11-25T02:00:00.123455Z",
        committedAt: "2026-11-25T02:00:00.123456Z",
        xid: 742,
        id: 3,
        name: "Ben",
      },
      ...{ by: anna, columns: [{ column: "email", before: null, after: "a@example.com" }] },
    };
    const text = renderCandidates([candidate, { ...candidate, by: nobody, columns: [] }], "Asia/Manila");
    expect(text.split("\n").slice(1)).toEqual([
      '1  2026-11-25 10:00:00 Asia/Manila  anna     Ben [3]  email: null → "a@example.com"  2026-11-25T02:00:00.123455Z',
      "2  2026-11-25 10:00:00 Asia/Manila  unknown  Ben [3]                                 2026-11-25T02:00:00.123455Z",
    ]);
  });
});
