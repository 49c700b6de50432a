import { findNearest } from "../../config/nearest.ts";
import type { Container, Mount, Project } from "./containers.ts";
import type { DatabaseAnswer, OdooAnswer, ServerAnswer, WorkTree } from "./questions.ts";
import { setup } from "./setup.ts";

/** What is known of a compose project after everything was asked. */
export interface Discovered {
  readonly host: string;
  readonly project: Project;
  readonly server: ServerAnswer;
  readonly database: DatabaseAnswer;
  readonly odoo: OdooAnswer;
  /** Where the modules come from, if they lie in a git work tree on the machine. */
  readonly workTree: WorkTree | undefined;
  /** How far the machine's clock is from this one's, seconds; undefined when it is the same machine. */
  readonly clockDifference: number | undefined;
  readonly clockSynchronized: boolean | undefined;
  /** The address at which the login form was seen, with the certificate that it took. */
  readonly publicAddress: { readonly url: string; readonly authority: string | undefined } | undefined;
  /** Those that were tried, best first. */
  readonly publicAddresses: readonly string[];
}

/** Something that was found wrong while looking around. `fail`: somebody can do harm today, or work is lost one day. */
export interface SetupFinding {
  /** Permanent: `IPAI-SETUP-001`. */
  readonly code: string;
  readonly status: "warn" | "fail";
  readonly title: string;
  readonly hint: string;
}

type Judge = (found: Discovered) => readonly SetupFinding[];

/** All that is wrong, the worst first. */
export function judgeSetup(found: Discovered): readonly SetupFinding[] {
  const all = judges.flatMap((judge) => judge(found));
  return all.toSorted((a, b) => Number(b.status === "fail") - Number(a.status === "fail"));
}

const judges: readonly Judge[] = [
  databasePort,
  odooPort,
  masterPassword,
  databaseList,
  adminPassword,
  unnamedVolumes,
  unpinnedImages,
  missingHealthChecks,
  clock,
  unknownOptions,
  logFile,
  restartPolicies,
  proxyMode,
  separateFilestores,
  databaseRole,
  passwordsInEnvironment,
  shortStops,
  modulesInNoVolume,
  startsByItself,
  silentAddress,
  noTools,
];

function finding(what: keyof typeof setup, status: SetupFinding["status"], title: string, hint: string): SetupFinding {
  return { code: setup[what].code, status, title, hint };
}

/** Docker's published ports pass by the firewall of most machines (ufw): what is published on every address is on the internet. */
const isOpen = ({ address }: Container["published"][number]) => !/^(127\.|::1$)/.test(address);
const openPorts = ({ published }: Container) =>
  published.filter(isOpen).map(({ address, hostPort }) => `${address === "" ? "0.0.0.0" : address}:${hostPort}`);
const list = (names: readonly string[]) => [...new Set(names)].join(", ");
const isTrue = (value: string | undefined, otherwise: boolean) =>
  value === undefined ? otherwise : /^(true|1|yes|on)$/i.test(value.trim());

function databasePort({ project: { database } }: Discovered): readonly SetupFinding[] {
  const ports = openPorts(database);
  if (ports.length === 0) return [];
  const title = `The database's port is published on ${list(ports)}`;
  const hint = `Remove \`ports\` from the service ${database.service}: containers of the project reach it without. For a tool on the machine itself, publish it on 127.0.0.1.`;
  return [finding("databasePort", "fail", title, hint)];
}

function odooPort({ project: { odoo, proxy } }: Discovered): readonly SetupFinding[] {
  const ports = odoo.flatMap(openPorts);
  if (ports.length === 0) return [];
  const title = `Odoo's port is published on ${list(ports)}, past ${proxy === undefined ? "any encryption" : "the proxy"}`;
  const hint =
    proxy === undefined
      ? "Put a proxy with TLS in front of it: passwords cross the network in plain text."
      : `Remove \`ports\` from ${list(odoo.map(({ service }) => service))}: the proxy reaches them without.`;
  return [finding("odooPort", proxy === undefined ? "fail" : "warn", title, hint)];
}

/** With `list_db` off there is nothing that the master password opens. */
function masterPassword({ odoo: { passwords, values } }: Discovered): readonly SetupFinding[] {
  if (!passwords.master || !isTrue(values["list_db"], true)) return [];
  const hint =
    "Whoever reaches /web/database/manager can download and drop every database. Set list_db = False, and admin_passwd to something long.";
  return [finding("masterPassword", "fail", "The master password is Odoo's default, admin", hint)];
}

function databaseList({ odoo: { values } }: Discovered): readonly SetupFinding[] {
  if (!isTrue(values["list_db"], true)) return [];
  const hint = "Set list_db = False in odoo.conf, and dbfilter to the one database.";
  return [finding("databaseList", "warn", "Odoo shows its databases, and their manager, to everybody (list_db)", hint)];
}

