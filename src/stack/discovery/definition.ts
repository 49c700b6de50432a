import { Document } from "yaml";
import type { Json } from "../../runbook/value.ts";
import type { Container, Mount } from "./containers.ts";
import { type Discovered, dataDirectory, mountOf } from "./findings.ts";
import { programOf } from "./questions.ts";

/** What was found, as a stack of `ipai.yaml`, and as the services that are missing for work on it. Pure. */

const toolsName = "tools";
const odooToolsName = "odoo-tools";
const repository = "/var/lib/ipai/repository";
const passwordFile = "/run/secrets/backup_password";

/** Name of the file with the services that are missing; it lies in the folder of the project. */
export const toolsFile = "compose.ipai.yaml";

export function needsTools({ project }: Discovered): boolean {
  return project.tools === undefined || project.odooTools === undefined;
}

/** A legal name for the stack, after its project. */
export function stackName({ project }: Discovered): string {
  return project.name.toLowerCase().replace(/^[^a-z]+/, "").replaceAll(/[^a-z0-9-]+/g, "-") || "odoo";
}

/** One stack of `ipai.yaml`. Keys whose default suits are left out. */
export function defineStack(found: Discovered, program: readonly string[]): Readonly<Record<string, Json>> {
  const { host, project, server, database, odoo, publicAddress, publicAddresses } = found;
  const { values } = odoo;
  const data = values["data_dir"] ?? dataDirectory;
  const [tools, odooTools] = [project.tools?.service ?? toolsName, project.odooTools?.service ?? odooToolsName];
  const files = [...project.files, ...(needsTools(found) && !project.files.includes(toolsFile) ? [toolsFile] : [])];
  const [first] = project.odoo;
  const [url = "http://127.0.0.1"] = publicAddress === undefined ? publicAddresses : [publicAddress.url];
  const folders = Object.keys(odoo.modules);
  const authority = publicAddress?.authority;
  return {
    ...(host === "local" ? {} : { host }),
    ...(database.zone === null ? {} : { timezone: database.zone }),
    // In Odoo's own volume, so that the filestore can be linked instead of copied.
    workDirectory: `${data}/ipai`,
    runtime: {
      compose: {
        project: project.name,
        directory: project.directory,
        files,
        ...(program.join(" ") === "docker compose" ? {} : { program: [...program] }),
        ...unusualNames(project.name, project.all),
        ...(tools === toolsName ? {} : { tools }),
        ...(odooTools === odooToolsName ? {} : { odooTools }),
      },
    },
    services: {
      odoo: project.odoo.map(({ service }) => ({
        name: service,
        url: `http://${service}:${values["http_port"] ?? 8069}`,
      })),
      database: {
        name: project.database.service,
        ...(server.superuser === "postgres" ? {} : { superuser: server.superuser }),
        ...(socketOf(server.sockets) === "/var/run/postgresql" ? {} : { host: socketOf(server.sockets) }),
        ...(server.port === 5432 ? {} : { port: server.port }),
      },
      ...(project.cache === undefined
        ? {}
        : { cache: { name: project.cache.service, url: "redis://127.0.0.1:6379" } }),
      ...(project.proxy === undefined ? {} : { proxy: { name: project.proxy.service } }),
    },
    odoo: {
      command: [...(first === undefined ? ["odoo"] : programOf(first))],
      environment: { HOME: data, ...connection(found) },
      ...(odoo.user === null || odoo.user === "odoo" ? {} : { user: odoo.user }),
      ...(odoo.file === null || odoo.file === "/etc/odoo/odoo.conf" ? {} : { config: odoo.file }),
      database: database.name,
      ...(data === dataDirectory ? {} : { dataDirectory: data }),
      ...(folders.length === 0 ? {} : { addons: folders }),
      modules: patterns(Object.values(odoo.modules).flat()),
    },
    urls: { public: url, ...(authority === undefined ? {} : { authority }) },
    backup: backupOf(project.tools),
  };
}

/** Containers whose names Compose did not make itself. */
function unusualNames(project: string, all: readonly Container[]): { containers?: Json } {
  const unusual = all.filter(({ name, service }) => name !== `${project}-${service}-1`);
  return unusual.length === 0
    ? {}
    : { containers: Object.fromEntries(unusual.map(({ name, service }) => [service, name])) };
}

function socketOf(folders: string): string {
  return folders.split(",")[0]?.trim() ?? "/var/run/postgresql";
}

/** An image that hands the connection over on the command line leaves the file without one: then the socket is taken. */
function connection({ odoo: { values }, database, server }: Discovered): Readonly<Record<string, string>> {
  const isSet = (value: string | undefined) => value !== undefined && !/^(|false)$/i.test(value);
  return {
    ...(isSet(values["db_host"]) ? {} : { PGHOST: socketOf(server.sockets) }),
    ...(isSet(values["db_user"]) ? {} : { PGUSER: database.owner.name }),
  };
}

