import type { StackConfig } from "../../config/schema.ts";
import { type Command, type CommandAction, command, type HttpAction, type Probe } from "../../runbook/action.ts";
import { prefixed, suffixed, type Text, type Value } from "../../runbook/value.ts";
import type { Argv, Runtime } from "../runtime/runtime.ts";
import { inventoryScript } from "./inventory.ts";

/** Odoo 18 and 19 on a host: how it is asked, updated and judged. Facts measured on both; see docs/tested.md. */
export interface Odoo {
  /** Where its own commands run. */
  readonly place: string;
  /** The address that users open, asked from the stack's machine. */
  readonly publicAddress: Address;
  /** The address of one of its services, asked from where they reach each other. */
  addressOf(service: { readonly url: string }): Address;
  readonly filestore: string;
  /** The folder of one database's attachments. */
  filestoreOf(database: Text): Text;
  /** Any program as Odoo's user, with Odoo's environment. */
  as(argv: Argv): Argv;
  /**
   * Python in Odoo's own shell, which rolls back what the code does not commit. Values are variables of its environment. `copy`: in another
   * database, with the options that lead there.
   */
  shell(code: string, values: Readonly<Record<string, Value>>, copy?: Copy): CommandAction;
  version(): CommandAction;
  /** Every addon below the managed folders: manifest and content hash, as JSON. */
  inventory(addons: readonly string[]): CommandAction;
  /** `module hash`, a line each, of the modules in these folders only, sorted. */
  hashes(addons: readonly string[], folders: readonly string[]): CommandAction;
  /** The same of the modules of these names; when two folders hold one, of the first, as Odoo takes it. */
  hashesOf(addons: readonly string[], names: readonly string[]): CommandAction;
  /**
   * Updates and installs modules in a process of its own, all that it says going to `log` as well. Ends when that is done. `copy`: in
   * another database, with the options that lead there.
   */
  bring(
    modules: { readonly update?: readonly string[]; readonly install?: readonly string[] },
    log: Text,
    copy?: Copy,
  ): CommandAction;
  /** Takes outgoing mail, crons and payment providers out of a copy, with Odoo's own command. */
  neutralize(connection: readonly Text[], database: Text): CommandAction;
  loginPage(address: Address, timeoutSeconds: number): HttpAction;
  /** Ready means that the login form itself is served: health answers 200 while every page fails. */
  isReady(service: string, address: Address): Probe;
  /** The same of several of its services, asked at the same time: the first page of a process takes it a second. */
  areReady(services: readonly { readonly name: string; readonly url: string }[]): Probe;
}

/** A database beside the serving one, and the options of Odoo's command line that lead there. */
export interface Copy {
  readonly database: Text;
  readonly options: readonly Text[];
}

/** Where Odoo is reached, and from where. */
export interface Address {
  readonly from: string;
  readonly url: Text;
  /** File with a certificate that vouches for it, if it is not one that every machine knows. */
  readonly authority?: string | undefined;
}

export function createOdoo(stack: StackConfig, runtime: Runtime): Odoo {
  const { odoo } = stack;
  const place = runtime.odoo;
  const filestore = `${odoo.dataDirectory}/filestore`;
  const environment = Object.entries(odoo.environment).map(([name, value]) => `${name}=${value}`);
  const as = (argv: Argv) => runtime.as(odoo.user, ["/usr/bin/env", ...environment, ...argv]);
  const program = (...args: Text[]) => as([...odoo.command, ...args] as unknown as Argv);
  return {
    place,
    addressOf: ({ url }) => ({ from: place, url }),
    publicAddress: { from: stack.host, url: stack.urls.public, authority: stack.urls.authority },
    filestore,
    filestoreOf: (database) => prefixed(`${filestore}/`, database),
    as,
    shell: (code, env, copy = { database: odoo.database, options: [] }) =>
      command(place, program("shell", ...shellOptions(odoo.config, copy)), { stdin: code, env }),
    // Asked before the stack's own user exists; and whoever asks must not leave compiled files behind.
    version: () => command(place, runtime.as("nobody", ["/usr/bin/env", ...environment, ...odoo.command, "--version"])),
    inventory: (addons) => command(runtime.tools, inventory(addons), { stdin: inventoryScript }),
    hashes: (addons, folders) => sortedHashes(runtime.tools, addons, hashesFilter, folders),
    hashesOf: (addons, names) => sortedHashes(runtime.tools, addons, hashesOfFilter, names),
    bring: ({ update = [], install = [] }, log, copy = { database: odoo.database, options: [] }) =>
      loggedTo(log, place, oneOff(program, odoo.config, copy, { update, install })),
    neutralize: (connection, database) =>
      command(place, program("neutralize", "-c", odoo.config, ...connection, "-d", database, "--logfile="), {
        exitCodes: { 1: "odoo.neutralize_failed" },
      }),
    loginPage,
    isReady: (service, address) => readyProbe(service, loginPage(address, 20)),
    areReady: (services) => ({
      title: `${services.map(({ name }) => name).join(", ")} ${services.length === 1 ? "shows" : "show"} the login form`,
      action: command(place, ["sh", "-c", formsScript, "forms", ...services.map(({ url }) => url)]),
      output: { from: "stdout" },
      compare: "absent",
      with: "",
    }),
  };
}

