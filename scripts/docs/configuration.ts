import { z } from "zod";
import { configSchema } from "../../src/config/schema.ts";
import { escapeCell, notice, page, table } from "./markdown.ts";

/** Every key of `ipai.yaml`, from the schema that reads it. */

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

export function configurationPage(): string {
  return page([
    notice,
    "# Configuration",
    "One file, `ipai.yaml`, describes every stack. `ipai` takes the first that it finds: `--config FILE`, `IPAI_CONFIG`, `ipai.yaml` in",
    "the current folder, `/etc/ipai/ipai.yaml`, the practice stack's (`/var/lib/ipai/sandbox/ipai.yaml`).",
    "",
    "`ipai config check` names the line and column of every mistake, and the key that was probably meant: unknown keys are errors.",
    "`ipai config show` prints the whole with its defaults and without its secrets. `ipai config schema` prints a JSON Schema for editors.",
    "",
    "Durations are written with their unit (`90s`, `15m`, `4h`, `7d`, `2w`). A secret never stands in the file: it is in a file of its own,",
    "or the value is `${NAME}` and comes from the environment. Only keys that say so take `${NAME}`.",
    "## Example",
    "A suite on Debian's own packages, with PostgreSQL by `pg_ctlcluster` and everything else by `start-stop-daemon`:",
    "",
    "```yaml",
    exampleConfig.trimEnd(),
    "```",
    "",
    "`ipai` starts these services itself, as the users named here. Services that systemd starts must not be under both:",
    "disable their units, or systemd starts again what a plan has stopped.",
    "## Keys",
    ...sections("", z.toJSONSchema(configSchema, { io: "input" }) as Schema),
  ]);
}

/** Checked by a test: it is read by the program without a complaint. */
export const exampleConfig = `stacks:
  production:
    timezone: Asia/Manila
    runtime:
      native:
        services:
          database: { cluster: 15/main }
          redis:
            command: [redis-server, /etc/redis/redis.conf, --daemonize, "no"]
            user: redis
            pidFile: /run/ipai-redis.pid
            log: /var/log/redis/ipai.log
          nginx:
            command: [nginx, -g, daemon off;]
            user: root
            pidFile: /run/ipai-nginx.pid
            log: /var/log/nginx/ipai.log
          odoo-accounting:
            command: [/usr/bin/odoo, -c, /etc/odoo/odoo.conf, --http-port=8069, --gevent-port=8072]
            user: odoo
            pidFile: /run/ipai-odoo-accounting.pid
            log: /var/log/odoo/odoo-accounting.log
            stopSeconds: 120
    services:
      odoo:
        - { name: odoo-accounting, url: "http://127.0.0.1:8069" }
      cache: { name: redis, url: "redis://127.0.0.1:6379" }
      proxy: { name: nginx }
    odoo:
      command: [/usr/bin/odoo]
      config: /etc/odoo/odoo.conf
      database: odoo
      dataDirectory: /var/lib/odoo
      addons: [/opt/odoo-ce/addons/ipai]
      modules: ipai_*
    urls: { public: "https://erp.example.com" }
    backup:
      repository: /srv/backup/restic
      passwordFile: /etc/ipai/repository-password
control: { database: embedded }
`;

/** One section per object: its own keys as a table, then the objects inside it. */
function sections(path: string, schema: Schema): readonly string[] {
  if (schema.anyOf?.every(isObject))
    return schema.anyOf.flatMap((option, index) => [
      ...(index === 0 ? [] : ["", `or: ${option.description ?? ""}`.trim(), ""]),
      ...sections(index === 0 || option.description === undefined ? path : "", option),
    ]);
  if (schema.oneOf !== undefined) return kinds(path, schema, schema.oneOf);
  const entries = Object.entries(schema.properties ?? {});
  const plain = entries.filter(([, inner]) => !hasSection(inner));
  const rows = plain.map(([key, inner]) => [
    `\`${key}\``,
    typeOf(inner),
    schema.required?.includes(key) === true ? "**required**" : defaultOf(inner),
    escapeCell(inner.description ?? ""),
  ]);
  return [
    ...(path === "" || (plain.length === 0 && schema.description === undefined) ? [] : [`### ${path}`]),
    ...(path === "" || schema.description === undefined
      ? []
      : [`${schema.description}${/[.:]$/.test(schema.description) ? "" : "."}`, ""]),
    ...(rows.length === 0 ? [] : table(["key", "value", "default", "meaning"], rows)),
    ...entries
      .filter(([, inner]) => hasSection(inner))
      .flatMap(([key, inner]) => nested(path === "" ? key : `${path}.${key}`, inner)),
  ];
}