/** The suite's own modules where there are some; else all that lie beside Odoo's. */
function patterns(modules: readonly string[]): string {
  return modules.length > 0 && !modules.some((name) => name.startsWith("ipai_")) ? "*" : "ipai_*";
}

/** Where the tools have a repository already, or where the missing ones will have it. */
function backupOf(tools: Container | undefined): Json {
  const destinations = tools?.mounts.map(({ destination }) => destination) ?? [];
  const secret = destinations.find((path) => /^\/run\/secrets\/.*(backup|restic)/.test(path)) ?? passwordFile;
  const folder = destinations.find((path) => /repository|backup|restic/.test(path) && !path.startsWith("/run/"));
  return { repository: folder ?? repository, passwordFile: secret };
}

export function renderStack(name: string, stack: Readonly<Record<string, Json>>): string {
  const document = new Document({ stacks: { [name]: stack } });
  document.commentBefore = " Written by `ipai init` from what runs. Every key: docs/configuration.md.";
  return document.toString({ lineWidth: 120 });
}

/**
 * Two containers to work in, for a project that has none: one of PostgreSQL's image with restic, one of Odoo's. Both have Odoo's
 * volumes and the server's socket, for which the server's container is made anew once.
 */
export function renderTools({ project, server, odoo, database }: Discovered, dockerfile: string): string {
  const [first] = project.odoo;
  const mounts = (first?.mounts ?? []).filter(({ destination }) => destination !== socketOf(server.sockets));
  const own = mountOf(project.database, socketOf(server.sockets));
  const socket = own === undefined ? "ipai-socket" : volumeName(own);
  const volumes = [...mounts, ...(own === undefined ? [] : [own])].filter(({ type }) => type === "volume");
  const idle = { command: ["sleep", "infinity"], entrypoint: [], init: true, user: "root", restart: "unless-stopped" };
  const shared = [...mounts.map(mountLine), `${socket}:${socketOf(server.sockets)}`];
  const major = Math.floor(server.version / 10_000);
  const services = {
    ...(own === undefined ? { [project.database.service]: { volumes: [`${socket}:${socketOf(server.sockets)}`] } } : {}),
    [toolsName]: {
      image: `ipai/tools:${major}`,
      build: {
        context: ".",
        dockerfile_inline: dockerfile,
        args: {
          BASE: `\${IPAI_TOOLS_BASE:-postgres:${major}}`,
          ...(odoo.uid === undefined || odoo.gid === undefined ? {} : { ODOO_UID: odoo.uid, ODOO_GID: odoo.gid }),
        },
      },
      ...idle,
      secrets: ["backup_password"],
      volumes: [...shared.map(writable), `ipai-backups:${repository}`],
    },
    [odooToolsName]: {
      image: first?.image ?? "odoo:18.0",
      ...idle,
      environment: { HOME: odoo.values["data_dir"] ?? dataDirectory },
      volumes: shared,
    },
  };
  const file = new Document({
    services,
    volumes: {
      ...Object.fromEntries(volumes.map((mount) => [volumeName(mount), { name: mount.name, external: true }])),
      ...(own === undefined ? { [socket]: {} } : {}),
      "ipai-backups": {},
    },
    secrets: { backup_password: { file: "./secrets/backup_password" } },
  });
  file.commentBefore = [
    ` Containers in which ipai works on ${database.name}. They serve nobody. Written by \`ipai init\`.`,
    " Put this file into the folder of the project, draw a password for the backups, and start them:",
    "",
    `   cd ${project.directory}`,
    "   (umask 077; mkdir -p secrets; openssl rand -hex 24 > secrets/backup_password)",
    `   docker compose ${[...project.files, toolsFile].map((name) => `-f ${name}`).join(" ")} -p ${project.name} up -d --build ${[...(own === undefined ? [project.database.service] : []), toolsName, odooToolsName].join(" ")}`,
    ...(own === undefined ? ["", " The database's container is made anew for it, once: its socket becomes a volume."] : []),
  ].join("\n");
  return file.toString({ lineWidth: 0 });
}

const volumeName = ({ name }: Mount) => name.replaceAll(/[^\w.-]/g, "-");

function mountLine(mount: Mount): string {
  const source = mount.type === "volume" ? volumeName(mount) : mount.source;
  return `${source}:${mount.destination}${mount.isWritable ? "" : ":ro"}`;
}

/** Among the tools modules are put back when an upgrade is taken back; Odoo itself need not write there. */
function writable(line: string): string {
  return line.replace(/:ro$/, "");
}
