import { existsSync } from "node:fs";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./sandbox.ts";

/** A real n8n: installed from npm once for a machine, and spoken to as a person does who sets it up. */

/** Of the line that the shipped compose project names. */
const version = "1.123.81";
/** The system's own: n8n does without what it would have to build for another one. */
const node = "/usr/bin/node";
const cache = process.env["IPAI_CACHE"] || "/var/cache/ipai";
const installed = join(cache, `n8n-${version}`);

/** Minutes, and 1.7 GB, the first time. Answers why there can be none; empty when there is one. */
export async function installN8n(): Promise<string> {
  if (existsSync(installed)) return "";
  if (!existsSync(node)) return "a Node of the system";
  const desk = `${installed}.partial`;
  await rm(desk, { recursive: true, force: true });
  await mkdir(desk, { recursive: true, mode: 0o755 });
  const wanted = { private: true, dependencies: { n8n: version }, overrides: { xlsx: "0.18.5" } };
  await writeFile(join(desk, "package.json"), JSON.stringify(wanted));
  const ended = await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], {
    ...{ directory: desk, timeoutMs: 1_200_000, env: { PATH: "/usr/local/bin:/usr/bin:/bin" } },
  });
  if (ended.exitCode === 0) await rename(desk, installed);
  else await rm(desk, { recursive: true, force: true });
  return ended.exitCode === 0 ? "" : `n8n ${version} from npm: ${ended.stderr.trim().split("\n").at(-1) ?? ""}`;
}

