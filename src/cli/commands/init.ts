import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseConfig } from "../../config/load.ts";
import { isHostAddress } from "../../config/values.ts";
import { defineError, IpaiError } from "../../errors/error.ts";
import { CommandFailed } from "../../host/errors.ts";
import { createPerformer, type Performer, readOutput } from "../../host/perform.ts";
import type { Action, HttpAction, Output } from "../../runbook/action.ts";
import { parsePlace } from "../../runbook/place.ts";
import type { Json } from "../../runbook/value.ts";
import {
  type Container,
  findProjects,
  inspectContainers,
  type Project,
  parseContainers,
} from "../../stack/discovery/containers.ts";
import {
  defineStack,
  needsTools,
  renderStack,
  renderTools,
  stackName,
  toolsFile,
} from "../../stack/discovery/definition.ts";
import { type Discovered, judgeSetup, type SetupFinding } from "../../stack/discovery/findings.ts";
import {
  askClock,
  askCompose,
  askDatabases,
  askOdoo,
  askWorkTrees,
  boundFolders,
  certificates,
  type DatabaseAnswer,
  parseClock,
  parseDatabases,
  parseOdoo,
  parseWorkTree,
  publicAddresses,
} from "../../stack/discovery/questions.ts";
import type { Context } from "../context.ts";
import { Executors } from "../executors.ts";
import type { Terminal } from "../terminal.ts";

/** Looks at a compose project that runs, writes its `ipai.yaml`, and says what is wrong with it. It changes nothing there. */

export const FileExists = defineError<{ file: string }>("init.file_exists", {
  exitCode: 14,
  message: (d) => `${d.file} is there already. Nothing was written.`,
  hint: () => "--output FILE writes another one, --force replaces it.",
});

export const NoProject = defineError<{ host: string; seen: string }>("init.no_project", {
  exitCode: 17,
  message: (d) => `There is no compose project with an Odoo and its database on ${d.host} (seen: ${d.seen}).`,
  hint: () => "Start the project first. Containers that were started without Compose are not looked at.",
});

export const ProjectUnclear = defineError<{ known: string }>("init.project_unclear", {
  exitCode: 17,
  message: (d) => `There are several projects with an Odoo, or none of that name: ${d.known}.`,
  hint: () => "Say which one: --project NAME.",
});

export const ServiceDown = defineError<{ container: string }>("init.service_down", {
  exitCode: 17,
  message: (d) => `The container ${d.container} does not run, so it cannot be asked. Nothing was written.`,
  hint: (d) => `Start it (docker start ${d.container}); docker logs ${d.container} says why it stopped.`,
});

export const DatabaseUnclear = defineError<{ known: string }>("init.database_unclear", {
  exitCode: 17,
  message: (d) => `Several databases have an Odoo, or none has, or none of that name: ${d.known || "none"}.`,
  hint: () => "Say which one: --database NAME. One that is not installed yet cannot be asked.",
});

export const DatabaseRefused = defineError<{ output?: string }>("init.database_refused", {
  exitCode: 17,
  message: (d) =>
    `The database's superuser cannot log in through the socket without a password (${d.output?.trim().split("\n").at(-1) ?? ""}). Nothing was written.`,
  hint: () =>
    "Begin pg_hba.conf of the database with `local all all peer` and a map for the superuser, or with `local all postgres trust`; then select pg_reload_conf().",
});

interface Options {
  readonly project?: string;
  readonly database?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly check?: boolean;
  readonly json?: boolean;
}