function adminPassword({ odoo: { passwords }, database: { admin } }: Discovered): readonly SetupFinding[] {
  if (passwords.admin !== true) return [];
  const hint = "Change it in Odoo: Preferences, Account Security, Change password.";
  return [finding("adminPassword", "fail", `The password of the administrator (${admin ?? "user 2"}) is admin`, hint)];
}

/** Where the database's server and Odoo keep what must not be lost. */
function unnamedVolumes(found: Discovered): readonly SetupFinding[] {
  const { project, server } = found;
  const kept: readonly (readonly [Container, string])[] = [
    [project.database, server.data],
    ...project.odoo.map((container) => [container, dataOf(found)] as const),
  ];
  return kept.flatMap(([container, folder]) => {
    const mount = mountOf(container, folder);
    const name = container.service;
    const hint = `Mount a named volume at ${folder} in the service ${name}, and copy what is there into it first.`;
    if (mount === undefined)
      return [
        finding("volumes", "fail", `${folder} of ${name} is in no volume: removing the container loses it`, hint),
      ];
    const title = `${folder} of ${name} is in a volume without a name: \`docker compose down\` and \`docker volume prune\` lose it`;
    return isAnonymous(mount) ? [finding("volumes", "fail", title, hint)] : [];
  });
}

/** Docker made its name up. */
export function isAnonymous({ type, name }: Mount): boolean {
  return type === "volume" && /^[0-9a-f]{64}$/.test(name);
}

/** The mount that holds a folder: the deepest above it. */
export function mountOf({ mounts }: Container, folder: string) {
  const above = mounts.filter(({ destination }) => folder === destination || folder.startsWith(`${destination}/`));
  return above.toSorted((a, b) => b.destination.length - a.destination.length)[0];
}

/** Odoo's own, in its image. */
export const dataDirectory = "/var/lib/odoo";

/** Where this one keeps its files. */
export const dataOf = ({ odoo }: Discovered) => odoo.values["data_dir"] ?? dataDirectory;

function unpinnedImages({ project }: Discovered): readonly SetupFinding[] {
  const loose = project.all.filter(({ image }) => {
    const name = image.split("/").at(-1) ?? "";
    return !image.includes("@sha256:") && !/^sha256:/.test(image) && (!name.includes(":") || name.endsWith(":latest"));
  });
  if (loose.length === 0) return [];
  const title = `Images without a version: ${list(loose.map(({ service, image }) => `${service} (${image})`))}`;
  const hint =
    "Name a version, better a digest (NAME@sha256:…): else the next pull brings another program, without a word.";
  return [finding("images", "warn", title, hint)];
}

function missingHealthChecks({ project }: Discovered): readonly SetupFinding[] {
  const needed = [...project.odoo, project.database, project.cache].filter((container) => container !== undefined);
  const without = needed.filter(({ hasHealthCheck }) => !hasHealthCheck);
  if (without.length === 0) return [];
  const title = `No health check: ${list(without.map(({ service }) => service))}`;
  const hint =
    "Give each a `healthcheck`: else Docker calls a service that answers nobody running, and nothing can wait for it. " +
    "The database's asks with `pg_isready --host=127.0.0.1`: at the socket a server answers before the one that stays.";
  return [finding("healthChecks", "warn", title, hint)];
}

/** More than this, seconds, and times in logs of two machines cannot be compared any more; one-time passwords fail at 30. */
const clockDifferenceMax = 2;

function clock({ clockDifference, clockSynchronized }: Discovered): readonly SetupFinding[] {
  const difference = Math.abs(clockDifference ?? 0);
  const isOff = difference > clockDifferenceMax;
  if (!isOff && clockSynchronized !== false) return [];
  const title = isOff
    ? `The clock of the machine differs from this one's by ${difference.toFixed(1)} s`
    : "Nothing keeps the clock of the machine right";
  return [
    finding("clock", "warn", title, "Install chrony there (apt-get install chrony), or turn on systemd-timesyncd."),
  ];
}

function unknownOptions({ odoo: { names, known, file } }: Discovered): readonly SetupFinding[] {
  if (known === null) return [];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return [];
  const words = unknown.map((name) => {
    const nearest = findNearest(name, known);
    return nearest === undefined ? name : `${name} (${nearest}?)`;
  });
  const title = `Options in ${file ?? "odoo.conf"} that this Odoo does not know: ${list(words)}`;
  const hint = "Odoo passes over them. Remove them, unless a module of yours reads them.";
  return [finding("options", "warn", title, hint)];
}

function logFile({ odoo: { values } }: Discovered): readonly SetupFinding[] {
  const file = values["logfile"];
  if (file === undefined || /^(|false|none)$/i.test(file.trim())) return [];
  const hint = "Remove logfile: Docker keeps, and bounds, what is printed.";
  return [finding("log", "warn", `Odoo logs to ${file} inside its container, so \`docker logs\` shows nothing`, hint)];
}

