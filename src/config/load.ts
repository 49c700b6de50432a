import { withSecrets } from "./channel.ts";
import { ConfigDocument } from "./document.ts";
import { ConfigInvalid, type Problem, UnknownStack } from "./errors.ts";
import { findFile, type LoadOptions, readText } from "./file.ts";
import { usualControlBackups } from "./home.ts";
import { describeIssue } from "./issues.ts";
import { rules, variableOf } from "./rules.ts";
import {
  type Config,
  type CopyConfig,
  configSchema,
  type ParsedConfig,
  type ParsedStack,
  type StackConfig,
} from "./schema.ts";
import { Secret } from "./secret.ts";
import type { ServeConfig } from "./serve.ts";
import type { ParsedWal, WalConfig } from "./wal.ts";

export type { LoadOptions } from "./file.ts";

/** Finds, reads and checks `ipai.yaml`, once. What comes out is frozen. */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const file = findFile(options);
  return parseConfig(await readText(file), file, options.environment);
}

/** The stack of that name, or the only one. */
export function getStack(config: Config, name?: string): StackConfig {
  const known = Object.keys(config.stacks);
  const found = name === undefined && known.length === 1 ? known[0] : name;
  const stack = found !== undefined && known.includes(found) ? config.stacks[found] : undefined;
  if (stack === undefined) throw UnknownStack({ name, known });
  return stack;
}

/** Where the configuration has the password of who logs in to a new release. */
export const loginPassword = "urls.login.password";

/** A stack's secrets by their path in the configuration; those that are there for procedures of the user's own, by their name. */
export function secretsOf(stack: StackConfig): Readonly<Record<string, Secret>> {
  const { backup, finance, services, urls } = stack;
  const all: Readonly<Record<string, Secret | undefined>> = {
    ...stack.secrets,
    "backup.wal.password": backup?.wal?.password,
    "backup.wal.s3.accessKey": backup?.wal?.s3?.accessKey,
    "backup.wal.s3.secretKey": backup?.wal?.s3?.secretKey,
    "services.cache.password": services.cache?.password,
    "services.automation.apiKey": services.automation?.apiKey,
    "services.automation.odooKey": services.automation?.odooKey,
    "services.automation.webhookSecret": services.automation?.webhookSecret,
    [loginPassword]: urls.login?.password,
    "finance.apiKey": finance?.apiKey,
    ...(backup === undefined ? {} : secretsOfRepository("backup", backup)),
    ...Object.assign(
      {},
      ...Object.entries(backup?.copies ?? {}).map(([name, copy]) => secretsOfRepository(`backup.copies.${name}`, copy)),
    ),
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([path, value]) => (value === undefined ? [] : [[path, value]])),
  );
}

function secretsOfRepository(path: string, { password, environment }: Pick<CopyConfig, "password" | "environment">) {
  const variables = Object.entries(environment).map(
    ([variable, value]) => [`${path}.environment.${variable}`, value] as const,
  );
  return { [`${path}.password`]: password, ...Object.fromEntries(variables) };
}

/** Text → configuration. Every problem found is told at once, each with its place. */
export function parseConfig(text: string, file: string, environment: NodeJS.ProcessEnv): Config {
  const document = new ConfigDocument(text);
  if (document.faults.length > 0) throw invalid(file, document.faults);
  const parsed = configSchema.safeParse(document.value ?? {});
  if (!parsed.success)
    throw invalid(
      file,
      parsed.error.issues.flatMap((issue) => describeIssue(issue, document, configSchema)),
    );
  const given = { config: parsed.data, raw: document.value, environment };
  const broken = rules.flatMap((rule) => rule(given));
  if (broken.length > 0)
    throw invalid(
      file,
      broken.map(({ path, message }) => document.at(path, message)),
    );
  return deepFreeze(build(parsed.data, file, environment));
}

/** In the order of the file. */
function invalid(file: string, problems: readonly Problem[]): Error {
  return ConfigInvalid({ file, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) });
}