export async function init(context: Context, address: string | undefined, options: Options): Promise<number> {
  const { terminal } = context;
  const file = resolve(context.directory, options.output ?? "ipai.yaml");
  const writes = options.check !== true;
  const keep = (path: string) => {
    if (writes && existsSync(path) && options.force !== true) throw FileExists({ file: path });
  };
  keep(file);
  const host = checkAddress(address ?? "local");
  await using executors = new Executors(context.environment);
  const ask = createAsker(
    createPerformer({ executors: (place) => executors.of(place), calls: { get: () => undefined } }),
  );
  const say = (text: string) => terminal.err(terminal.style("dim", text));
  const { found, program } = await discover(ask, host, options, say);
  const name = stackName(found);
  const text = renderStack(name, defineStack(found, program));
  // What would not be accepted later is a fault of this program, and better told now.
  parseConfig(text, file, context.environment);
  const tools = writes && needsTools(found) ? join(dirname(file), toolsFile) : undefined;
  if (tools !== undefined) keep(tools);
  if (writes) await writeFile(file, text);
  if (tools !== undefined) await writeFile(tools, renderTools(found, await readFile(dockerfile, "utf8")));
  const findings = judgeSetup(found);
  if (options.json === true)
    terminal.out(JSON.stringify({ file: writes ? file : null, tools: tools ?? null, stack: name, findings }, null, 2));
  else terminal.out(renderInit(terminal, { file: writes ? file : undefined, tools, name, found, findings }));
  return 0;
}

export const BadAddress = defineError<{ given: string }>("init.bad_address", {
  exitCode: 14,
  message: (d) => `${d.given} is no address of a machine.`,
  hint: () => "Write ssh://USER@HOST, with a :PORT if it is not 22, or nothing for this machine.",
});

/** By the rule of the configuration, before anything is contacted. */
function checkAddress(host: string): string {
  if (!isHostAddress(host)) throw BadAddress({ given: host });
  return host;
}

type Ask = (action: Action, as?: Output["as"]) => Promise<Json>;

const questionTimeoutMs = 60_000;

function createAsker(performer: Performer): Ask {
  const scope = {
    run: { id: "init", startedAt: "" },
    output: () => undefined,
    secret: (name: string) => {
      throw new TypeError(`no secret is known yet: ${name}`);
    },
  };
  return async (action, as) => {
    const options = { signal: new AbortController().signal, timeoutMs: questionTimeoutMs };
    const output: Output =
      action.kind === "http" ? { from: "body" } : { from: "stdout", ...(as === undefined ? {} : { as }) };
    return readOutput(await performer.perform(action, scope, options), output);
  };
}

async function discover(
  ask: Ask,
  host: string,
  options: Options,
  say: (text: string) => void,
): Promise<{ readonly found: Discovered; readonly program: readonly string[] }> {
  say(`Looking at the containers of ${host === "local" ? "this machine" : host} …`);
  const begunAt = Date.now() / 1000;
  const [containers, clockText, compose] = await Promise.all([
    ask(inspectContainers(host), "json"),
    ask(askClock(host)),
    ask(askCompose(host)),
  ]);
  const midway = (begunAt + Date.now() / 1000) / 2;
  const clock = parseClock(String(clockText));
  const project = chooseProject(host, parseContainers(containers), options.project);
  const [first] = project.odoo;
  for (const container of [project.database, ...project.odoo])
    if (!container.isRunning) throw ServiceDown({ container: container.name });
  if (first === undefined) throw new TypeError("a project has an Odoo");
  say(`Asking the database and Odoo of ${project.name} …`);
  const answers = (await ask(askDatabases(host, project.database), "jsonLines")) as readonly Json[];
  const { server, databases } = parseDatabases(answers);
  const database = chooseDatabase(databases, options.database);
  const odoo = parseOdoo(await ask(askOdoo(host, first, database.hash ?? ""), "json"));
  const bound = boundFolders(first, Object.keys(odoo.modules));
  const trees = (await ask(askWorkTrees(host, Object.values(bound)), "jsonLines")) as readonly Json[];
  const addresses = publicAddresses(project, database.baseUrl, hostNameOf(host));
  const found = {
    ...{ host, project, server, database, odoo, publicAddresses: addresses },
    workTree: parseWorkTree(trees, bound),
    clockDifference: host === "local" ? undefined : clock.seconds - midway,
    clockSynchronized: clock.synchronized,
    publicAddress: await findPublicAddress(ask, host, addresses, certificates(project)),
  };
  return { found, program: String(compose).trim() === "docker-compose" ? ["docker-compose"] : ["docker", "compose"] };
}