function restartPolicies({ project }: Discovered): readonly SetupFinding[] {
  const needed = [...project.odoo, project.database, project.cache, project.proxy].filter((one) => one !== undefined);
  const without = needed.filter(({ restart }) => restart === "" || restart === "no");
  if (without.length === 0) return [];
  const title = `Not started again when the machine starts: ${list(without.map(({ service }) => service))}`;
  return [finding("restart", "warn", title, "Give each `restart: unless-stopped`.")];
}

function proxyMode({ project: { proxy }, odoo: { values } }: Discovered): readonly SetupFinding[] {
  if (proxy === undefined || isTrue(values["proxy_mode"], false)) return [];
  const hint =
    "Set proxy_mode = True, and have the proxy send X-Forwarded-Host, X-Forwarded-For and X-Forwarded-Proto.";
  return [
    finding("proxyMode", "warn", "Odoo does not know of its proxy: everybody seems to come from one address", hint),
  ];
}

function separateFilestores(found: Discovered): readonly SetupFinding[] {
  const folder = dataOf(found);
  const sources = new Set(found.project.odoo.map((container) => mountOf(container, folder)?.source));
  if (sources.size <= 1) return [];
  const title = `The Odoo services keep their files apart (${folder} is not the same volume)`;
  const hint =
    "Give all of them one volume there: an attachment that one stored is missing for the others, and so are sessions.";
  return [finding("filestores", "fail", title, hint)];
}

function databaseRole({ database: { owner } }: Discovered): readonly SetupFinding[] {
  if (!owner.isSuperuser && !owner.createsDatabases) return [];
  const right = owner.isSuperuser ? "is a superuser" : "may create databases";
  const hint = `Give the database to a role of its own without such rights; Odoo needs neither for one database.`;
  return [finding("role", "warn", `Odoo's database role (${owner.name}) ${right}`, hint)];
}

function passwordsInEnvironment({ project }: Discovered): readonly SetupFinding[] {
  const open = [...project.odoo, project.database].filter(({ environment }) =>
    ["PASSWORD", "POSTGRES_PASSWORD", "PGPASSWORD"].some((name) => (environment[name] ?? "") !== ""),
  );
  if (open.length === 0) return [];
  const title = `A password stands in the environment of ${list(open.map(({ service }) => service))}`;
  const hint = "Whoever may run `docker inspect` reads it. Use `secrets` and POSTGRES_PASSWORD_FILE.";
  return [finding("environment", "warn", title, hint)];
}

function shortStops({ project, odoo: { values } }: Discovered): readonly SetupFinding[] {
  // What a request may take; Odoo's default is 120 s.
  const longest = Number(values["limit_time_real"] ?? 120);
  const short = project.odoo.filter(({ stopSeconds }) => stopSeconds < Math.min(longest, 60));
  if (short.length === 0) return [];
  const title = `Stopped by force after ${short[0]?.stopSeconds} s: ${list(short.map(({ service }) => service))}`;
  const hint = `Set \`stop_grace_period: ${longest + 30}s\`: a request in flight may take ${longest} s (limit_time_real).`;
  return [finding("stops", "warn", title, hint)];
}

function modulesInNoVolume({ project, odoo }: Discovered): readonly SetupFinding[] {
  const [first] = project.odoo;
  const folders = Object.keys(odoo.modules).filter((folder) => {
    const mount = first === undefined ? undefined : mountOf(first, folder);
    return mount === undefined || isAnonymous(mount);
  });
  if (folders.length === 0) return [];
  const title = `Modules lie in Odoo's image or in a volume without a name: ${list(folders)}`;
  const hint =
    "Mount them from a folder of the machine: else they cannot be compared, updated or put back beside a running Odoo.";
  return [finding("modules", "warn", title, hint)];
}

/** An upgrade keeps Odoo stopped; an engine that restarts meanwhile must not start it. */
function startsByItself({ project }: Discovered): readonly SetupFinding[] {
  const always = project.odoo.filter(({ restart }) => restart === "always");
  if (always.length === 0) return [];
  const title = `Started by Docker even when it was stopped on purpose: ${list(always.map(({ service }) => service))}`;
  return [finding("always", "warn", title, "Use `restart: unless-stopped` instead of always.")];
}

function silentAddress({ publicAddress, publicAddresses }: Discovered): readonly SetupFinding[] {
  if (publicAddress !== undefined) return [];
  const [first] = publicAddresses;
  const title =
    first === undefined
      ? "No address at which users come in was found"
      : `No login form was seen at ${list(publicAddresses)}`;
  const hint =
    "Put the address that users open into urls.public; urls.authority takes the certificate of a private authority.";
  return [finding("address", "warn", title, hint)];
}

function noTools({ project: { tools, odooTools } }: Discovered): readonly SetupFinding[] {
  if (tools !== undefined && odooTools !== undefined) return [];
  const hint =
    "Add the two services of compose.ipai.yaml, as it says: they serve nobody. Until then nothing can be backed up or upgraded.";
  return [finding("tools", "warn", "There are no containers to work in", hint)];
}
