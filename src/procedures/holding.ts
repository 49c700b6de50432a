import type { CommandAction, Probe, SqlAction } from "../runbook/action.ts";
import { join, runId } from "../runbook/value.ts";
import { withoutLimits } from "../stack/postgres.ts";
import type { Stack } from "../stack/stack.ts";

/**
 * A session on the stack's database that holds its locks while steps are done. It goes on when this program dies, and ends by itself after
 * the time that it is given. A run has one at a time.
 */
export interface Holding {
  /** Starts it, and does not wait for it. */
  readonly start: CommandAction;
  readonly isStarted: Probe;
  /** It has what it was started for: what it says then is the last word of its name. */
  readonly holds: Probe;
  readonly release: SqlAction;
  readonly isGone: Probe;
}

/** `statements`: in one transaction, after `begin`. `says`: an SQL expression, a word without a space. */
export function holdingSession(
  { postgres, config, runtime }: Stack,
  { begin, statements, says, seconds }: HoldingOptions,
): Holding {
  const { client, query } = postgres;
  const name = `select set_config('application_name', current_setting('application_name') || ' ' || ${says}, false)`;
  const all = [limitsSql, begin, ...statements, name, `select pg_sleep(${seconds})`];
  const session = client(
    "psql",
    ...["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", config.odoo.database],
    ...all.flatMap((statement) => ["-c", statement]),
  );
  const isStarted: Probe = {
    title: "the holding session is there",
    action: query("postgres", countSql, { hold: join("ipai ", runId, "%") }),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
  };
  return {
    start: runtime.detach({ PGAPPNAME: join("ipai ", runId) }, session),
    isStarted,
    holds: { ...isStarted, title: "it has its locks", action: query("postgres", countSql, { hold: holdOf }) },
    release: query(
      "postgres",
      "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like :'hold';\n",
      { hold: join("ipai ", runId, "%") },
    ),
    isGone: { ...isStarted, title: "the holding session is gone", compare: "eq", with: 0 },
  };
}

interface HoldingOptions {
  /** How the transaction begins. */
  readonly begin: string;
  readonly statements: readonly string[];
  readonly says: string;
  readonly seconds: number;
}

/** The name of a session that has what it was started for. */
export const holdOf = join("ipai ", runId, " %");

const countSql = "select count(*) from pg_stat_activity where application_name like :'hold';\n";

const limitsSql = withoutLimits.slice(0, withoutLimits.indexOf("\\gset"));