/** What all kinds have in one table, what is each one's own, and what is inside of what all have. */
function kinds(path: string, { description = "" }: Schema, options: readonly Schema[]): readonly string[] {
  const [first = {}] = options;
  type Entry = readonly [key: string, inner: Schema];
  const isShared = ([key, inner]: Entry) =>
    options.every(({ properties }) => JSON.stringify(properties?.[key]) === JSON.stringify(inner));
  const only = ({ properties = {}, required = [] }: Schema, isWanted: (entry: Entry) => boolean): Schema => ({
    properties: Object.fromEntries(Object.entries(properties).filter(isWanted)),
    required,
  });
  const shared = only(first, (entry) => isShared(entry) && !hasSection(entry[1]));
  return [
    ...sections(path, { ...shared, description: `${description}. Every kind has:` }),
    ...options.flatMap((option) => [
      ...["", `${typeOf(option.properties?.["kind"] ?? {})} has besides:`, ""],
      ...sections(
        "",
        only(option, (entry) => !isShared(entry)),
      ),
    ]),
    ...Object.entries(first.properties ?? {})
      .filter((entry) => isShared(entry) && hasSection(entry[1]))
      .flatMap(([key, inner]) => nested(`${path}.${key}`, inner)),
  ];
}

function nested(path: string, schema: Schema): readonly string[] {
  if (schema.anyOf !== undefined && isOneOrMore(schema))
    return sections(path, { ...schema.anyOf[0], description: `${schema.description}. One, or a list of them` });
  if (typeof schema.additionalProperties === "object") return sections(`${path}.NAME`, schema.additionalProperties);
  if (schema.items !== undefined) return sections(`${path}[]`, schema.items);
  return sections(path, schema);
}

function isObject(schema: Schema): boolean {
  return schema.properties !== undefined;
}

/** An object, or a list of such. */
function isOneOrMore({ anyOf: [one = {}, many] = [] }: Schema): boolean {
  return isObject(one) && JSON.stringify(many?.items) === JSON.stringify(one);
}

/** Objects, lists of objects, and objects by name. */
function hasSection(schema: Schema): boolean {
  const inner =
    typeof schema.additionalProperties === "object" ? schema.additionalProperties : (schema.items ?? schema);
  return isObject(inner) || inner.anyOf?.every(isObject) === true || inner.oneOf !== undefined || isOneOrMore(inner);
}

const patterns: Readonly<Record<string, string>> = {
  "^\\/": "absolute path",
  "^[A-Za-z0-9][\\w.-]*$": "name",
  "^\\d+\\/[\\w.-]+$": "`VERSION/NAME`",
  "^([01]\\d|2[0-3]):[0-5]\\d$": "`HH:MM`",
  "^[a-z0-9]{26}$": "id",
  "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$": "`${NAME}`",
};

function typeOf(schema: Schema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === "boolean") return "`true` or `false`";
  if (schema.type === "object") return "texts by name";
  if (schema.type === "integer" || schema.type === "number") return numberType(schema);
  if (schema.pattern?.includes("@") === true) return "mail address";
  return schema.pattern === undefined ? "text" : (patterns[schema.pattern] ?? code(schema.pattern));
}

function numberType({ type, minimum, maximum, exclusiveMinimum }: Schema): string {
  const name = type === "integer" ? "whole number" : "number";
  const from = minimum ?? (exclusiveMinimum === 0 ? "above 0" : undefined);
  const to = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (to !== undefined) return `${name}, ${from} to ${to}`;
  if (from === undefined) return name;
  return typeof from === "string" ? `${name} ${from}` : `${name}, at least ${from}`;
}

function defaultOf(schema: Schema): string {
  if (schema.default === undefined) return "–";
  const text = JSON.stringify(schema.default);
  return text === "{}" || text === "[]" ? "none" : code(schema.default);
}

function code(value: unknown): string {
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}
