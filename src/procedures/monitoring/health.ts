import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Answer, type Check, type Judgement, judgeMissing, judgeThresholds, worst } from "./check.ts";

/**
 * The seven checks of the runbook, done for what they are for: process, database, disk, memory, HTTP, cache, scheduled actions.
 * Pure: says what is asked and how answers are judged.
 */
export function healthChecks(stack: Stack): readonly Check[] {
  const { cache } = stack.config.services;
  return [
    processes(stack),
    database(stack),
    disk(stack),
    memory(stack),
    http(stack),
    ...(cache === undefined ? [] : [cacheAnswers(stack, cache.url)]),
    crons(stack),
  ];
}

function processes(stack: Stack): Check {
  const services = stack.config.services.odoo;
  return {
    code: "IPAI-ODOO-001",
    title: "Odoo processes",
    unit: "running",
    actions: services.map((service) => stack.runtime.service(service.name).isRunning.action),
    judge: (answers) => {
      const unanswered = answers.find((answer) => answer.error !== undefined);
      if (unanswered !== undefined) return judgeMissing(unanswered, services.length, neverBroken);
      const missing = services
        .filter((_, index) => answers[index]?.result?.exitCode !== 0)
        .map((service) => service.name);
      const value = services.length - missing.length;
      if (missing.length === 0) return { status: "ok", value, threshold: services.length };
      return {
        status: "fail",
        value,
        threshold: services.length,
        hint: `Not running: ${missing.join(", ")}. Its log says why it ended.`,
      };
    },
  };
}

const connectionsSql = `
select json_build_object(
  'used', (select count(*) from pg_stat_activity where backend_type = 'client backend'),
  'max', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int);
`;
const connectionsRow = z.object({ used: z.number(), max: z.number() });

/** PostgreSQL answers on the stack's own database, and has connections left: at 100 % the next user is refused. */
function database(stack: Stack): Check {
  const limits = { warn: 80, fail: 95 };
  return {
    code: "IPAI-DB-001",
    title: "Database connections",
    unit: "% used",
    actions: [stack.postgres.query(stack.config.odoo.database, connectionsSql)],
    judge: ([answer]) =>
      judgeRow(
        answer,
        connectionsRow,
        limits.fail,
        noPostgres(`PostgreSQL does not answer on database ${stack.config.odoo.database}.`),
        (row) => {
          const value = Math.round((100 * row.used) / row.max);
          const status = judgeThresholds(value, limits);
          return {
            status,
            value,
            threshold: limits.fail,
            ...(status === "ok" ? {} : { hint: `${row.used} of ${row.max} connections are in use.` }),
          };
        },
      ),
  };
}

/** Full is full, whether of bytes or of inodes: the worse of both, of the worst file system that the stack writes to. */
function disk(stack: Stack): Check {
  const { config } = stack;
  const limits = config.health.disk;
  const paths = [...new Set([config.odoo.dataDirectory, ...config.health.paths, "/"])];
  return {
    code: "IPAI-DISK-001",
    title: "Disk space",
    unit: "% used",
    actions: [command(stack.host, ["df", "--output=pcent,ipcent,target", "--", ...paths])],
    judge: ([answer]) => {
      if (answer?.result === undefined) return judgeMissing(answer, limits.fail, neverBroken);
      const rows = answer.result.stdout.trim().split("\n").slice(1).map(parseDiskRow);
      const fullest = rows.toSorted((a, b) => b.percent - a.percent)[0];
      if (fullest === undefined)
        return { status: "unknown", value: null, threshold: limits.fail, hint: "df listed no file system." };
      const status = judgeThresholds(fullest.percent, limits);
      const hint = `${fullest.target} is ${fullest.percent} % full. Old logs and backups are the usual cause.`;
      return { status, value: fullest.percent, threshold: limits.fail, ...(status === "ok" ? {} : { hint }) };
    },
  };
}

/** A line of df: "  45%    3% /path". File systems without inodes print "-". */
function parseDiskRow(line: string): { percent: number; target: string } {
  const [bytes = "", inodes = "", ...target] = line.trim().split(/\s+/);
  return {
    percent: Math.max(Number.parseInt(bytes, 10) || 0, Number.parseInt(inodes, 10) || 0),
    target: target.join(" "),
  };
}

