import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Document, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { ConfigInvalid, ConfigNotFound, ConfigUnreadable, type Problem, UnknownStack } from "./errors.ts";
import { ipaiHome } from "./home.ts";
import { findNearest } from "./nearest.ts";
import { type Config, configSchema, type ParsedStack, type StackConfig } from "./schema.ts";
import { Secret } from "./secret.ts";

export interface LoadOptions {
  readonly path?: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
}

/** Finds, reads and checks `ipai.yaml`, once. What comes out is frozen. */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const file = findFile(options);
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw ConfigUnreadable({ file, reason: error.message }, { cause: error });
  });
  return parseConfig(text, file, options.environment);
}

/** The stack of that name, or the only one. */
export function getStack(config: Config, name?: string): StackConfig {
  const known = Object.keys(config.stacks);
  const found = name === undefined && known.length === 1 ? known[0] : name;
  const stack = found === undefined ? undefined : config.stacks[found];
  if (stack === undefined) throw UnknownStack({ name, known });
  return stack;
}

/** A stack's secrets by their path in the configuration. */
export function secretsOf(stack: StackConfig): Readonly<Record<string, Secret>> {
  const password = stack.backup?.password;
  return password === undefined ? {} : { "backup.password": password };
}

/** Text → configuration. Every problem found is told at once, each with its place. */
export function parseConfig(text: string, file: string, environment: NodeJS.ProcessEnv): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors.map((error) => problemAt(lines, error.pos[0], firstLine(error.message)));
  if (syntax.length > 0) throw ConfigInvalid({ file, problems: syntax });
  const parsed = configSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success)
    throw ConfigInvalid({ file, problems: parsed.error.issues.flatMap((issue) => describe(issue, document, lines)) });
  const at = (path: readonly PropertyKey[], message: string) => problemAt(lines, offsetOf(document, path), message);
  const problems = rules.flatMap((rule) =>
    rule(parsed.data, environment).map(({ path, message }) => at(path, message)),
  );
  if (problems.length > 0) throw ConfigInvalid({ file, problems });
  return deepFreeze(build(parsed.data, file, environment));
}

function findFile({ path, environment, directory }: LoadOptions): string {
  if (path !== undefined) return resolve(directory, path);
  const named = environment["IPAI_CONFIG"];
  if (named !== undefined) return named;
  const looked = [
    join(directory, "ipai.yaml"),
    "/etc/ipai/ipai.yaml",
    join(ipaiHome(environment), "sandbox", "ipai.yaml"),
  ];
  const found = looked.find((candidate) => existsSync(candidate));
  if (found === undefined) throw ConfigNotFound({ looked });
  return found;
}

type Parsed = z.output<typeof configSchema>;

interface Broken {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What no single key can tell. One rule, one function. */
const rules: readonly ((config: Parsed, environment: NodeJS.ProcessEnv) => readonly Broken[])[] = [
  ensureOneStack,
  ensureServicesExist,
  ensureDistinctPidFiles,
  ensureEnvironment,
];

function ensureOneStack(config: Parsed): readonly Broken[] {
  return Object.keys(config.stacks).length === 0
    ? [{ path: ["stacks"], message: "stacks: must define at least one stack" }]
    : [];
}

function ensureServicesExist(config: Parsed): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, stack]) => {
    const known = stack.runtime.native.services;
    const { odoo, database, cache, proxy } = stack.services;
    const used: (readonly [path: readonly PropertyKey[], name: string | undefined])[] = [
      ...odoo.map((service, index) => [["odoo", index, "name"], service.name] as const),
      [["database", "name"], database.name],
      [["cache", "name"], cache?.name],
      [["proxy", "name"], proxy?.name],
    ];
    return used
      .filter(([, service]) => service !== undefined && known[service] === undefined)
      .map(([path, service = ""]) => {
        const near = findNearest(service, Object.keys(known));
        return {
          path: ["stacks", name, "services", ...path],
          message: `${service} is not defined under runtime.native.services${near === undefined ? "" : `. Did you mean ${near}?`}`,
        };
      });
  });
}

