import { Document } from "yaml";
import type { Json } from "../../runbook/value.ts";
import { containerOf } from "../runtime/compose.ts";
import type { Container, Mount } from "./containers.ts";
import { type Discovered, dataDirectory, dataOf, isAnonymous, mountOf } from "./findings.ts";
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
  return (
    project.name
      .toLowerCase()
      .replace(/^[^a-z]+/, "")
      .replaceAll(/[^a-z0-9-]+/g, "-") || "odoo"
  );
}

/** One stack of `ipai.yaml`. Keys whose default suits are left out. */
export function defineStack(found: Discovered, program: readonly string[]): Definition {
  const { host, database, project } = found;
  return {
    ...(host === "local" ? {} : { host }),
    ...(database.zone === null ? {} : { timezone: database.zone }),
    runtime: { compose: projectKeys(found, program) },
    services: services(found),
    odoo: odooKeys(found),
    ...sourceOf(found),
    urls: urls(found),
    backup: backupOf(project.tools),
  };
}

type Definition = Readonly<Record<string, Json>>;

/** A key whose value is not the default one. */
function unless(usual: string | number | null, name: string, value: string | number | null): Definition {
  return value === null || value === usual ? {} : { [name]: value };
}

function projectKeys(found: Discovered, program: readonly string[]): Definition {
  const { project } = found;
  const adds = needsTools(found) && !project.files.includes(toolsFile);
  return {
    project: project.name,
    directory: project.directory,
    files: [...project.files, ...(adds ? [toolsFile] : [])],
    ...(project.envFiles.length === 0 ? {} : { envFiles: [...project.envFiles] }),
    ...(program.join(" ") === "docker compose" ? {} : { program: [...program] }),
    ...unusualNames(project.name, project.all),
    ...unless(toolsName, "tools", project.tools?.service ?? toolsName),
    ...unless(odooToolsName, "odooTools", project.odooTools?.service ?? odooToolsName),
  };
}

function services({ project, server, odoo }: Discovered): Definition {
  const port = odoo.values["http_port"] ?? 8069;
  return {
    odoo: project.odoo.map(({ service }) => ({ name: service, url: `http://${service}:${port}` })),
    database: {
      name: project.database.service,
      ...unless("postgres", "superuser", server.superuser),
      ...unless("/var/run/postgresql", "host", socketOf(server.sockets)),
      ...unless(5432, "port", server.port),
    },
    ...(project.cache === undefined ? {} : { cache: { name: project.cache.service, url: "redis://127.0.0.1:6379" } }),
    ...(project.proxy === undefined ? {} : { proxy: { name: project.proxy.service } }),
  };
}

function odooKeys(found: Discovered): Definition {
  const { project, odoo, database } = found;
  const [first] = project.odoo;
  const folders = addonsOf(found);
  const told = first === undefined ? undefined : programOf(first);
  return {
    // Where a script of its owner's starts it, what runs is taken instead.
    command: [...(told ?? odoo.program)],
    environment: {
      HOME: dataOf(found),
      ...(told !== undefined || odoo.path === null ? {} : { PYTHONPATH: odoo.path }),
      ...connection(found),
    },
    ...unless("odoo", "user", odoo.user),
    ...unless("/etc/odoo/odoo.conf", "config", odoo.file),
    database: database.name,
    ...unless(dataDirectory, "dataDirectory", dataOf(found)),
    ...(folders.length === 0 ? {} : { addons: folders }),
    modules: patterns(Object.values(odoo.modules).flat()),
  };
}

/** Those of the work tree first: its folders and these are told apart by their place in the list. */
function addonsOf({ odoo, workTree }: Discovered): readonly string[] {
  const inTree = Object.keys(workTree?.folders ?? {});
  return [...inTree, ...Object.keys(odoo.modules).filter((folder) => !inTree.includes(folder))];
}

function sourceOf({ workTree }: Discovered): { source?: Json } {
  if (workTree === undefined) return {};
  const { repository, remote, branch, folders } = workTree;
  const known = { ...unless("origin", "remote", remote), ...unless("main", "branch", branch ?? null) };
  return { source: { repository, ...known, addons: Object.values(folders) } };
}

function urls({ publicAddress, publicAddresses: [first = "http://127.0.0.1"] }: Discovered): Definition {
  const { url, authority } = publicAddress ?? { url: first, authority: undefined };
  return { public: url, ...(authority === undefined ? {} : { authority }) };
}

