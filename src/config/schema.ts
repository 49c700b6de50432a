import { z } from "zod";
import type { AutomationConfig } from "./automation.ts";
import { backup } from "./backup.ts";
import { type ChannelConfig, channel } from "./channel.ts";
import { deployments } from "./deployments.ts";
import { finance } from "./finance.ts";
import { recovery } from "./recovery.ts";
import type { Secret } from "./secret.ts";
import { seriesOfOdoo } from "./series.ts";
import { type HookConfig, hooks, type RotaConfig, rotas, type ServeConfig, serve } from "./serve.ts";
import { services } from "./services.ts";
import { login, smoke, source } from "./source.ts";
import {
  absolutePath,
  argv,
  cronExpression,
  databaseName,
  duration,
  environment,
  environmentReference,
  httpUrl,
  isHostAddress,
  percent,
  seconds,
  serviceName,
  text,
  zone,
} from "./values.ts";
import type { WalConfig } from "./wal.ts";

/**
 * `ipai.yaml`: every key, its default, and what it is for. Error messages, `config schema`, `docs/configuration.md` and the types
 * come from here, so each key says what it means and in which unit.
 */

export const cluster = z
  .strictObject({
    cluster: z
      .string()
      .regex(/^\d+\/[\w.-]+$/, "must be VERSION/NAME, as pg_lsclusters shows it")
      .describe("VERSION/NAME, as pg_lsclusters shows it"),
    user: text.default("postgres").describe("Operating-system user that owns the cluster"),
    configRoot: absolutePath
      .default("/etc/postgresql")
      .describe("Folder of the clusters' configuration (PG_CLUSTER_CONF_ROOT)"),
  })
  .describe("A PostgreSQL cluster of Debian, started and stopped with pg_ctlcluster");

export const daemon = z
  .strictObject({
    command: argv.describe(
      "Program and arguments, one item each; no shell is involved. It must stay in the foreground",
    ),
    user: text.describe("Operating-system user that it runs as"),
    directory: absolutePath.optional().describe("Working folder; the root folder when absent"),
    environment,
    pidFile: absolutePath.describe("File with its process number; each service needs one of its own"),
    log: absolutePath.describe("File that takes its output"),
    stopSeconds: seconds.default(60).describe("Seconds that it is given to stop before it is killed"),
  })
  .describe("Any other service, started and stopped with start-stop-daemon");

function thresholds(what: string) {
  return z
    .strictObject({
      warn: percent.default(80).describe(`Percent of the ${what} in use at which the check warns`),
      fail: percent.default(90).describe(`Percent of the ${what} in use at which the check fails`),
    })
    .prefault({})
    .refine((limits) => limits.warn <= limits.fail, "warn must not be above fail")
    .describe(`Limits of the ${what} check, in percent in use`);
}

/** Seconds. */
function ages(warn: string, fail: string, what: string) {
  return z
    .strictObject({
      warn: duration.prefault(warn).describe(`Age of ${what} at which the check warns, with unit`),
      fail: duration.prefault(fail).describe(`Age of ${what} at which the check fails, with unit`),
    })
    .prefault({})
    .refine((limits) => limits.warn <= limits.fail, "warn must not be above fail")
    .describe(`How old ${what} may be`);
}

const native = z.strictObject({
  native: z
    .strictObject({
      services: z
        .record(serviceName, z.union([cluster, daemon], "must have either cluster, or command, user, pidFile and log"))
        .describe("Every service by its name"),
    })
    .describe("Debian's own tools"),
});

const compose = z.strictObject({
  compose: z
    .strictObject({
      project: z
        .string()
        .regex(/^[a-z0-9][a-z0-9_-]*$/, "must begin with a letter or digit and have only a-z, 0-9, _ and -")
        .describe("Name of the project, as `docker compose ls` shows it"),
      directory: absolutePath.describe("Folder of the project on its host, where its .env is"),
      files: z
        .array(text)
        .min(1, "must name at least one file")
        .default(["compose.yaml"])
        .describe("Its compose files; relative paths are below the folder"),
      envFiles: z
        .array(text)
        .default([])
        .describe("Files with its variables, where it is not the folder's .env; relative paths are below the folder"),
      program: argv
        .default(["docker", "compose"])
        .describe("How Compose is called: [docker-compose] where there is only its version 1"),
      containers: z
        .record(serviceName, serviceName)
        .default({})
        .describe("Containers whose name is not PROJECT-SERVICE-1, by their service"),
      tools: serviceName
        .default("tools")
        .describe(
          "Service whose container has the files, restic and PostgreSQL's programs. Everything that is not Odoo's is run in it",
        ),
      odooTools: serviceName
        .default("odoo-tools")
        .describe(
          "Service whose container has Odoo and its data, and serves nobody. Odoo's own commands are run in it",
        ),
      serverFolder: absolutePath
        .default("/var/lib/ipai/server")
        .describe(
          "Folder that the database's container and tools share, for what backup.wal sets: settings of the server and pgBackRest's configuration",
        ),
      stopSeconds: seconds.default(180).describe("Seconds that stopping a service may take at most"),
    })
    .describe("Docker Compose"),
});