function build(parsed: ParsedConfig, file: string, environment: NodeJS.ProcessEnv): Config {
  const reveal = (reference: string | undefined) =>
    reference === undefined || reference === "embedded"
      ? undefined
      : new Secret(environment[variableOf(reference)] ?? "");
  const { backup: control } = parsed.control;
  const controlBackups = (control === "off" ? undefined : control.directory) ?? usualControlBackups(environment);
  const stacks = Object.entries(parsed.stacks).map(
    ([name, stack]) =>
      [
        name,
        { ...buildStack(name, stack, reveal), controlBackups: stack.host === "local" ? controlBackups : undefined },
      ] as const,
  );
  const notify = Object.entries(parsed.notify).map(
    ([name, channel]) => [name, withSecrets(channel, (reference) => reveal(reference) ?? new Secret(""))] as const,
  );
  return {
    file,
    serve: buildServe(parsed.serve, reveal),
    hooks: Object.fromEntries(
      Object.entries(parsed.hooks).map(([name, hook]) => [
        name,
        { ...hook, secret: reveal(hook.secret) ?? new Secret("") },
      ]),
    ),
    oncall: parsed.oncall,
    procedures: parsed.procedures,
    stacks: Object.fromEntries(stacks),
    notify: Object.fromEntries(notify),
    heartbeat:
      parsed.heartbeat === undefined
        ? undefined
        : { url: reveal(parsed.heartbeat.url) ?? new Secret(""), everySeconds: parsed.heartbeat.every },
    control: { url: reveal(parsed.control.database), backup: parsed.control.backup },
  };
}

type Reveal = (reference: string | undefined) => Secret | undefined;

function buildServe(parsed: ParsedConfig["serve"], reveal: Reveal): ServeConfig {
  const oidc = Object.entries(parsed.oidc).map(([name, provider]) => {
    const { clientId, clientSecret } = provider;
    const revealed = {
      clientId: reveal(clientId) ?? new Secret(""),
      clientSecret: reveal(clientSecret) ?? new Secret(""),
    };
    return [name, { ...provider, ...revealed }] as const;
  });
  return {
    ...parsed,
    url: parsed.url ?? `http://${parsed.listen}`,
    secret: reveal(parsed.secret),
    oidc: Object.fromEntries(oidc),
  };
}

function buildStack(name: string, stack: ParsedStack, reveal: Reveal): Omit<StackConfig, "controlBackups"> {
  const { backup, finance, services, urls } = stack;
  const { login } = urls;
  const { cache, automation } = services;
  return {
    ...stack,
    name,
    secrets: Object.fromEntries(
      Object.entries(stack.secrets).map(([secret, given]) => [secret, reveal(given) ?? new Secret("")]),
    ),
    urls: { ...urls, login: login === undefined ? undefined : { ...login, password: reveal(login.password) } },
    finance: finance === undefined ? undefined : { apiKey: reveal(finance.apiKey) ?? new Secret("") },
    workDirectory: stack.workDirectory ?? workDirectoryOf(name, stack),
    backup:
      backup === undefined
        ? undefined
        : {
            ...backup,
            password: reveal(backup.password),
            environment: mapValues(backup.environment, (reference) => reveal(reference) ?? new Secret("")),
            copies: mapValues(backup.copies, (copy) => ({
              ...copy,
              password: reveal(copy.password),
              environment: mapValues(copy.environment, (reference) => reveal(reference) ?? new Secret("")),
            })),
            wal: backup.wal === undefined ? undefined : buildWal(backup.wal, reveal),
          },
    services: {
      ...services,
      cache: cache === undefined ? undefined : { ...cache, password: reveal(cache.password) },
      automation:
        automation === undefined
          ? undefined
          : {
              ...automation,
              apiKey: reveal(automation.apiKey) ?? new Secret(""),
              odooKey: reveal(automation.odooKey),
              webhookSecret: reveal(automation.webhookSecret),
            },
    },
  };
}

function buildWal(wal: ParsedWal, reveal: (reference: string | undefined) => Secret | undefined): WalConfig {
  const { s3 } = wal;
  const known = (reference: string) => reveal(reference) ?? new Secret("");
  return {
    ...wal,
    password: reveal(wal.password),
    s3: s3 === undefined ? undefined : { ...s3, accessKey: known(s3.accessKey), secretKey: known(s3.secretKey) },
  };
}

function mapValues<From, To>(values: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

/** Of a compose project it is in Odoo's own volume: there both tools find it, and the filestore can be linked instead of copied. */
function workDirectoryOf(name: string, { runtime, odoo }: ParsedStack): string {
  return "compose" in runtime ? `${odoo.dataDirectory}/ipai-${name}` : `/var/lib/ipai/work/${name}`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