/** Containers whose names Compose did not make itself. */
function unusualNames(project: string, all: readonly Container[]): { containers?: Json } {
  const unusual = all.filter(({ name, service }) => name !== containerOf({ project, containers: {} }, service));
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

export function renderStack(name: string, stack: Definition): string {
  const document = new Document({ stacks: { [name]: stack } });
  document.commentBefore = " Written by `ipai init` from what runs. Every key: docs/configuration.md.";
  return document.toString({ lineWidth: 120 });
}

/**
 * Two containers to work in, for a project that has none: one of PostgreSQL's image with restic, one of Odoo's. Both have Odoo's
 * volumes and the server's socket, for which the server's container is made anew once.
 */
export function renderTools(found: Discovered, dockerfile: string): string {
  const { project, server, odoo, database } = found;
  const [first] = project.odoo;
  const mounts = (first?.mounts ?? []).filter(
    (mount) => mount.destination !== socketOf(server.sockets) && !isAnonymous(mount),
  );
  const networks = [...new Set([...(first?.networks ?? []), ...project.database.networks])];
  const own = mountOf(project.database, socketOf(server.sockets));
  const socket = own === undefined ? "ipai-socket" : volumeName(own);
  const volumes = [...mounts, ...(own === undefined ? [] : [own])].filter(({ type }) => type === "volume");
  const idle = {
    networks: networks.map(networkName),
    command: ["sleep", "infinity"],
    entrypoint: [],
    init: true,
    user: "root",
    restart: "unless-stopped",
  };
  const shared = [...mounts.map(mountLine), `${socket}:${socketOf(server.sockets)}`];
  const major = Math.floor(server.version / 10_000);
  const services = {
    ...(own === undefined
      ? { [project.database.service]: { volumes: [`${socket}:${socketOf(server.sockets)}`] } }
      : {}),
    [toolsName]: {
      image: `ipai/tools:${major}`,
      build: {
        context: ".",
        // Compose fills in variables of its own; these are Docker's.
        dockerfile_inline: dockerfile.replaceAll("$", "$$$$"),
        args: {
          BASE: `\${IPAI_TOOLS_BASE:-postgres:${major}}`,
          ...owner(odoo),
        },
      },
      ...idle,
      secrets: ["backup_password"],
      volumes: [...shared.map(writable), `ipai-backups:${repository}`],
    },
    [odooToolsName]: {
      image: first?.image ?? "odoo:18.0",
      ...idle,
      environment: { HOME: dataOf(found) },
      volumes: shared,
    },
  };
  const content = {
    services,
    volumes: {
      ...Object.fromEntries(volumes.map((mount) => [volumeName(mount), { name: mount.name, external: true }])),
      ...(own === undefined ? { [socket]: {} } : {}),
      "ipai-backups": {},
    },
    networks: Object.fromEntries(networks.map((name) => [networkName(name), { name, external: true }])),
    secrets: { backup_password: { file: "./secrets/backup_password" } },
  };
  const file = new Document(content, { aliasDuplicateObjects: false });
  file.commentBefore = [
    ` Containers in which ipai works on ${database.name}. They serve nobody. Written by \`ipai init\`.`,
    " Put this file into the folder of the project, draw a password for the backups, and start them:",
    ` `,
    `   cd ${project.directory}`,
    "   (umask 077; mkdir -p secrets; openssl rand -hex 24 > secrets/backup_password)",
    `   docker compose ${[...project.envFiles.map((name) => `--env-file ${name}`), ...[...project.files, toolsFile].map((name) => `-f ${name}`)].join(" ")} -p ${project.name} up -d --build ${[...(own === undefined ? [project.database.service] : []), toolsName, odooToolsName].join(" ")}`,
    ...(own === undefined ? restarts(project) : []),
  ].join("\n");
  return file.toString({ lineWidth: 0 });
}

/** Odoo's user as the tools must know it: by its name and numbers. Root is known everywhere. */
function owner({ user, uid, gid }: Discovered["odoo"]): Definition {
  if (uid === undefined || gid === undefined || uid === 0) return {};
  return { ODOO_UID: uid, ODOO_GID: gid, ...unless("odoo", "ODOO_USER", user) };
}

/** Odoo's schedulers do not come back by themselves when their server was away (measured, 18 and 19). */
function restarts({ odoo }: Discovered["project"]): readonly string[] {
  return [
    `   docker restart ${odoo.map(({ name }) => name).join(" ")}`,
    " ",
    " The database's container is made anew for it, once: its socket becomes a volume. Odoo's schedulers do not survive that.",
  ];
}

const networkName = (name: string) => `ipai-${name.replaceAll(/[^\w.-]/g, "-")}`;
const volumeName = ({ name }: Mount) => name.replaceAll(/[^\w.-]/g, "-");

function mountLine(mount: Mount): string {
  const source = mount.type === "volume" ? volumeName(mount) : mount.source;
  return `${source}:${mount.destination}${mount.isWritable ? "" : ":ro"}`;
}

/** Among the tools modules are put back when an upgrade is taken back; Odoo itself need not write there. */
function writable(line: string): string {
  return line.replace(/:ro$/, "");
}
