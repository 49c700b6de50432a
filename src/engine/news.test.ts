import { describe, expect, it } from "vitest";
import { tellRun } from "./news.ts";

type Told = Parameters<typeof tellRun>[0];
const run: Told = {
  ...{ id: "20261125t100000_abcd", stack: "erp", title: "Upgrade ipai_ledger", actor: "anna", lease: "exclusive" },
  ...{ status: "ended", outcome: null, waiting_for: null, error: null, waits: "0" },
  ...{ hasBegun: true, planned: null, consented: ["anna"], shortfalls: [] },
  ...{ started_at: new Date("2026-11-25T10:00:00Z"), finished_at: new Date("2026-11-25T10:04:12Z") },
};
const error = { code: "upgrade.failed", message: "It failed.", hint: "Look.", exitCode: 50 } as never;
const done = { title: "Deployment complete", line: "The system is live. Please report any issues." };
const said = (changed: Partial<Told>, story: object = {}) => {
  const messages = tellRun({ ...run, ...changed }, { chapter: "upgrade", title: "Upgrade", ...story }, (at) =>
    at.toISOString(),
  );
  return messages.map(({ event, severity, title, lines }) => [event, severity, title, ...lines]);
};
const who = "Run 20261125t100000_abcd, started by anna.";
const ended = "Run 20261125t100000_abcd, started by anna: ipai runs show 20261125t100000_abcd";

describe("what people read", () => {
  it.each<[string, Partial<Told>, string[]]>([
    [
      "that it begins, where they will notice",
      { status: "running", finished_at: null },
      ["run.started", "info", "Upgrade ipai_ledger: started", "The system may be away until it is complete.", who],
    ],
    [
      "that it is over, and how long it took",
      { outcome: "succeeded" },
      ["run.succeeded", "info", "Upgrade ipai_ledger: complete in 4 min 12 s", ended],
    ],
    [
      "that it failed, and what that means",
      { outcome: "undone", error },
      [
        ...["run.undone", "warning", "Upgrade ipai_ledger: failed, and everything was taken back"],
        ...["It failed.", "Look.", ended],
      ],
    ],
    [
      "that nobody knows how it ended",
      { outcome: "unknown", error },
      [
        "run.unknown",
        "critical",
        "Upgrade ipai_ledger: ended in a state that nobody knows",
        "It failed.",
        "Look.",
        ended,
      ],
    ],
    [
      "that it waits for them",
      { status: "waiting", waiting_for: "approval" },
      ["run.waiting", "warning", "Upgrade ipai_ledger: waits for consent", who, "ipai approve 20261125t100000_abcd"],
    ],
    [
      "that it cannot go on without them",
      { status: "waiting", waiting_for: "decision", error },
      [
        ...["run.waiting", "critical", "Upgrade ipai_ledger: stopped, and waits for a decision"],
        ...["It failed.", "Look.", who, "ipai runs show 20261125t100000_abcd"],
      ],
    ],
  ])("is %s", (_, changed, wanted) => {
    expect(said(changed)).toEqual([wanted]);
  });

  it("is, of what has words of its own for that, those", () => {
    expect(said({ outcome: "succeeded" }, { done })).toEqual([
      [
        ...["run.succeeded", "info", "Deployment complete in 4 min 12 s: Upgrade ipai_ledger"],
        ...["The system is live. Please report any issues.", ended],
      ],
    ]);
  });

  it("is also what failed without stopping it", () => {
    const shortfalls = ["n8n answers: the answer is 404."];
    expect(said({ outcome: "succeeded", shortfalls }, { done })).toEqual([
      [
        ...["run.succeeded", "info", "Deployment complete in 4 min 12 s: Upgrade ipai_ledger"],
        ...["The system is live. Please report any issues."],
        ...["Not as it should be: n8n answers: the answer is 404.", ended],
      ],
    ]);
  });

  const planned = { at: "2026-12-01T14:00:00.000Z", wasAnnounced: true };
  it.each<[string, Partial<Told>, string[]]>([
    [
      "to what was announced and is taken back",
      { outcome: "cancelled", error: { code: "run.cancelled", message: "Cancelled by berta.", hint: "No." } },
      [
        ...["run.cancelled", "info", "Upgrade ipai_ledger: cancelled"],
        ...["It was announced for 2026-12-01T14:00:00.000Z. The system stays as it is.", "Cancelled by berta."],
      ],
    ],
    [
      "to what would be another plan by its time",
      { outcome: "failed", error, planned: { ...planned, wasAnnounced: false } },
      [
        ...["run.failed", "warning", "Upgrade ipai_ledger: does not take place"],
        ...["It was planned for 2026-12-01T14:00:00.000Z. The system stays as it is.", "It failed.", "Look."],
      ],
    ],
  ])("is that it does not come, %s", (_, changed, wanted) => {
    expect(said({ planned, hasBegun: false, ...changed })).toEqual([[...wanted, ended, "Consented to by anna."]]);
  });

  it("is nothing of what is under way and keeps nobody from working, nor of what is being taken back", () => {
    expect(said({ status: "running", lease: "shared" })).toEqual([]);
    expect(said({ status: "undoing" })).toEqual([]);
    expect(said({ status: "planned" })).toEqual([]);
  });
});