/**
 * Memory of the machine, and of the control groups that each Odoo process lives in (version 2 or 1): a container or a unit can be out
 * of memory on a machine that has plenty. Cached files that the kernel can drop do not count. Prints `host USED TOTAL` or
 * `cgroup USED LIMIT` in bytes, a line each.
 */
const memoryScript = `
awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { free = $2 } END { printf "host %.0f %.0f\\n", (total - free) * 1024, total * 1024 }' /proc/meminfo
total=$(awk '/^MemTotal:/ { printf "%.0f", $2 * 1024 }' /proc/meminfo)
groups_of() {
  base=$1 group=$2
  while [ -n "$group" ] && [ "$group" != / ]; do
    limit=$(cat "$base$group/$3" 2>/dev/null || echo max)
    if [ "$limit" != max ] && [ "$limit" -lt "$total" ]; then
      cached=$(sed -n "s/^$5 //p" "$base$group/memory.stat")
      echo "cgroup $(($(cat "$base$group/$4") - \${cached:-0})) $limit"
    fi
    group=\${group%/*}
  done
}
for pidfile; do
  pid=$(cat "$pidfile" 2>/dev/null) && [ -r "/proc/$pid/cgroup" ] || continue
  groups_of /sys/fs/cgroup "$(sed -n 's/^0:://p' "/proc/$pid/cgroup")" memory.max memory.current inactive_file
  groups_of /sys/fs/cgroup/memory "$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")" memory.limit_in_bytes memory.usage_in_bytes total_inactive_file
done
`;

function memory(stack: Stack): Check {
  const limits = stack.config.health.memory;
  const services = stack.config.runtime.native.services;
  const pidFiles = stack.config.services.odoo.flatMap(({ name }) => {
    const service = services[name];
    return service !== undefined && "pidFile" in service ? [service.pidFile] : [];
  });
  return {
    code: "IPAI-MEM-001",
    title: "Memory",
    unit: "% used",
    actions: [command(stack.host, ["sh", "-c", memoryScript, "memory", ...pidFiles])],
    judge: ([answer]) => {
      if (answer?.result === undefined) return judgeMissing(answer, limits.fail, neverBroken);
      const rows = answer.result.stdout.trim().split("\n").map(parseMemoryRow);
      const worstRow = rows.toSorted((a, b) => b.percent - a.percent)[0];
      if (worstRow === undefined || Number.isNaN(worstRow.percent))
        return {
          status: "unknown",
          value: null,
          threshold: limits.fail,
          hint: "The kernel's memory figures could not be read.",
        };
      const status = judgeThresholds(worstRow.percent, limits);
      const where = worstRow.kind === "host" ? "The machine" : "The control group of an Odoo process";
      return {
        status,
        value: worstRow.percent,
        threshold: limits.fail,
        ...(status === "ok"
          ? {}
          : { hint: `${where} uses ${worstRow.percent} % of its memory; the kernel ends processes when it is full.` }),
      };
    },
  };
}

function parseMemoryRow(line: string): { kind: string; percent: number } {
  const [kind = "", used, total] = line.split(" ");
  return { kind, percent: Math.round((100 * Number(used)) / Number(total)) };
}

/** The login form, through the proxy and from each process itself. /web/health answers 200 while every page fails. */
function http(stack: Stack): Check {
  const { urls, services } = stack.config;
  const targets = [{ name: "the public address", url: urls.public }, ...services.odoo];
  return {
    code: "IPAI-HTTP-001",
    title: "Login page",
    unit: "ms",
    actions: targets.map((target) => stack.odoo.loginPage(target.url, 8)),
    judge: (answers) => {
      const threshold = 5000;
      const judged = targets.map((target, index) => judgePage(target.name, answers[index], threshold));
      const status = worst(judged.map((one) => one.status));
      const hints = judged.flatMap((one) => one.hint ?? []);
      const slowest = Math.max(...judged.map((one) => Number(one.value ?? 0)));
      return {
        status,
        value: slowest === 0 ? null : slowest,
        threshold,
        ...(hints.length === 0 ? {} : { hint: hints.join(" ") }),
      };
    },
  };
}

function judgePage(name: string, answer: Answer | undefined, threshold: number): Judgement {
  if (answer?.result === undefined)
    return judgeMissing(answer, threshold, { codes: httpErrors, hint: `${name} does not answer.` });
  const { status, body, seconds } = answer.result;
  const value = Math.round(seconds * 1000);
  if (status !== 200)
    return { status: "fail", value, threshold, hint: `${name} answers ${status} to /web/login instead of 200.` };
  if (!body?.includes('name="login"'))
    return { status: "fail", value, threshold, hint: `${name} serves a page without the login form.` };
  return value >= threshold
    ? { status: "warn", value, threshold, hint: `${name} took ${value} ms.` }
    : { status: "ok", value, threshold };
}