function ensureDistinctPidFiles(config: Parsed): readonly Broken[] {
  return Object.entries(config.stacks).flatMap(([name, stack]) => {
    const seen = new Set<string>();
    return Object.entries(stack.runtime.native.services).flatMap(([service, definition]) => {
      if (!("pidFile" in definition) || !seen.has(definition.pidFile)) {
        if ("pidFile" in definition) seen.add(definition.pidFile);
        return [];
      }
      const path = ["stacks", name, "runtime", "native", "services", service, "pidFile"];
      return [{ path, message: `pidFile ${definition.pidFile} is used by another service too` }];
    });
  });
}

function ensureEnvironment(config: Parsed, environment: NodeJS.ProcessEnv): readonly Broken[] {
  const references: (readonly [readonly PropertyKey[], string | undefined])[] = [
    [["control", "database"], config.control.database === "embedded" ? undefined : config.control.database],
    ...Object.entries(config.stacks).map(
      ([name, stack]) => [["stacks", name, "backup", "password"], stack.backup?.password] as const,
    ),
  ];
  return references
    .filter(([, reference]) => reference !== undefined && environment[variableOf(reference)] === undefined)
    .map(([path, reference = ""]) => ({
      path,
      message: `the environment variable ${variableOf(reference)} is not set`,
    }));
}

function variableOf(reference: string): string {
  return reference.slice(2, -1);
}

function build(parsed: Parsed, file: string, environment: NodeJS.ProcessEnv): Config {
  const reveal = (reference: string | undefined) =>
    reference === undefined || reference === "embedded"
      ? undefined
      : new Secret(environment[variableOf(reference)] ?? "");
  const stacks = Object.entries(parsed.stacks).map(([name, stack]) => [name, buildStack(name, stack, reveal)] as const);
  return { file, stacks: Object.fromEntries(stacks), control: { url: reveal(parsed.control.database) } };
}

function buildStack(
  name: string,
  stack: ParsedStack,
  reveal: (reference: string | undefined) => Secret | undefined,
): StackConfig {
  const { backup } = stack;
  return {
    ...stack,
    name,
    workDirectory: stack.workDirectory ?? `/var/lib/ipai/work/${name}`,
    backup: backup === undefined ? undefined : { ...backup, password: reveal(backup.password) },
  };
}

/** One line per unknown key, with the name that was probably meant; other issues as zod words them. */
function describe(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): readonly Problem[] {
  const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const near = findNearest(key, knownKeys(issue.path));
      const message = `${where}unknown key ${key}${near === undefined ? "" : `. Did you mean ${near}?`}`;
      return problemAt(lines, offsetOf(document, [...issue.path, key]), message);
    });
  if (issue.code === "invalid_union") {
    const inner = issue.errors.flat().find((error) => error.code === "unrecognized_keys" || error.path.length > 0);
    if (inner !== undefined)
      return describe({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, document, lines);
  }
  return [problemAt(lines, offsetOf(document, issue.path), where + issue.message)];
}

/** The keys that the schema knows at a path; record keys and list positions step into their element. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let schema: unknown = configSchema;
  for (const part of path) schema = stepInto(unwrap(schema), part);
  const final = unwrap(schema);
  const options = isObject(final) && Array.isArray(final["options"]) ? final["options"].map(unwrap) : [final];
  return options.flatMap((option) =>
    isObject(option) && isObject(option["shape"]) ? Object.keys(option["shape"]) : [],
  );
}

function stepInto(schema: unknown, part: PropertyKey): unknown {
  if (!isObject(schema)) return undefined;
  if (isObject(schema["shape"])) return schema["shape"][String(part)];
  return schema["valueType"] ?? schema["element"];
}

/** Defaults, optionals and transforms wrap the object that has the keys. */
function unwrap(schema: unknown): unknown {
  let inner = schema;
  for (;;) {
    if (!isObject(inner) || !isObject(inner["def"])) return inner;
    const next = inner["def"]["innerType"] ?? inner["def"]["in"];
    if (next === undefined) return inner;
    inner = next;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Where a path's key (or its nearest existing parent's) begins in the text. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const items = isObject(parent) && Array.isArray(parent["items"]) ? parent["items"] : [];
    const last = path[length - 1];
    const pair = items.find((item) => isObject(item) && isObject(item["key"]) && item["key"]["value"] === last);
    const node = pair === undefined ? items[Number(last)] : pair.key;
    if (isObject(node) && Array.isArray(node["range"])) return Number(node["range"][0]);
  }
  return 0;
}

function problemAt(lines: LineCounter, offset: number, message: string): Problem {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col), message };
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? text;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Secret || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