interface Wanted {
  /** Its own folder; the key of its credentials is in `.n8n/config` below. */
  readonly home: string;
  /** Folder of the database server's socket. */
  readonly socket: string;
  readonly databasePort: number;
  readonly port: number;
  readonly user: string;
  /** More of its environment, which expressions in workflows may read. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** As a service of `runtime.native.services`: the user is who owns its database `n8n`, too. */
export function n8nService({ home, socket, databasePort, port, user, environment = {} }: Wanted) {
  return {
    command: [node, join(installed, "node_modules/n8n/bin/n8n"), "start"],
    user,
    environment: {
      ...{ HOME: home, N8N_USER_FOLDER: home, DB_TYPE: "postgresdb", DB_POSTGRESDB_HOST: socket },
      ...{ DB_POSTGRESDB_PORT: String(databasePort), DB_POSTGRESDB_DATABASE: "n8n", DB_POSTGRESDB_USER: user },
      ...{ N8N_PORT: String(port), N8N_LISTEN_ADDRESS: "127.0.0.1", N8N_SECURE_COOKIE: "false" },
      // Without native parts there is no other engine for expressions.
      N8N_EXPRESSION_ENGINE: "legacy",
      ...{ N8N_RUNNERS_ENABLED: "false", N8N_DIAGNOSTICS_ENABLED: "false", N8N_TEMPLATES_ENABLED: "false" },
      ...{ N8N_VERSION_NOTIFICATIONS_ENABLED: "false", N8N_PERSONALIZATION_ENABLED: "false" },
      ...environment,
    },
    pidFile: join(home, "n8n.pid"),
    log: join(home, "n8n.log"),
  };
}

export async function makeHome(home: string, user: string): Promise<void> {
  await mkdir(home, { recursive: true });
  await chmod(home, 0o755);
  await run("chown", [user, home]);
}

/** The owner's session makes a key of the public API; with that the rest is done. */
export async function createKey(url: string): Promise<string> {
  const owner = { email: "owner@example.com", firstName: "O", lastName: "W", password: "Practice-123" };
  const set = await post(`${url}/rest/owner/setup`, owner);
  const cookie = set.headers.getSetCookie().map((one) => one.split(";", 1)[0] ?? "");
  const scopes = ["create", "list", "read", "update", "delete", "activate", "deactivate"].map(
    (verb) => `workflow:${verb}`,
  );
  const others = ["credential:create", "credential:delete", "execution:list", "execution:read"];
  const wanted = { label: "tests", expiresAt: null, scopes: [...scopes, ...others] };
  const made = await post(`${url}/rest/api-keys`, wanted, { Cookie: cookie.join("; ") });
  return ((await made.json()) as { data: { rawApiKey: string } }).data.rawApiKey;
}

interface EditedNode {
  readonly name: string;
  readonly position: readonly number[];
  readonly notes?: string;
}

interface Edited {
  readonly id: string;
  readonly name: string;
  readonly nodes: readonly EditedNode[];
  readonly connections: object;
  readonly settings: { readonly executionOrder: string; readonly timezone: string };
}

export class N8n {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  async create(kind: "workflows" | "credentials", what: object): Promise<string> {
    const made = await post(`${this.#url}/api/v1/${kind}`, what, { "X-N8N-API-KEY": this.#key });
    return ((await made.json()) as { id: string }).id;
  }

  async activate(workflow: string): Promise<void> {
    await post(`${this.#url}/api/v1/workflows/${workflow}/activate`, {}, { "X-N8N-API-KEY": this.#key });
  }

  async #find(name: string): Promise<Edited> {
    const answer = await fetch(`${this.#url}/api/v1/workflows?limit=250`, { headers: { "X-N8N-API-KEY": this.#key } });
    const { data } = (await answer.json()) as { data: Edited[] };
    const found = data.find((one) => one.name === name);
    if (found === undefined) throw new Error(`n8n has no workflow ${name}`);
    return found;
  }

  /** Where a workflow's schedule stands on the canvas, and what is noted at it. */
  async schedule(name: string): Promise<Omit<EditedNode, "name">> {
    const { position, notes } = (await this.#find(name)).nodes.find((node) => node.name === "Schedule") ?? {};
    return { position: position ?? [], notes: notes ?? "" };
  }

  /** Somebody edits a workflow: another time of its schedule, which is moved and gets a note. */
  async reschedule(name: string, expression: string, laidOut: Omit<EditedNode, "name">): Promise<void> {
    const headers = { "X-N8N-API-KEY": this.#key, "Content-Type": "application/json" };
    const { id, nodes, connections, settings } = await this.#find(name);
    const rule = { interval: [{ field: "cronExpression", expression }] };
    const edited = nodes.map((node) =>
      node.name === "Schedule" ? { ...node, ...laidOut, parameters: { rule } } : node,
    );
    const { executionOrder, timezone } = settings;
    const body = JSON.stringify({ name, nodes: edited, connections, settings: { executionOrder, timezone } });
    const put = await fetch(`${this.#url}/api/v1/workflows/${id}`, { method: "PUT", headers, body });
    if (!put.ok) throw new Error(`n8n answers ${put.status}: ${await put.text()}`);
  }

  /** Names of the first workflows, as far as one page goes. */
  async names(): Promise<readonly string[]> {
    const answer = await fetch(`${this.#url}/api/v1/workflows?limit=250`, { headers: { "X-N8N-API-KEY": this.#key } });
    if (!answer.ok) throw new Error(`n8n answers ${answer.status}`);
    return ((await answer.json()) as { data: { name: string }[] }).data.map(({ name }) => name).sort();
  }
}

/** Is called, calls another address with a password that n8n keeps, and answers what that says. */
export function callingWorkflow(target: string, credential: string) {
  return {
    name: "Call with a password",
    settings: {},
    nodes: [
      {
        ...{ id: "a1", name: "Webhook", type: "n8n-nodes-base.webhook", typeVersion: 2, position: [0, 0] },
        webhookId: "6f1d2a5e-0000-4000-8000-000000000001",
        parameters: { path: "call", httpMethod: "GET", responseMode: "lastNode" },
      },
      {
        ...{ id: "a2", name: "Call", type: "n8n-nodes-base.httpRequest", typeVersion: 4.2, position: [200, 0] },
        parameters: { url: target, authentication: "genericCredentialType", genericAuthType: "httpBasicAuth" },
        credentials: { httpBasicAuth: { id: credential, name: "Odoo" } },
      },
    ],
    connections: { Webhook: { main: [[{ node: "Call", type: "main", index: 0 }]] } },
  };
}

/** Takes a body, answers at once, and sends the same on to another address. */
export function testedWorkflow(target: string) {
  return {
    name: "Take a test",
    settings: {},
    nodes: [
      {
        ...{ id: "b1", name: "Webhook", type: "n8n-nodes-base.webhook", typeVersion: 2, position: [0, 0] },
        webhookId: "6f1d2a5e-0000-4000-8000-000000000002",
        parameters: { path: "ipai-test", httpMethod: "POST", responseMode: "onReceived" },
      },
      {
        ...{ id: "b2", name: "Send on", type: "n8n-nodes-base.httpRequest", typeVersion: 4.2, position: [200, 0] },
        parameters: {
          ...{ url: target, method: "POST", sendBody: true, specifyBody: "json" },
          jsonBody: "={{ JSON.stringify($json.body) }}",
        },
      },
    ],
    connections: { Webhook: { main: [[{ node: "Send on", type: "main", index: 0 }]] } },
  };
}

async function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`n8n answers ${answer.status} to ${url}: ${await answer.text()}`);
  return answer;
}
