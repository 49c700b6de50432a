import { hostname } from "node:os";
import pg from "pg";
import { Secret } from "../config/secret.ts";
import { defineError } from "../errors/error.ts";
import type { Executor } from "../host/executor.ts";
import { embeddedAddress, startEmbedded } from "./embedded.ts";

/** The server that keeps the control database, as this program and PostgreSQL's own reach it. */
export interface ControlServer {
  /** For people: never with a password. */
  readonly where: string;
  /** Name of the control database on it. */
  readonly database: string;
  /** How to connect to it, or to another database of the same server. */
  clientConfig(database?: string): pg.ClientConfig;
  /** The same for programs that use libpq. */
  programEnvironment(database: string): Readonly<Record<string, string | Secret>>;
}

export const ControlUnreachable = defineError<{ where: string; reason: string }>("control.unreachable", {
  exitCode: 62,
  retryable: true,
  message: (d) => `The control database (${d.where}) does not answer: ${d.reason}. Nothing was changed.`,
  hint: () => "Does IPAI_DATABASE_URL (or control.database) name a running PostgreSQL, and is the password right?",
});

export interface ControlOptions {
  /** The tool's own directory on this machine; the embedded server lives below it. */
  readonly home: string;
  /** A PostgreSQL URL, or undefined for the embedded server. */
  readonly url?: string | undefined;
  readonly executor: Executor;
}

/** Finds the server, and starts it when it is the embedded one and does not run. */
export async function openServer(options: ControlOptions): Promise<ControlServer> {
  if (options.url !== undefined) {
    const server = serverAt(options.url);
    await tryConnection(server.clientConfig()).catch((error: Error) => {
      throw ControlUnreachable({ where: server.where, reason: error.message }, { cause: error });
    });
    return server;
  }
  const server = embeddedServer(options.home);
  const answers = await tryConnection(server.clientConfig()).then(
    () => true,
    () => false,
  );
  if (!answers) await startEmbedded(options.home, options.executor);
  return server;
}

/** Why nobody listens at the embedded server's socket; undefined when somebody does, ready or not. */
export async function findSilence(home: string): Promise<string | undefined> {
  return tryConnection(embeddedServer(home).clientConfig()).then(
    () => undefined,
    (error: NodeJS.ErrnoException) =>
      ["ECONNREFUSED", "ENOENT"].includes(error.code ?? "") ? error.message : undefined,
  );
}

/** What the connections of a process are called on the server: so they are found when the process does not answer any more. */
export function connectionName(pid: number, host: string): string {
  // PostgreSQL keeps 63 characters, and ASCII only.
  return `ipai ${pid} on ${host.replaceAll(/[^ -~]/g, "?")}`.slice(0, 63);
}

const ownName = () => connectionName(process.pid, hostname());

function embeddedServer(home: string): ControlServer {
  const { socket, database: usual, user } = embeddedAddress(home);
  return {
    where: socket,
    database: usual,
    clientConfig: (database = usual) => ({ host: socket, database, user, application_name: ownName() }),
    programEnvironment: (database) => ({ PGHOST: socket, PGUSER: user, PGDATABASE: database, PGAPPNAME: ownName() }),
  };
}

/** What a URL may say beyond host, user and database, and libpq's variable for it. */
const variables: Readonly<Record<string, string>> = {
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  options: "PGOPTIONS",
};

/** A socket's folder may be named in the place of a host: then the usual notation has none. */
function parse(given: string): URL {
  return URL.parse(given) ?? new URL(given.replace("@/", "@localhost/"));
}

/** Host and port, or the folder of the socket. */
export function whereOf(given: string): string {
  const { host, searchParams } = parse(given);
  return searchParams.get("host") ?? host;
}

function serverAt(given: string): ControlServer {
  const clientConfig = (database?: string): pg.ClientConfig => {
    const url = parse(given);
    url.searchParams.delete("application_name");
    if (database !== undefined) url.pathname = `/${encodeURIComponent(database)}`;
    return { connectionString: url.href, connectionTimeoutMillis: 5_000, application_name: ownName() };
  };
  // Not connected: it only tells what the URL, and the variables beside it, come to.
  const { host, port, user, password, database = "" } = new pg.Client(clientConfig());
  const more = [...parse(given).searchParams].flatMap(([name, value]) => {
    const variable = variables[name];
    // node-postgres' own word for a certificate that nobody looks at.
    return variable === undefined ? [] : [[variable, value === "no-verify" ? "require" : value] as const];
  });
  return {
    where: whereOf(given),
    database,
    clientConfig,
    programEnvironment: (name) => ({
      ...Object.fromEntries(more),
      ...{ PGHOST: host, PGPORT: String(port), PGDATABASE: name, PGAPPNAME: ownName() },
      ...(user === undefined ? {} : { PGUSER: user }),
      ...(typeof password === "string" ? { PGPASSWORD: new Secret(password) } : {}),
    }),
  };
}

async function tryConnection(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(config);
  client.on("error", () => undefined);
  await client.connect();
  await client.end();
}
