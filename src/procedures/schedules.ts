import type { ScheduleDefinition, StackConfig } from "../config/schema.ts";
import type { Schedule } from "../engine/schedule.ts";
import { defineError } from "../errors/error.ts";
import { backup } from "./backup/backup.ts";
import { shippingCron, shippingSeconds } from "./backup/files/interval.ts";
import type { Procedures } from "./registry.ts";

/** What runs by itself on a stack: the runbook's crontab, and what the configuration makes of it. */

export const ScheduleInvalid = defineError<{ stack: string; name: string; reason: string }>("schedule.invalid", {
  exitCode: 11,
  message: (d) => `The schedule ${d.name} of ${d.stack} cannot be used: ${d.reason}`,
  hint: () => "Put it right under schedules in ipai.yaml; `ipai schedules` shows what is understood.",
});

export const ScheduleUnknown = defineError<{ stack: string; name: string; known: string }>("schedule.unknown", {
  exitCode: 14,
  message: (d) => `There is no schedule ${d.name} on ${d.stack}.`,
  hint: (d) => `There is: ${d.known}.`,
});

const defaults = { input: {}, missed: "latest", grace: 6 * 3600, jitter: 0 } as const;

/** The lines of the runbook's crontab, at its times. */
function usual(stack: StackConfig): Readonly<Record<string, ScheduleDefinition>> {
  // Between the night's backup and the weekly proof: what is damaged is known before retention goes on for another week.
  const database = { ...defaults, procedure: "database check", cron: "30 1 * * 6" } as const;
  const health = { ...defaults, procedure: "health", cron: "*/5 * * * *", missed: "none", grace: 240 } as const;
  if (stack.backup === undefined)
    return {
      database,
      health,
      ...(stack.services.proxy?.maintenance === undefined ? {} : { resources }),
      ...usualOfImages(stack),
    };
  return {
    backup: { ...defaults, procedure: "backup", cron: "0 2 * * *" },
    // After the backup: what is there may only age by a set that is newer.
    retention: { ...defaults, procedure: "backup prune", cron: "0 3 * * *" },
    ...Object.fromEntries(Object.entries(stack.backup.copies).flatMap(usualOfCopy)),
    ...(Object.keys(stack.backup.copies).length === 0
      ? {}
      : { copies: { ...defaults, procedure: "backup copy", cron: "30 2 * * *" } as const }),
    integrity: { ...defaults, procedure: "backup check", cron: "0 5 * * *" },
    resources,
    ...(stack.backup.verify === "weekly" ? { proof } : {}),
    database,
    // Each quarter, on a morning after the night's backups: what a disaster would cost is known by measurement.
    "drill-server": { ...defaults, procedure: "drill", input: { what: "server" }, cron: "30 5 1 1,4,7,10 *" },
    "drill-database": { ...defaults, procedure: "drill", input: { what: "database" }, cron: "30 5 2 1,4,7,10 *" },
    health,
    ...usualOfImages(stack),
    ...usualOfFiles(stack),
    ...(stack.backup.wal === undefined ? {} : usualOfArchive),
  };
}

const resources = {
  ...defaults,
  ...({ procedure: "resources expire", cron: "*/15 * * * *", missed: "none", grace: 840 } as const),
};

/** Once a week the last backup is restored: one that was never restored is a hope. `every` asks for it after each backup instead. */
const proof = { ...defaults, procedure: "backup verify", input: { backup: "latest" }, cron: "0 4 * * 0" } as const;

/** A project's releases may be built into images. */
function usualOfImages({ runtime, source }: StackConfig): Readonly<Record<string, ScheduleDefinition>> {
  if (!("compose" in runtime) || source === undefined) return {};
  return { images: { ...defaults, procedure: "images prune", cron: "20 3 * * *" } };
}

/** A time at which nothing could run is not made up for: the next one stores what it would have stored. */
function usualOfFiles(stack: StackConfig): Readonly<Record<string, ScheduleDefinition>> {
  const seconds = shippingSeconds(stack);
  if (seconds === undefined || stack.backup === undefined) return {};
  const thin = { ...defaults, procedure: "backup thin", cron: "15 3 * * *" } as const;
  const copies = Object.entries(stack.backup.copies).flatMap(([name, { appendOnly }]) =>
    appendOnly ? [] : [[`thinning-${name}`, { ...thin, input: { repository: name }, cron: "45 3 * * *" }] as const],
  );
  const grace = Math.max(60, seconds - 60);
  return {
    files: { ...defaults, procedure: "backup files", cron: shippingCron(seconds), missed: "none", grace },
    thinning: thin,
    ...Object.fromEntries(copies),
  };
}

/** After the first repository: what that has removed is removed from its copies, and not brought again. */
function usualOfCopy([name, { appendOnly }]: [string, { readonly appendOnly: boolean }]) {
  const prune = { ...defaults, procedure: "backup prune", input: { repository: name }, cron: "30 3 * * *" };
  return appendOnly ? [] : [[`retention-${name}`, prune] as const];
}
/** A base backup each day keeps the way from it to any instant short; each week the archive is read to its last byte. */
const usualOfArchive: Readonly<Record<string, ScheduleDefinition>> = {
  "wal-full": { ...defaults, procedure: "wal backup", input: { type: "full" }, cron: "0 1 * * 0" },
  "wal-diff": { ...defaults, procedure: "wal backup", input: { type: "diff" }, cron: "0 1 * * 1-6" },
  "wal-incr": { ...defaults, procedure: "wal backup", input: { type: "incr" }, cron: "0 7,13,19 * * *" },
  "wal-verify": { ...defaults, procedure: "wal verify", cron: "0 5 * * 0" },
};

/** Every schedule of a stack, by its name. Throws `schedule.invalid` for one that names no procedure, or not its input. */
export function schedulesOf(stack: StackConfig, procedures: Procedures): readonly Schedule[] {
  const all = { ...usual(stack), ...stack.schedules };
  return Object.entries(all).flatMap(([name, given]) =>
    given === "off" ? [] : [toSchedule(stack, procedures, name, given)],
  );
}

function toSchedule(stack: StackConfig, procedures: Procedures, name: string, given: ScheduleDefinition): Schedule {
  const invalid = (reason: string) => ScheduleInvalid({ stack: stack.name, name, reason });
  const { procedure, cron, missed, grace, jitter } = given;
  // A set that nobody asked for is kept as one of many.
  const input = procedure === backup.name ? { reason: "scheduled", ...given.input } : given.input;
  const times = { stack: stack.name, name, procedure, input, cron, timezone: stack.timezone, missed };
  const schedule = { ...times, graceSeconds: grace, jitterSeconds: jitter };
  // One whose file is wrong fails at its times, and is told of: it keeps nothing else from happening.
  if (procedures.broken.some((file) => file.name === procedure)) return schedule;
  const found = procedures.find(procedure);
  if (found === undefined || found.chapter === "sandbox") throw invalid(`there is no procedure ${procedure}.`);
  const parsed = found.input.safeParse(input);
  if (!parsed.success)
    throw invalid(parsed.error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; "));
  return schedule;
}

export function getSchedule(stack: StackConfig, procedures: Procedures, name: string): Schedule {
  const all = schedulesOf(stack, procedures);
  const found = all.find((schedule) => schedule.name === name);
  if (found !== undefined) return found;
  throw ScheduleUnknown({ stack: stack.name, name, known: all.map((one) => one.name).join(", ") || "none" });
}
