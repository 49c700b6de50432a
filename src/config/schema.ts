import { z } from "zod";
import type { Secret } from "./secret.ts";
import { parseDuration } from "./units.ts";

/** `ipai.yaml`: every key, its default, and what it is for. Error messages, `config schema` and the types come from here. */

const absolutePath = z.string().regex(/^\//, "must be an absolute path");
const argv = z.array(z.string()).min(1, "must name a program").describe("Program and arguments; no shell is involved");
const url = z.string().refine((text) => URL.canParse(text), "must be a URL such as http://127.0.0.1:8069");
const port = z.int().min(1).max(65_535);
const percent = z.number().min(1).max(100);
const duration = z.string().transform((text, context) => {
  const seconds = parseDuration(text);
  if (seconds === undefined)
    context.addIssue({ code: "custom", message: 'must be a duration such as "15m", "4h" or "7d"' });
  return seconds ?? 0;
});
const zone = z.string().refine(isTimeZone, "must be an IANA time zone such as Asia/Manila");
/** `${NAME}`: the value comes from the environment; a secret in the file itself would be read by whoever reads the file. */
const environmentReference = z
  .string()
  .regex(/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/, "must be ${NAME}, so that the secret comes from the environment");

export const cluster = z.strictObject({
  cluster: z.string().regex(/^\d+\/[\w.-]+$/, "must be VERSION/NAME, as pg_lsclusters shows it"),
  user: z.string().default("postgres").describe("Operating-system user that owns the cluster"),
  configRoot: absolutePath.default("/etc/postgresql"),
});

export const daemon = z.strictObject({
  command: argv,
  user: z.string().describe("Operating-system user that it runs as"),
  directory: absolutePath.optional(),
  environment: z.record(z.string(), z.string()).default({}),
  pidFile: absolutePath,
  log: absolutePath.describe("File that takes its output"),
  stopSeconds: z.int().min(1).default(60).describe("Patience before it is killed"),
});

const thresholds = z
  .strictObject({ warn: percent.default(80), fail: percent.default(90) })
  .prefault({})
  .refine((limits) => limits.warn <= limits.fail, "warn must not be above fail");

const stack = z.strictObject({
  host: z.literal("local", "must be local: remote hosts are not in this version").default("local"),
  timezone: zone.default("Asia/Manila"),
  workDirectory: absolutePath.optional().describe("Where working files and logs of runs live on the host"),
  runtime: z.strictObject({
    native: z.strictObject({
      services: z.record(
        z.string(),
        z.union([cluster, daemon], "must have either cluster, or command, user, pidFile and log"),
      ),
    }),
  }),
  services: z.strictObject({
    odoo: z.array(z.strictObject({ name: z.string(), url })).min(1, "must name at least one Odoo service"),
    database: z
      .strictObject({
        name: z.string().default("database"),
        host: absolutePath.default("/var/run/postgresql").describe("Directory of the server's socket"),
        port: port.default(5432),
        superuser: z.string().default("postgres").describe("Role used for administration, through the socket"),
      })
      .prefault({}),
    cache: z.strictObject({ name: z.string(), url }).optional(),
    proxy: z.strictObject({ name: z.string(), url }).optional(),
  }),
  odoo: z.strictObject({
    command: argv,
    environment: z.record(z.string(), z.string()).default({}),
    user: z.string().default("odoo"),
    config: absolutePath.default("/etc/odoo/odoo.conf"),
    database: z.string().default("odoo"),
    owner: z.string().optional().describe("Role that owns the database; the user's name by default"),
    dataDirectory: absolutePath.default("/var/lib/odoo"),
    addons: z.array(absolutePath).default([]).describe("Folders with the modules that are managed"),
    modules: z
      .union([z.string(), z.array(z.string())])
      .default("ipai_*")
      .transform((patterns) => (typeof patterns === "string" ? [patterns] : patterns)),
  }),
  urls: z.strictObject({ public: url, smoke: z.array(z.string()).default([]) }),
  health: z
    .strictObject({ disk: thresholds, memory: thresholds, paths: z.array(absolutePath).default([]) })
    .prefault({}),
  backup: z
    .strictObject({
      repository: absolutePath.describe("restic repository"),
      passwordFile: absolutePath.optional(),
      password: environmentReference.optional(),
      timeoutHours: z.number().positive().default(6).describe("Longest time that Odoo's file clean-up is held off"),
      jobs: z.int().min(1).default(2).describe("Parallel workers of dump and restore"),
    })
    .refine(
      (backup) => (backup.password === undefined) !== (backup.passwordFile === undefined),
      "needs either passwordFile or password",
    )
    .optional(),
  objectives: z
    .strictObject({ rto: duration.prefault("4h"), rpo: duration.prefault("24h") })
    .prefault({})
    .transform(({ rto, rpo }) => ({ rtoSeconds: rto, rpoSeconds: rpo })),
});

export const configSchema = z.strictObject({
  stacks: z.record(
    z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -"),
    stack,
  ),
  control: z
    .strictObject({
      database: z
        .union([z.literal("embedded"), environmentReference], "must be embedded or ${NAME}")
        .default("embedded"),
    })
    .prefault({}),
});

export type ClusterService = z.output<typeof cluster>;
export type DaemonService = z.output<typeof daemon>;
export type ParsedStack = z.output<typeof stack>;

export interface StackConfig extends Omit<ParsedStack, "workDirectory" | "backup"> {
  readonly name: string;
  readonly workDirectory: string;
  readonly backup:
    | (Omit<NonNullable<ParsedStack["backup"]>, "password"> & { readonly password: Secret | undefined })
    | undefined;
}

export interface Config {
  readonly file: string;
  readonly stacks: Readonly<Record<string, StackConfig>>;
  /** A PostgreSQL for the control database; undefined means the embedded one. */
  readonly control: { readonly url: Secret | undefined };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
