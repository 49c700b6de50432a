import { defineFinding } from "../../errors/finding.ts";
import { type CommandAction, command } from "../../runbook/action.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Check, judgeAnswer, judgeThresholds } from "./check.ts";

/** The machine under the stack: its disks and its memory. */

/**
 * What the user lists must be there: a backup disk that is not mounted is told. Of the other folders, which may not have been made
 * yet, the file system that they would lie on counts. Prints what `df` says.
 */
const diskScript = `
set -eu
measure() { df --output=pcent,ipcent,target -- "$1"; }
nearest() { folder=$1; while [ ! -e "$folder" ]; do folder=\${folder%/*}; folder=\${folder:-/}; done; measure "$folder"; }
conf=$1; shift
while [ "$1" != -- ]; do measure "$1"; shift; done; shift
for folder; do nearest "$folder"; done
if [ -r "$conf" ]; then
  data=$(sed -n "s/^data_directory *= *'\\([^']*\\)'.*/\\1/p" "$conf")
  [ -z "$data" ] || nearest "$data"
fi
`;

const fullDisks = defineFinding("IPAI-DISK-001", {
  title: "Disk space",
  asks: "how full the disks are that the stack writes to, `/` and those of `health.paths`: of bytes or of inodes, whichever is worse",
  warns: "`health.disk.warn` percent or more",
  fails: "`health.disk.fail` percent or more",
  first:
    "Run what the finding says: it lists what takes the room. Old logs and backups are usual; never remove anything of `pg_wal`.",
});

/** Full is full, whether of bytes or of inodes: the worse of both, of the worst file system that the stack writes to. */
export function disk(stack: Stack): Check {
  const { config } = stack;
  const limits = config.health.disk;
  const conf = stack.runtime.postgres.configuration ?? "";
  const folders = [
    config.odoo.dataDirectory,
    config.workDirectory,
    // One behind an address has a disk of its own, which its server watches.
    ...(config.backup?.repository.startsWith("/") ? [config.backup.repository] : []),
  ];
  const listed = [...new Set([...config.health.paths, "/"])];
  const words = [`${conf}/postgresql.conf`, ...listed, "--", ...new Set(folders)];
  return {
    ...fullDisks,
    unit: "% used",
    actions: [command(stack.tools, ["sh", "-c", diskScript, "disk", ...words]), ...databaseDisk(stack)],
    judge: (answers) =>
      judgeAnswer(
        answers.find(({ error }) => error) ?? answers[0],
        limits.fail,
        "The disks could not be measured.",
        () => {
          const rows = answers
            .flatMap(({ result }) => result?.stdout.split("\n") ?? [])
            .filter((line) => /^\s*[\d-]/.test(line))
            .map(parseDiskRow);
          const fullest = rows.toSorted((a, b) => b.percent - a.percent)[0];
          if (fullest === undefined)
            return { status: "unknown", value: null, threshold: limits.fail, hint: "df listed no file system." };
          const { percent: value, target, what } = fullest;
          const status = judgeThresholds(value, limits);
          const find =
            what === "space"
              ? `du -xh -d 2 ${target} | sort -h | tail`
              : `du -x --inodes -d 2 ${target} | sort -n | tail`;
          const hint = `${target} has ${value} % of its ${what} in use. \`${find}\` shows by what; old logs and backups are usual.`;
          return { status, value, threshold: limits.fail, ...(status === "ok" ? {} : { hint }) };
        },
      ),
  };
}

/** Where the server's data are not among the tools' files, its own container is asked, of whatever make its df is. */
function databaseDisk({ config, runtime }: Stack): readonly CommandAction[] {
  if (!("compose" in config.runtime)) return [];
  const script =
    'said=$(df -P -- "${PGDATA:-/var/lib/postgresql/data}") && echo "$said" | awk \'NR == 2 { print $5, "-", $6 }\'';
  const asked = runtime.beside(config.services.database.name, ["sh", "-c", script]);
  return [{ ...asked, exitCodes: { 1: "health.not_asked" } }];
}

interface DiskRow {
  readonly percent: number;
  readonly what: "space" | "inodes";
  readonly target: string;
}