/** As users write it in a browser; through SSH the name of the machine. */
function hostNameOf(host: string): string {
  const name = URL.parse(parsePlace(host).host)?.hostname ?? "";
  return name === "" ? "localhost" : name.replaceAll(/[[\]]/g, "");
}

function chooseProject(host: string, containers: readonly Container[], wanted: string | undefined): Project {
  const projects = findProjects(containers);
  const seen = [...new Set(containers.map(({ project }) => project))].join(", ") || "no project at all";
  if (projects.length === 0) throw NoProject({ host: host === "local" ? "this machine" : host, seen });
  const chosen = projects.filter(({ name }) => wanted === undefined || name === wanted);
  const [only] = chosen;
  if (only === undefined || chosen.length > 1)
    throw ProjectUnclear({ known: projects.map(({ name }) => name).join(", ") });
  return only;
}

function chooseDatabase(databases: readonly DatabaseAnswer[], wanted: string | undefined): DatabaseAnswer {
  const chosen = databases.filter(({ name }) => wanted === undefined || name === wanted);
  const [only] = chosen;
  if (only === undefined || chosen.length > 1)
    throw DatabaseUnclear({ known: databases.map(({ name }) => name).join(", ") });
  return only;
}

/** The first address that shows the login form; a certificate that nobody knows may be vouched for by one of the files. */
async function findPublicAddress(
  ask: Ask,
  host: string,
  urls: readonly string[],
  files: readonly string[],
): Promise<Discovered["publicAddress"]> {
  for (const url of urls)
    for (const authority of url.startsWith("https:") ? [undefined, ...files] : [undefined]) {
      const trust = authority === undefined ? {} : { authority };
      const request: HttpAction = {
        kind: "http",
        host,
        method: "GET",
        url: `${url}/web/login`,
        timeoutSeconds: 15,
        ...trust,
      };
      const page = await ask(request).catch(unanswered);
      if (String(page).includes('name="login"')) return { url, authority };
    }
  return undefined;
}

/** An address that does not answer is passed over; that it could not be asked is told. */
function unanswered(thrown: unknown): string {
  if (thrown instanceof IpaiError && (thrown.code.startsWith("host.http") || thrown.code === CommandFailed.code))
    return "";
  throw thrown;
}

/** Of the shipped stack's image of the database; the tools of others are built from it too. */
const dockerfile = join(import.meta.dirname, "../../../sandbox/compose/images/database/Dockerfile");

interface Written {
  /** Undefined: nothing was to be written. */
  readonly file: string | undefined;
  readonly tools: string | undefined;
  readonly name: string;
  readonly found: Discovered;
  readonly findings: readonly SetupFinding[];
}

function renderInit(terminal: Terminal, { file, tools, name, found, findings }: Written): string {
  const { project, database, odoo, host, publicAddress } = found;
  const marks = { fail: terminal.style("red", "✗"), warn: terminal.style("yellow", "!") };
  const said = findings.flatMap(({ code, status, title, hint }) => [
    `${marks[status]} ${title}  ${terminal.style("dim", code)}`,
    `  ${hint}`,
  ]);
  const next =
    tools === undefined ? "Next: ipai health · ipai backup" : `Next: follow the head of ${tools}, then ipai health`;
  const written = file === undefined ? [] : ["", `Wrote ${file}${tools === undefined ? "" : ` and ${tools}`}.`, next];
  return [
    `${terminal.style("bold", name)}: Odoo ${odoo.version ?? "?"} (${project.odoo.map(({ service }) => service).join(", ")}), database ${database.name}, project ${project.name} in ${project.directory}${host === "local" ? "" : ` on ${host}`}`,
    `Users come in at ${publicAddress?.url ?? "an address that was not found"}.`,
    "",
    ...(said.length === 0 ? ["Nothing was found wrong."] : said),
    ...written,
  ].join("\n");
}