/** `--no-http`: beside a running server it fails on its port otherwise. What it logs is kept apart from what the code prints. */
function shellOptions(config: string, { database, options }: Copy): readonly Text[] {
  return ["-c", config, ...options, "-d", database, "--no-http", "--logfile="];
}

function inventory(addons: readonly string[]): readonly [string, ...string[]] {
  return ["/usr/bin/python3", "-", ...addons];
}

function sortedHashes(
  host: string,
  addons: readonly string[],
  filter: string,
  wanted: readonly string[],
): CommandAction {
  return {
    kind: "command",
    host,
    pipeline: [
      { argv: inventory(addons), stdin: inventoryScript },
      { argv: ["jq", "-rn", "--argjson", "wanted", JSON.stringify(wanted), filter] },
      { argv: ["sort"], env: { LC_ALL: "C" } },
    ],
  };
}

const hashesFilter = 'inputs | select(.folder | IN($wanted[])) | "\\(.name) \\(.hash)"';
const hashesOfFilter =
  'reduce (inputs | select(.name | IN($wanted[]))) as $one ({}; .[$one.name] //= $one.hash) | to_entries[] | "\\(.key) \\(.value)"';

/**
 * `--no-http`: an update beside a running server fails on its port otherwise. The database is named on the command line, so that
 * a configuration without `db_name` cannot turn the update into a silent no-op. The log is judged afterwards, so where it goes and
 * what it says is not left to the configuration; without the talk about shutting down it ends with the cause of a failure.
 */
function oneOff(
  program: (...args: Text[]) => readonly [Text, ...Text[]],
  config: string,
  { database, options }: Copy,
  { update, install }: { readonly update: readonly string[]; readonly install: readonly string[] },
): Command {
  return {
    argv: program(
      "-c",
      config,
      ...options,
      "-d",
      database,
      ...(update.length === 0 ? [] : ["-u", update.join(",")]),
      ...(install.length === 0 ? [] : ["-i", install.join(",")]),
      "--stop-after-init",
      "--no-http",
      "--workers=0",
      "--max-cron-threads=0",
      "--logfile=",
      "--log-level=info",
      "--log-handler=odoo.service.server:WARNING",
      "--log-handler=odoo.sql_db:WARNING",
    ),
    mergeStderr: true,
  };
}

function loggedTo(log: Text, host: string, odoo: Command): CommandAction {
  const pipeline = [odoo, { argv: ["tee", log], mergeStderr: true }, { argv: ["awk", noticeFull] }] as const;
  return { kind: "command", host, pipeline, exitCodes: updateExitCodes };
}

/** A full disk, of the database or of the log, has no exit code of its own. */
const noticeFull =
  "{ print; fflush() } tolower($0) ~ /no space left on device|disk quota exceeded/ { full = 28 } END { exit full }";

/** What Odoo's exit codes mean for an update (measured). 0 alone proves nothing. */
const updateExitCodes = {
  1: "odoo.update_crashed",
  2: "odoo.bad_options",
  28: "host.disk_full",
  137: "odoo.update_killed",
  143: "odoo.update_killed",
  255: "odoo.update_failed",
};

export function loginPage({ from, url, authority }: Address, timeoutSeconds: number): HttpAction {
  const trust = authority === undefined ? {} : { authority };
  return { kind: "http", host: from, method: "GET", url: suffixed(url, "/web/login"), timeoutSeconds, ...trust };
}

/** A redirect or an error page has no such form, whatever its status. */
function readyProbe(service: string, action: HttpAction): Probe {
  return {
    title: `${service} shows the login form`,
    action,
    output: { from: "body" },
    compare: "has",
    with: 'name="login"',
  };
}

/** Prints those that show none. */
const formsScript = `
form() {
  curl --disable --silent --max-time 20 "$1/web/login" | grep -q 'name="login"' || echo "$1 shows no login form"
}
for url in "$@"; do form "$url" & done
wait
`;
