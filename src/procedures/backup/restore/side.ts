import type { Act, Bracket, Step } from "../../../runbook/plan.ts";
import type { SideCluster } from "../../../stack/side.ts";
import { change, read, startService, stopService } from "../../steps.ts";
import type { PastFacts } from "./facts.ts";

/** The past beside the present: fetched, replayed to the instant, and looked at before anybody relies on it. */

/**
 * As the server reads it; in UTC, so that no zone of a machine can move it. To the microsecond, as the server counts: between two
 * transactions there may be no more.
 */
export function targetOf(at: string): string {
  const [, fraction = ""] = /\.(\d+)/.exec(at) ?? [];
  const seconds = new Date(at).toISOString().slice(0, "2026-11-23T02:00:00".length).replace("T", " ");
  return `${seconds}.${fraction.slice(0, 6).padEnd(3, "0")}+00`;
}

export function fetchPast(side: SideCluster, at: string | undefined, facts: PastFacts): Act {
  return change(
    {
      id: "fetch",
      title: `Fetch base backup ${facts.backup}`,
      action: side.fetch({
        at: at === undefined ? undefined : targetOf(at),
        backup: facts.backup,
        limits: facts.limits,
      }),
    },
    {
      done: side.isFetched,
      verify: [side.isFetched],
      timeoutSeconds: 24 * 3600,
      forecastSeconds: 1 + Math.ceil(facts.databaseBytes / fetchBytesPerSecond),
    },
  );
}

/** Measured on the test machine; only used to say how long it will take. */
const fetchBytesPerSecond = 60_000_000;

export function withSideCluster(side: SideCluster, body: Bracket["body"]): Bracket {
  const service = { ...side, stopSeconds: 60 };
  return {
    kind: "bracket",
    id: "side",
    title: "Side cluster",
    open: [startSide(side)],
    body,
    close: [stopService("stop side", "Stop the side cluster", service)],
  };
}

export function startSide(side: SideCluster): Act {
  const start = startService("start side", "Start the side cluster", { ...side, stopSeconds: 60 });
  return { ...start, attempts: 1, timeoutSeconds: 24 * 3600 };
}

/** Replay stops before the first transaction that ended later; what it has then is asked, not believed. */
export function reachInstant(side: SideCluster, at: string): readonly Step[] {
  const target = targetOf(at);
  const lastSql =
    "select coalesce(to_char(pg_last_xact_replay_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), 'none');";
  return [
    change(
      { id: "replay", title: `Replay the log until ${target}`, action: side.awaitTarget },
      {
        verify: [
          {
            title: "no transaction in it ended after the instant",
            action: side.query(
              "postgres",
              `select case when pg_last_xact_replay_timestamp() > :'target' then pg_last_xact_replay_timestamp()::text else '' end;`,
              { target },
            ),
            output: { from: "stdout" },
            compare: "absent",
            with: "",
            code: "restore.target_passed",
          },
        ],
        timeoutSeconds: 24 * 3600,
      },
    ),
    read({
      id: "instant",
      title: "Note the last transaction that it has",
      action: side.query("postgres", lastSql),
      outputs: { last: { from: "stdout" } },
    }),
  ];
}

export function promote(side: SideCluster): Act {
  const open = {
    title: "it takes changes",
    action: side.query("postgres", "select pg_is_in_recovery();"),
    output: { from: "stdout" },
    compare: "eq",
    with: "f",
  } as const;
  return change(
    {
      id: "promote",
      title: "Let the side cluster take changes",
      action: side.query("postgres", "select pg_promote(true, 300);"),
    },
    { done: open, verify: [open], timeoutSeconds: 320 },
  );
}