const runtime = z
  .union([native, compose], "must have either native or compose")
  .describe("How services are started and stopped");

const odoo = z
  .strictObject({
    command: argv.describe("How Odoo is started, without its options, one item each: [/usr/bin/odoo]"),
    environment,
    user: text.default("odoo").describe("Operating-system user that Odoo runs as"),
    config: absolutePath.default("/etc/odoo/odoo.conf").describe("Odoo's own configuration file"),
    database: databaseName.default("odoo").describe("Name of the database"),
    dataDirectory: absolutePath.default("/var/lib/odoo").describe("Odoo's data_dir; the filestore is below it"),
    addons: z.array(absolutePath).default([]).describe("Folders with the modules that are managed"),
    startSeconds: seconds
      .default(180)
      .describe(
        "Seconds that a service may take from its start until it shows its login page: two or three are usual, and a release that needs longer is taken back",
      ),
    modules: z
      .union([text, z.array(text)], "must be a pattern or a list of patterns")
      .default("ipai_*")
      .transform((patterns) => (typeof patterns === "string" ? [patterns] : patterns))
      .describe("Names of the managed modules; * stands for any text"),
    upgrade: seriesOfOdoo
      .optional()
      .describe("How `ipai upgrade major` finds the Odoo of another series, and brings it into place"),
  })
  .describe("The Odoo installation");

const schedule = z.strictObject({
  procedure: text.describe("What runs, as `ipai schedules` names it"),
  input: z.record(z.string(), z.json()).default({}).describe("Its input, by name; none when absent"),
  cron: cronExpression.describe(
    "When, in the stack's zone: minute, hour, day of the month, month, day of the week, as in crontab",
  ),
  missed: z
    .enum(["latest", "all", "none"])
    .default("latest")
    .describe("Which of the times are made up for at which nothing could run"),
  grace: duration.prefault("6h").describe("How late one is made up for at most, with unit"),
  jitter: duration
    .prefault("0s")
    .describe("Each time is moved by up to this, with unit; always the same for the same time"),
});

const stack = z
  .strictObject({
    host: z
      .string()
      .refine(isHostAddress, "must be local, or ssh://USER@HOST with a :PORT if it is not 22")
      .default("local")
      .describe(
        "Machine that the stack runs on: local, or ssh://USER@HOST:PORT. HOST may be an alias of the ssh configuration; keys, agent and jump hosts are taken from there",
      ),
    timezone: zone.default("Asia/Manila").describe("IANA time zone in which times are shown"),
    workDirectory: absolutePath
      .optional()
      .describe(
        "Folder for working files and logs of runs; when absent /var/lib/ipai/work/STACK, and in a compose project the folder ipai-STACK in odoo.dataDirectory",
      ),
    runtime,
    services,
    odoo,
    source: source.optional(),
    deployments,
    urls: z
      .strictObject({
        public: httpUrl.describe("Address that users open"),
        smoke: z
          .array(smoke)
          .default([])
          .describe("What each Odoo service must answer after a deployment, besides health and login page"),
        login: login.optional(),
        authority: absolutePath
          .optional()
          .describe("File on the host with the certificate of a private authority, if one signed the public address's"),
      })
      .describe("Addresses of the suite"),
    health: z
      .strictObject({
        disk: thresholds("disk"),
        memory: thresholds("memory"),
        paths: z
          .array(absolutePath)
          .default([])
          .describe("Further folders whose disks are checked, besides Odoo's data and /"),
        proof: ages("10d", "35d", "the last proof of a backup"),
        drill: ages("100d", "200d", "the last drill or recovery that was measured"),
      })
      .prefault({})
      .describe("Limits of the health checks"),
    backup,
    finance,
    schedules: z
      .record(
        z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -"),
        z.union([z.literal("off"), schedule], "must be off, or have procedure and cron"),
      )
      .default({})
      .describe(
        "What `ipai worker` runs by itself, by name. backup, retention, integrity, proof, database, resources, drill-server, drill-database and health are there already; with second repositories also copies, retention-NAME and thinning-NAME, with an archive or second repositories files and thinning, with an archive wal-full, wal-diff, wal-incr and wal-verify: `off` takes one away, another definition replaces it",
      ),
    consent: z
      .strictObject({
        second: z
          .enum(["never", "irreversible", "change"])
          .default("never")
          .describe(
            "Which plans need two different people: none, those that cannot be taken back, or every one that changes the stack",
          ),
        valid: duration.prefault("7d").describe("How long a plan waits for consent before it is void, with unit"),
      })
      .prefault({})
      .describe("Whose consent a plan needs before it begins"),
    secrets: z
      .record(z.string().regex(/^[A-Za-z]\w*$/, "must be a word"), environmentReference)
      .default({})
      .describe("Secrets for procedures of your own, each as ${NAME} from the environment"),
    objectives: z
      .strictObject({
        rto: duration.prefault("4h").describe("Recovery time objective: how long the suite may be away, with unit"),
        rpo: duration.prefault("24h").describe("Recovery point objective: how much work may be lost, with unit"),
      })
      .prefault({})
      .transform(({ rto, rpo }) => ({ rtoSeconds: rto, rpoSeconds: rpo }))
      .describe("What was promised for the day on which everything is lost"),
    recovery,
  })
  .describe("One Odoo installation: where it is and what it is made of");

