import { z } from "zod";
import { findCronFault, parseDuration, parseRate } from "./units.ts";

/** The kinds of values that `ipai.yaml` has, each with what is said of one that is none. */

export const text = z.string().min(1, "must not be empty");
export const absolutePath = z.string().regex(/^\//, "must be an absolute path");
export const argv = z.array(z.string()).min(1, "must name a program");
export const port = z.int().min(1).max(65_535);
export const percent = z.number().min(1).max(100);
export const seconds = z.int().min(1);
const durationHint = 'must be a duration such as "15m", "4h" or "7d"';
export const duration = z.string(durationHint).transform((given, context) => {
  const parsed = parseDuration(given);
  if (parsed === undefined) context.addIssue({ code: "custom", message: durationHint });
  return parsed ?? 0;
});
const rateHint = 'must be a rate such as "10MiB/s" or "500KB/s"';
export const rate = z.string(rateHint).transform((given, context) => {
  const parsed = parseRate(given);
  if (parsed === undefined) context.addIssue({ code: "custom", message: rateHint });
  return parsed ?? 0;
});
const timePattern = /^([01]\d|2[0-3]):[0-5]\d$/;
export const timeOfDay = z.string().regex(timePattern, 'must be a time of day such as "08:00"');
/** Seconds, or the time of day as it is written. */
export const durationOrTime = z.string().transform((given, context) => {
  const parsed = timePattern.test(given) ? given : parseDuration(given);
  if (parsed !== undefined && parsed !== 0) return parsed;
  context.addIssue({ code: "custom", message: 'must be a duration such as "15m", or a time of day such as "08:00"' });
  return z.NEVER;
});
/** With a name before it or not; nothing that could begin another header. */
export const mailAddress = z
  .string()
  .regex(
    /^([^<>@\p{Cc}]+ <[^\s<>@,]+@[^\s<>@,]+>|[^\s<>@,]+@[^\s<>@,]+)$/u,
    "must be an address such as ops@example.com, or NAME <ops@example.com>",
  );
export const zone = z.string().refine(isTimeZone, "must be an IANA time zone such as Asia/Manila");
export const serviceName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]*$/, "must begin with a letter or digit and have only letters, digits, and _ . -");
/** Odoo's own rule for names; copies get up to 29 more characters, and PostgreSQL cuts names off after 63. */
export const databaseName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]*$/, "must begin with a letter or digit and have only letters, digits, and _ . -")
  .max(34, "must have at most 34 characters, so that the copies that are made of it can be named");
export const environmentName = z.string().regex(/^[A-Za-z_]\w*$/, "must be a name for an environment variable");
export const environment = z
  .record(environmentName, z.string())
  .default({})
  .describe("Environment variables of the process. They show in the process list: no secrets here");
/** `${NAME}`: the value comes from the environment; a secret in the file itself would be read by whoever reads the file. */
export const environmentReference = z.string().regex(/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/, {
  error: "must be ${NAME}, so that the secret comes from the environment",
  abort: true,
});

/** Addresses show in commands, so they hold no password; a path is joined to them, so they end without a slash. */
function address(example: string, ...protocols: readonly string[]) {
  return z
    .string()
    .refine((given) => protocols.includes(parseUrl(given)?.protocol ?? ""), `must be a URL such as ${example}`)
    .refine((given) => !hasCredentials(given), "must not hold a user or password: it shows in commands")
    .transform((given) => given.replace(/\/+$/, ""));
}
export const httpUrl = address("http://127.0.0.1:8069", "http:", "https:");
export const redisUrl = address("redis://127.0.0.1:6379", "redis:", "rediss:");

export const cronExpression = z.string().superRefine((given, context) => {
  const fault = findCronFault(given);
  if (fault !== undefined) context.addIssue({ code: "custom", message: `must be a cron expression: ${fault}` });
});

/** This machine, or another as ssh takes it: no password, no path, and nothing that it could take for an option. */
export function isHostAddress(given: string): boolean {
  return given === "local" || /^ssh:\/\/([A-Za-z_][\w.-]*@)?(\w[\w.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(given);
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function parseUrl(given: string): URL | undefined {
  return URL.parse(given) ?? undefined;
}

function hasCredentials(given: string): boolean {
  const url = parseUrl(given);
  return url !== undefined && (url.username !== "" || url.password !== "");
}