/** A line of df: "  45%    3% /path". File systems without inodes print "-". */
function parseDiskRow(line: string): DiskRow {
  const [bytes = "", inodes = "", ...target] = line.trim().split(/\s+/);
  const [space, files] = [Number.parseInt(bytes, 10) || 0, Number.parseInt(inodes, 10) || 0];
  return { percent: Math.max(space, files), what: space >= files ? "space" : "inodes", target: target.join(" ") };
}

/**
 * Memory of the machine, and of the control groups (of either version) that each Odoo process lives in: a container or a unit can be
 * out of memory on a machine that has plenty. File contents that the kernel would give back at once do not count. Prints a line each:
 * `host USED TOTAL` or `cgroup USED LIMIT WORD`, in bytes. Beyond awk it needs nothing but the shell.
 */
const memoryScript = `
set -eu
awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { free = $2 } END { printf "host %.0f %.0f\\n", (total - free) * 1024, total * 1024 }' /proc/meminfo
for word; do
  pid_of "$word" || continue
  [ -r "/proc/$pid/cgroup" ] || continue
  while IFS=: read -r _ controllers path; do
    case ",$controllers," in
      ,,) root=/sys/fs/cgroup limit=memory.max used=memory.current spare=inactive_file ;;
      *,memory,*) root=/sys/fs/cgroup/memory limit=memory.limit_in_bytes used=memory.usage_in_bytes spare=total_inactive_file ;;
      *) continue ;;
    esac
    while :; do
      if [ -r "$root$path/$limit" ]; then
        read -r most < "$root$path/$limit"
        read -r now < "$root$path/$used"
        while read -r key value; do [ "$key" != "$spare" ] || now=$((now - value)); done < "$root$path/memory.stat"
        [ "$most" = max ] || echo "cgroup $now $most $word"
      fi
      [ -n "$path" ] || break
      path=\${path%/*}
    done
  done < "/proc/$pid/cgroup"
done
`;

const scarceMemory = defineFinding("IPAI-MEM-001", {
  title: "Memory",
  asks: "how much memory is in use, of the machine and of each Odoo service's control group (container or unit)",
  warns: "`health.memory.warn` percent or more",
  fails: "`health.memory.fail` percent or more",
  first:
    "`ps -eo rss,pid,args --sort=-rss | head` shows who has it; fewer `workers`, or a lower `limit_memory_soft`, gives some back.",
});

export function memory(stack: Stack): Check {
  const limits = stack.config.health.memory;
  const { pids } = stack.runtime;
  const services = stack.config.services.odoo.flatMap(({ name }) => {
    const word = pids.word(name);
    return word === undefined ? [] : [{ name, word }];
  });
  const script = `${pids.script}${memoryScript}`;
  return {
    ...scarceMemory,
    unit: "% used",
    actions: [command(stack.host, ["sh", "-c", script, "memory", ...services.map(({ word }) => word)])],
    judge: ([answer]) =>
      judgeAnswer(answer, limits.fail, "The memory could not be measured.", ({ stdout }) => {
        const rows = stdout.trim().split("\n").map(parseMemoryRow);
        const tightest = rows.toSorted((a, b) => b.percent - a.percent)[0];
        if (tightest === undefined || Number.isNaN(tightest.percent))
          return {
            status: "unknown",
            value: null,
            threshold: limits.fail,
            hint: "The kernel's memory figures could not be read.",
          };
        const { percent: value, total, word } = tightest;
        const status = judgeThresholds(value, limits);
        const who = services.find((service) => service.word === word)?.name;
        const where = who === undefined ? "The machine" : `The control group of ${who}`;
        const next =
          who === undefined
            ? "`ps -eo rss,pid,args --sort=-rss | head` shows who has it."
            : "Raise its limit, or lower workers and limit_memory_soft in odoo.conf.";
        const hint = `${where} uses ${value} % of its ${Math.round(total / 1_000_000)} MB; the kernel ends processes when it is full. ${next}`;
        return { status, value, threshold: limits.fail, ...(status === "ok" ? {} : { hint }) };
      }),
  };
}

function parseMemoryRow(line: string): { percent: number; total: number; word: string } {
  const [, used, total, word = ""] = line.split(" ");
  return { percent: Math.round((100 * Number(used)) / Number(total)), total: Number(total), word };
}
