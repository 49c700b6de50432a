import { z } from "zod";
import { defineFinding } from "../../errors/finding.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Answer, type Check, type Judgement, judgeAnswer, judgeThresholds } from "./check.ts";
import { logsOfOdoo } from "./services.ts";

/** What PostgreSQL is asked: whether it has room for users, and how the scheduled actions fare. */

const connectionsSql = `
select json_build_object(
  'used', (select count(*) from pg_stat_activity where backend_type = 'client backend'),
  'max', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int);
`;
const connectionsRow = z.object({ used: z.number(), max: z.number() });

const limits = { warn: 80, fail: 95 };

const connections = defineFinding("IPAI-DB-001", {
  title: "Database connections",
  asks: "whether PostgreSQL answers on the stack's database, and how many of the connections that users may have are in use",
  warns: `${limits.warn} % or more`,
  fails: `${limits.fail} % or more: at 100 the next user is refused; or it does not answer`,
  first:
    "Start the server if it does not run. Where there are many connections, `select application_name, state, count(*) from pg_stat_activity group by 1, 2` tells whose.",
});

/** PostgreSQL answers on the stack's own database, and has connections left: at 100 % the next user is refused. */
export function database(stack: Stack): Check {
  const { database: name } = stack.config.odoo;
  const failHint = `PostgreSQL does not answer on database ${name}. ${stack.runtime.words.startDatabase}`;
  return {
    ...connections,
    unit: "% used",
    actions: [stack.postgres.query(name, connectionsSql)],
    judge: ([answer]) =>
      judgeRow(answer, connectionsRow, limits.fail, failHint, ({ used, max }) => {
        const value = Math.round((100 * used) / max);
        const status = judgeThresholds(value, limits);
        const hint = `${used} of ${max} connections are in use. \`select application_name, state, count(*) from pg_stat_activity group by 1, 2\` tells by whom.`;
        return { status, value, threshold: limits.fail, ...(status === "ok" ? {} : { hint }) };
      }),
  };
}

/**
 * Odoo moves `lastcall` on failures too, so it says nothing. What does: a failure count; an action that its time limit ended, which
 * Odoo counts when it begins, so that an action at its first attempt is given an hour; one that is long overdue although a scheduler
 * was there (after a stop all are due at once, and are given the same 15 minutes); modules between two states (all actions are
 * skipped then); and whether any scheduler is connected at all. A scheduler listens on the database `postgres` as the owner of
 * Odoo's database; its last statements are LISTEN and COMMIT, and it never says more.
 */
const cronsSql = `
with schedulers as (
  select a.backend_start from pg_stat_activity a join pg_database d on d.datname = current_database()
    where a.datname = 'postgres' and a.usesysid = d.datdba and (a.query = 'COMMIT' or a.query ilike 'listen cron_trigger%')),
latest as (
  select distinct on (cron_id) * from ir_cron_progress order by cron_id, id desc),
crons as (
  select cron_name, failure_count > 0 as failing,
      done = 0 and timed_out_counter > (case when p.create_date < now() at time zone 'UTC' - interval '1 hour' then 0 else 1 end) as stopped,
      now() - interval '15 minutes' > greatest(nextcall at time zone 'UTC', (select min(backend_start) from schedulers)) as overdue
    from ir_cron c left join latest p on p.cron_id = c.id where active)
select json_build_object(
  'failing', (select coalesce(json_agg(cron_name order by cron_name) filter (where failing), '[]') from crons),
  'stopped', (select coalesce(json_agg(cron_name order by cron_name) filter (where stopped), '[]') from crons),
  'overdue', (select coalesce(json_agg(cron_name order by cron_name) filter (where overdue), '[]') from crons),
  'pending', (select coalesce(json_agg(name order by name), '[]') from ir_module_module where state like 'to %'),
  'schedulers', (select count(*) from schedulers));
`;
const cronsRow = z.object({
  failing: z.array(z.string()),
  stopped: z.array(z.string()),
  overdue: z.array(z.string()),
  pending: z.array(z.string()),
  schedulers: z.number(),
});

const scheduledActions = defineFinding("IPAI-CRON-001", {
  title: "Scheduled actions",
  asks: "how Odoo's active scheduled actions fare, whether a scheduler is connected, and whether modules stand between two states",
  warns: "one is overdue by more than 15 minutes although a scheduler is there",
  fails:
    "one fails, or was ended before it did anything; no scheduler is connected; or all are skipped, because a module waits for its update",
  first:
    "The finding names them: read the traceback in Odoo's log; restart Odoo where no scheduler is connected; finish an update that was begun (`ipai upgrade`).",
});

export function crons(stack: Stack): Check {
  const failHint =
    "The scheduled actions could not be read. While PostgreSQL does not answer (IPAI-DB-001), none of them runs.";
  return {
    ...scheduledActions,
    unit: "failing or overdue",
    actions: [stack.postgres.query(stack.config.odoo.database, cronsSql)],
    judge: ([answer]) => judgeRow(answer, cronsRow, 0, failHint, (row) => judgeCrons(stack, row)),
  };
}

function judgeCrons(stack: Stack, row: z.infer<typeof cronsRow>): Judgement {
  const services = stack.config.services.odoo.map((service) => service.name).join(", ");
  const hints = [
    ...ifAny(row.failing, (names) => `Failing: ${names}. The tracebacks are in ${logsOfOdoo(stack)}.`),
    ...ifAny(row.stopped, (names) => `Ended before they did anything, by a time limit or from outside: ${names}.`),
    ...ifAny(row.overdue, (names) => `Overdue by more than 15 minutes: ${names}.`),
    ...ifAny(
      row.pending,
      (names) => `All are skipped while modules are between two states: ${names}. Finish their update (ipai upgrade).`,
    ),
    ...(row.schedulers === 0
      ? [
          `No scheduler of Odoo is connected, so nothing scheduled runs. Restart ${services}: ` +
            "a scheduler does not come back by itself when PostgreSQL was restarted.",
        ]
      : []),
  ];
  const isBroken = row.failing.length + row.stopped.length + row.pending.length > 0 || row.schedulers === 0;
  return {
    status: isBroken ? "fail" : row.overdue.length > 0 ? "warn" : "ok",
    value: new Set([...row.failing, ...row.stopped, ...row.overdue]).size,
    threshold: 0,
    ...(hints.length === 0 ? {} : { hint: hints.join(" ") }),
  };
}

function ifAny(names: readonly string[], sentence: (names: string) => string): readonly string[] {
  return names.length === 0 ? [] : [sentence(names.join(", "))];
}

function judgeRow<T>(
  answer: Answer | undefined,
  schema: z.ZodType<T>,
  threshold: Judgement["threshold"],
  failHint: string,
  judge: (row: T) => Judgement,
): Judgement {
  return judgeAnswer(answer, threshold, failHint, (result) => judge(schema.parse(JSON.parse(result.stdout))));
}
