import { z } from "zod";
import { type CommandAction, command } from "../../runbook/action.ts";

/** What runs on a Docker engine, and what each of its containers is for. */

/** Every container, running or not, as `docker container inspect` prints it. */
export function inspectContainers(host: string): CommandAction {
  const script =
    'ids=$(docker ps --all --quiet) || exit; [ -n "$ids" ] || { echo "[]"; exit; }; docker container inspect $ids';
  return command(host, ["sh", "-c", script]);
}

const portBinding = z.object({ HostIp: z.string(), HostPort: z.string() });
const inspected = z.object({
  Name: z.string().transform((name) => name.replace(/^\//, "")),
  Path: z.string(),
  Args: z.array(z.string()).nullable(),
  State: z.object({ Running: z.boolean(), Health: z.object({ Status: z.string() }).nullish() }),
  HostConfig: z.object({ RestartPolicy: z.object({ Name: z.string() }) }),
  Config: z.object({
    Image: z.string(),
    User: z.string(),
    Env: z.array(z.string()).nullable(),
    Entrypoint: z.array(z.string()).nullable(),
    Labels: z.record(z.string(), z.string()).nullable(),
    Healthcheck: z.object({ Test: z.array(z.string()).nullish() }).nullish(),
    StopTimeout: z.number().nullish(),
  }),
  Mounts: z.array(
    z.object({
      Type: z.string(),
      Name: z.string().optional(),
      Source: z.string(),
      Destination: z.string(),
      RW: z.boolean(),
    }),
  ),
  NetworkSettings: z.object({
    Ports: z.record(z.string(), z.array(portBinding).nullable()).nullish(),
    Networks: z.record(z.string(), z.unknown()).nullish(),
  }),
});

export interface Container {
  readonly name: string;
  readonly service: string;
  readonly project: string;
  /** Folder of the project, and its compose files, as Compose noted them. */
  readonly directory: string;
  readonly files: readonly string[];
  /** With its variables, where they are not in the folder's .env. */
  readonly envFiles: readonly string[];
  readonly command: readonly string[];
  readonly image: string;
  readonly user: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly isRunning: boolean;
  readonly hasHealthCheck: boolean;
  readonly restart: string;
  /** Seconds between the request to stop and the end by force; Docker's own are ten. */
  readonly stopSeconds: number;
  readonly mounts: readonly Mount[];
  readonly published: readonly { readonly port: number; readonly address: string; readonly hostPort: number }[];
  /** Names of its networks, as Docker knows them. */
  readonly networks: readonly string[];
  readonly role: Role | undefined;
}

export interface Mount {
  readonly type: string;
  /** Of a volume: its name, which Docker made up when nobody gave it one. */
  readonly name: string;
  readonly source: string;
  readonly destination: string;
  readonly isWritable: boolean;
}

export type Role = "odoo" | "database" | "cache" | "proxy" | "tools" | "odooTools";

/** Those of compose projects; what was started by hand belongs to no stack. */
export function parseContainers(json: unknown): readonly Container[] {
  return z.array(inspected).parse(json).flatMap(toContainer);
}

function toContainer(found: z.infer<typeof inspected>): readonly Container[] {
  const { Config, HostConfig, NetworkSettings, State } = found;
  const label = (name: string) => Config.Labels?.[`com.docker.compose.${name}`];
  const [project, service] = [label("project"), label("service")];
  if (project === undefined || service === undefined || label("oneoff") === "True") return [];
  const directory = label("project.working_dir") ?? "/";
  const variables = (Config.Env ?? []).map((text) => [
    text.slice(0, text.indexOf("=")),
    text.slice(text.indexOf("=") + 1),
  ]);
  const container = {
    name: found.Name,
    service,
    project,
    directory,
    files: listFiles(label("project.config_files"), directory),
    envFiles: listFiles(label("project.environment_file"), directory).filter((file) => file !== ".env"),
    command: [found.Path, ...(found.Args ?? [])],
    image: Config.Image,
    user: Config.User,
    environment: Object.fromEntries(variables) as Record<string, string>,
    entrypoint: Config.Entrypoint ?? [],
    isRunning: State.Running,
    hasHealthCheck: (Config.Healthcheck?.Test ?? []).some((word) => word !== "NONE"),
    restart: HostConfig.RestartPolicy.Name,
    stopSeconds: Config.StopTimeout ?? 10,
    mounts: found.Mounts.map(({ Type, Name, Source, Destination, RW }) => ({
      type: Type,
      name: Name ?? "",
      source: Source,
      destination: Destination,
      isWritable: RW,
    })),
    networks: Object.keys(NetworkSettings.Networks ?? {}).sort(),
    published: Object.entries(NetworkSettings.Ports ?? {}).flatMap(([port, bindings]) =>
      (bindings ?? []).map(({ HostIp, HostPort }) => ({
        port: Number.parseInt(port, 10),
        address: HostIp,
        hostPort: Number(HostPort),
      })),
    ),
  };
  return [{ ...container, role: roleOf(container) }];
}

function listFiles(text: string | undefined, directory: string): readonly string[] {
  const files = (text ?? "").split(",").filter((file) => file !== "");
  return files.map((file) => (file.startsWith(`${directory}/`) ? file.slice(directory.length + 1) : file));
}

/** By what it runs: names and images are the user's own. One that has done its work and ended serves nobody. */
function roleOf({ command, environment, service, isRunning, restart }: Omit<Container, "role">): Role | undefined {
  const words = withoutWrappers(command);
  const program = basename(words[0]);
  const runs = /^python[\d.]*$/.test(program) ? basename(words[1]) : program;
  const isOnce = words.includes("--stop-after-init") || (!isRunning && ["", "no", "on-failure"].includes(restart));
  if (/^(sleep|tail)$/.test(program)) return idleRole(service, environment);
  if (isOnce) return undefined;
  if (runs === "postgres") return "database";
  // A shell that starts Odoo in the end is known by its image alone.
  if (/^odoo(-bin|\.py)?$/.test(runs) || (/^(ba|da)?sh$/.test(runs) && isOdooImage(environment))) return "odoo";
  if (/^(redis|valkey)-server$/.test(runs)) return "cache";
  return /^(nginx|traefik|caddy|haproxy)$/.test(runs) ? "proxy" : undefined;
}

function idleRole(service: string, environment: Container["environment"]): Role | undefined {
  if (service === "tools" || "PGDATA" in environment) return "tools";
  return service === "odoo-tools" || isOdooImage(environment) ? "odooTools" : undefined;
}

const isOdooImage = (environment: Container["environment"]) =>
  "ODOO_VERSION" in environment || "ODOO_RC" in environment;

const basename = (word = "") => word.slice(word.lastIndexOf("/") + 1);

/** What a container runs in the end: guards of signals, and scripts that end with `exec "$@"`, are passed over. */
export function withoutWrappers(command: readonly string[]): readonly string[] {
  const at = command.findIndex(
    (word) => word !== "--" && !/(^|\/)(docker-init|tini|dumb-init|[\w.-]*entrypoint(\.sh)?)$/.test(word),
  );
  const words = at === -1 ? [] : command.slice(at);
  // wait-for-it.sh db:5432 -- odoo
  const end = words.indexOf("--");
  return end > 0 && /wait/.test(basename(words[0])) ? words.slice(end + 1) : words;
}

export interface Project {
  readonly name: string;
  readonly directory: string;
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  readonly odoo: readonly Container[];
  readonly database: Container;
  readonly cache: Container | undefined;
  readonly proxy: Container | undefined;
  readonly tools: Container | undefined;
  readonly odooTools: Container | undefined;
  readonly all: readonly Container[];
}

/** The projects that have an Odoo and its database. */
export function findProjects(containers: readonly Container[]): readonly Project[] {
  const names = [...new Set(containers.map(({ project }) => project))].sort();
  return names.flatMap((name): readonly Project[] => {
    const all = containers
      .filter(({ project }) => project === name)
      .toSorted((a, b) => a.service.localeCompare(b.service));
    const having = (role: Role) => all.filter((container) => container.role === role);
    const [odoo, [database]] = [having("odoo"), having("database")];
    const [first] = odoo;
    if (first === undefined || database === undefined) return [];
    const one = (role: Role) => having(role)[0];
    // Of several, the one at which people come in.
    const proxy = having("proxy").toSorted((a, b) => Number(isDoor(b)) - Number(isDoor(a)))[0];
    return [
      {
        name,
        directory: first.directory,
        // A file that was added later is noted in the containers that were made since.
        files: [...new Set(all.flatMap(({ files }) => files))],
        envFiles: [...new Set(all.flatMap(({ envFiles }) => envFiles))],
        odoo,
        database,
        cache: one("cache"),
        proxy,
        tools: one("tools"),
        odooTools: one("odooTools"),
        all,
      },
    ];
  });
}

const isDoor = ({ published }: Container) => published.some(({ port }) => port === 80 || port === 443);