export const configSchema = z.strictObject({
  procedures: z
    .array(text)
    .default([])
    .describe(
      "Files with procedures of your own, relative to this file: a file, a folder, or a pattern such as procedures/*.yaml",
    ),
  stacks: z
    .record(z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -"), stack)
    .describe("Every stack by its name"),
  notify: z
    .record(z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -"), channel)
    .default({})
    .describe("Every channel by its name; `ipai worker` carries the messages"),
  heartbeat: z
    .strictObject({
      url: environmentReference.describe("Address that is called, as ${NAME} from the environment"),
      every: duration
        .prefault("5m")
        .refine((given) => given >= 10 && given <= 86_400, "must be between 10s and 1d")
        .describe("How often, with unit"),
    })
    .optional()
    .describe("Says elsewhere that `ipai worker` works: whoever hears nothing any more raises the alarm"),
  serve,
  hooks,
  oncall: rotas,
  control: z
    .strictObject({
      database: z
        .union([z.literal("embedded"), environmentReference], "must be embedded or ${NAME}")
        .default("embedded")
        .describe("embedded for a PostgreSQL of ipai's own, or ${NAME} of a variable with a PostgreSQL URL"),
      backup: z
        .union(
          [
            z.literal("off"),
            z.strictObject({
              directory: absolutePath
                .optional()
                .describe("Folder for them, on a disk of its own at best; control-backups below IPAI_HOME when absent"),
              keep: z.int().min(1).default(14).describe("So many are kept"),
            }),
          ],
          "must be off, or have directory or keep",
        )
        .prefault({})
        .describe("`ipai worker` backs it up every night; `off` leaves that to you"),
    })
    .prefault({})
    .describe("The database in which ipai keeps runs and records"),
});

export type ClusterService = z.output<typeof cluster>;
export type DaemonService = z.output<typeof daemon>;
export type ScheduleDefinition = z.output<typeof schedule>;
export type ComposeProject = z.output<typeof compose>["compose"];
export type ParsedConfig = z.output<typeof configSchema>;
export type ParsedStack = z.output<typeof stack>;

export interface StackConfig
  extends Omit<ParsedStack, "workDirectory" | "backup" | "services" | "secrets" | "urls" | "finance"> {
  readonly name: string;
  readonly workDirectory: string;
  readonly secrets: Readonly<Record<string, Secret>>;
  readonly urls: Omit<ParsedStack["urls"], "login"> & { readonly login: WithSecret<ParsedStack["urls"]["login"]> };
  readonly finance: { readonly apiKey: Secret } | undefined;
  /** Where this machine keeps backups of the control database; undefined for a stack on another one. */
  readonly controlBackups: string | undefined;
  readonly backup:
    | (Omit<NonNullable<WithSecret<ParsedStack["backup"]>>, "environment" | "copies" | "wal"> & {
        readonly environment: Readonly<Record<string, Secret>>;
        readonly copies: Readonly<Record<string, CopyConfig>>;
        readonly wal: WalConfig | undefined;
      })
    | undefined;
  readonly services: Omit<ParsedStack["services"], "cache" | "automation"> & {
    readonly cache: WithSecret<ParsedStack["services"]["cache"]>;
    readonly automation: AutomationConfig | undefined;
  };
}

export type CopyConfig = Omit<NonNullable<ParsedStack["backup"]>["copies"][string], "password" | "environment"> & {
  readonly password: Secret | undefined;
  readonly environment: Readonly<Record<string, Secret>>;
};

/** The same with its password read from the environment. */
type WithSecret<T> = (Omit<NonNullable<T>, "password"> & { readonly password: Secret | undefined }) | undefined;

export type ControlBackupConfig = ParsedConfig["control"]["backup"];

export interface Config {
  readonly file: string;
  readonly serve: ServeConfig;
  readonly hooks: Readonly<Record<string, HookConfig>>;
  readonly oncall: Readonly<Record<string, RotaConfig>>;
  /** Where procedures of the user's own are, as the file says it. */
  readonly procedures: readonly string[];
  readonly notify: Readonly<Record<string, ChannelConfig>>;
  readonly heartbeat: { readonly url: Secret; readonly everySeconds: number } | undefined;
  readonly stacks: Readonly<Record<string, StackConfig>>;
  /** A PostgreSQL for the control database; undefined means the embedded one. */
  readonly control: { readonly url: Secret | undefined; readonly backup: ControlBackupConfig };
}