function cacheAnswers(stack: Stack, url: string): Check {
  return {
    code: "IPAI-CACHE-001",
    title: "Cache",
    unit: "answer",
    actions: [command(stack.host, ["redis-cli", "-u", url, "--no-auth-warning", "PING"])],
    judge: ([answer]) => {
      if (answer?.result === undefined)
        return judgeMissing(answer, "PONG", { codes: cacheErrors, hint: "Redis does not answer." });
      const value = answer.result.stdout.trim();
      if (value === "PONG") return { status: "ok", value, threshold: "PONG" };
      return { status: "fail", value, threshold: "PONG", hint: `Redis answers "${value}" to PING.` };
    },
  };
}

/**
 * Odoo moves `lastcall` on failures too, so it says nothing. What does: a failure count, an action that is long overdue although a
 * scheduler was there (after a stop all are due at once, and are given the same 15 minutes), modules
 * between two states (all actions are skipped then), and whether any scheduler is connected at all. A scheduler listens on the
 * database `postgres` as the owner of Odoo's database; its last statements are LISTEN and COMMIT, and it never says more.
 */
const cronsSql = `
with schedulers as (
  select a.backend_start from pg_stat_activity a join pg_database d on d.datname = current_database()
    where a.datname = 'postgres' and a.usesysid = d.datdba and (a.query = 'COMMIT' or a.query ilike 'listen cron_trigger%'))
select json_build_object(
  'active', (select count(*) from ir_cron where active),
  'failing', (select coalesce(json_agg(cron_name order by cron_name), '[]') from ir_cron where active and failure_count > 0),
  'overdue', (select coalesce(json_agg(cron_name order by cron_name), '[]') from ir_cron
    where active and now() - interval '15 minutes' > greatest(nextcall at time zone 'UTC', (select min(backend_start) from schedulers))),
  'pending', (select coalesce(json_agg(name order by name), '[]') from ir_module_module where state like 'to %'),
  'schedulers', (select count(*) from schedulers));
`;
const cronsRow = z.object({
  active: z.number(),
  failing: z.array(z.string()),
  overdue: z.array(z.string()),
  pending: z.array(z.string()),
  schedulers: z.number(),
});

function crons(stack: Stack): Check {
  return {
    code: "IPAI-CRON-001",
    title: "Scheduled actions",
    unit: "failing or overdue",
    actions: [stack.postgres.query(stack.config.odoo.database, cronsSql)],
    judge: ([answer]) =>
      judgeRow(answer, cronsRow, 0, noPostgres("The scheduled actions could not be read."), judgeCrons),
  };
}

function judgeCrons(row: z.infer<typeof cronsRow>): Judgement {
  const hints = [
    ...ifAny(row.failing, (names) => `Failing: ${names}.`),
    ...ifAny(row.overdue, (names) => `Overdue by more than 15 minutes: ${names}.`),
    ...ifAny(row.pending, (names) => `All are skipped while modules are between two states: ${names}.`),
    ...(row.schedulers === 0 ? ["No scheduler of Odoo is connected: nothing will run until Odoo is restarted."] : []),
  ];
  const isBroken = row.failing.length > 0 || row.pending.length > 0 || row.schedulers === 0;
  return {
    status: isBroken ? "fail" : row.overdue.length > 0 ? "warn" : "ok",
    value: row.failing.length + row.overdue.length,
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
  broken: Parameters<typeof judgeMissing>[2],
  judge: (row: T) => Judgement,
): Judgement {
  if (answer?.result === undefined) return judgeMissing(answer, threshold, broken);
  return judge(schema.parse(JSON.parse(answer.result.stdout)));
}

/** What the services cause when they are broken; any other error is the question's own. */
const httpErrors = ["host.http_unreachable", "host.http_timeout"];
const cacheErrors = ["host.command_failed", "host.timeout"];
const noPostgres = (hint: string) => ({ codes: ["postgres.unreachable", "host.timeout"], hint });
/** The kernel answers, or the question was wrong. */
const neverBroken = { codes: [], hint: "" };
