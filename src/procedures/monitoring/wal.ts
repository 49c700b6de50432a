import { z } from "zod";
import { defineFinding } from "../../errors/finding.ts";
import type { CommandAction } from "../../runbook/action.ts";
import type { PgBackRest } from "../../stack/pgbackrest.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Check, type Judgement, judgeAnswer } from "./check.ts";

/** How much work a dead server would take with it: the age of the oldest change that is not in the archive yet. */

/**
 * An idle server finishes no segment, so the age of the last archived one says nothing. What does: as long as no finished segment
 * waits, nothing is older than archive_timeout; one that waits is as old as its mark, and holds changes that are older by as much.
 * The mark of a base backup is archived too, and named after a segment. The repository is looked at as well, since a command that only says that it archived would empty the queue too.
 */
const exposureSql = `
select json_build_object(
  'mode', current_setting('archive_mode'),
  'command', current_setting('archive_command'),
  'timeout', (select setting::int from pg_settings where name = 'archive_timeout'),
  'waiting', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready'),
  'waitingSeconds', (select extract(epoch from now() - min(modification))::int from pg_ls_archive_statusdir() where name like '%.ready'),
  'lastSegment', substring(last_archived_wal from '^[0-9A-F]{24}'),
  'lastSeconds', extract(epoch from now() - last_archived_time)::int,
  'failing', coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),
  'failures', failed_count, 'failedSegment', last_failed_wal)
  from pg_stat_archiver;
`;

/** So many times the server's own measure may a segment wait. */
const slowFactor = 5;

const row = z.object({
  mode: z.string(),
  command: z.string(),
  timeout: z.number(),
  waiting: z.number(),
  waitingSeconds: z.number().nullable(),
  lastSegment: z.string().nullable(),
  lastSeconds: z.number().nullable(),
  failing: z.boolean(),
  failures: z.number(),
  failedSegment: z.string().nullable(),
  isInRepository: z.boolean().nullable(),
});
type Row = z.infer<typeof row>;

export const walNotArchived = defineFinding("IPAI-WAL-001", {
  title: "Changes not archived",
  asks: "how old the oldest change is that is not in the archive, and whether the server archives at all, where `backup.wal` is configured",
  warns: `the oldest segment has waited for ${slowFactor} times the server's \`archive_timeout\``,
  fails:
    "more than `objectives.rpo`; `archive_command` fails, is another one or off; or the repository does not hold what the server says that it archived",
  first:
    "Read the server's log, and whether the repository's disk is there and has room: meanwhile the server keeps every segment on its own disk, until that is full. `ipai wal verify` looks closer.",
});

export function archivedWal(stack: Stack, pgbackrest: PgBackRest): Check {
  const { rpoSeconds } = stack.config.objectives;
  return {
    ...walNotArchived,
    unit: "s of work",
    actions: [exposure(stack, pgbackrest)],
    judge: ([answer]) =>
      judgeAnswer(answer, rpoSeconds, "The database server could not be asked what it archived.", (result) =>
        judge(row.parse(JSON.parse(result.stdout)), pgbackrest, rpoSeconds),
      ),
  };
}

/** One question after the other: what the server says that it archived, and whether that is so. */
function exposure(stack: Stack, { repository }: PgBackRest): CommandAction {
  const { tools, postgres } = stack;
  const ask = postgres.client("psql", "-XAtq", "-w", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", exposureSql);
  const [finder] = repository.findSegment().pipeline;
  return {
    kind: "command",
    host: tools,
    pipeline: [{ argv: ask }, { ...finder, argv: ["sh", "-c", lookScript, "look", ...finder.argv] }],
    exitCodes: { 1: "health.not_asked", 2: "postgres.unreachable" },
  };
}

/** A repository that may not be read is not one without the segment. */
const lookScript = `
set -eu
IFS= read -r answer
segment=$(printf '%s' "$answer" | sed -n 's/.*"lastSegment" : "\\([0-9A-F]*\\)".*/\\1/p')
there=null
if [ -n "$segment" ]; then
  there=false
  if found=$(printf '%s\\n' "$segment" | "$@"); then
    [ -z "$found" ] || there=true
  else
    there=null
  fi
fi
printf '%s,"isInRepository":%s}\\n' "\${answer%\\}}" "$there"
`;

function judge(given: Row, { archiveCommand, settings }: PgBackRest, rpoSeconds: number): Judgement {
  const value = exposedSeconds(given, archiveCommand);
  const fault = faultOf(given, archiveCommand, settings.repository);
  const isLate = value !== null && value > rpoSeconds;
  const late = `More than the ${rpoSeconds} s that objectives.rpo allows. ${given.waiting} segments wait.`;
  const isSlow = value !== null && value > slowFactor * Math.max(given.timeout, 1) && given.timeout > 0;
  const slow = `${given.waiting} segments wait, the oldest for ${given.waitingSeconds} s: the archive is slower than the changes.`;
  if (fault !== undefined) return { status: "fail", value, threshold: rpoSeconds, hint: fault };
  if (isLate) return { status: "fail", value, threshold: rpoSeconds, hint: late };
  if (given.lastSegment !== null && given.isInRepository === null)
    return { status: "unknown", value, threshold: rpoSeconds, hint: unseen(settings.repository) };
  if (isSlow) return { status: "warn", value, threshold: rpoSeconds, hint: slow };
  return { status: "ok", value, threshold: rpoSeconds };
}

function unseen(repository: string): string {
  return `The server archives, but ${repository} could not be looked into. What it meets: ipai wal verify`;
}

/** Null when there is nothing to go by: what is archived elsewhere, or is not there, was not archived. */
function exposedSeconds(
  { mode, command, timeout, waitingSeconds, lastSeconds, isInRepository }: Row,
  archiveCommand: string,
): number | null {
  if (mode === "off" || command !== archiveCommand || lastSeconds === null || isInRepository === false) return null;
  if (waitingSeconds !== null) return waitingSeconds + timeout;
  if (timeout === 0) return lastSeconds;
  return Math.min(lastSeconds, timeout);
}

function faultOf(given: Row, archiveCommand: string, repository: string): string | undefined {
  if (given.mode === "off")
    return "The server archives nothing, although backup.wal is configured. Begin with: ipai wal setup";
  if (given.command !== archiveCommand)
    return "The server archives with another command than the one for this configuration. Put it right with: ipai wal setup";
  if (given.failing)
    return `archive_command fails (${given.failures} times so far, last for ${given.failedSegment}); the server's log says why. ${given.waiting} segments wait, and the server keeps them on its own disk until that is full.`;
  if (given.lastSeconds === null) return "Nothing was archived yet since the server's statistics begin.";
  if (given.isInRepository === false)
    return `${given.lastSegment} was archived, but ${repository} does not hold it. Is its disk mounted? Then look with: ipai wal verify`;
  return undefined;
}
