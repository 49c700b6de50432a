import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "../../src/config/load.ts";
import { createStack, type Stack } from "../../src/stack/stack.ts";
import { addonUrl } from "./addon.ts";
import { configWith, runJson, testFolder } from "./backups.ts";
import { createKey, makeHome, n8nService } from "./n8n.ts";
import { perform } from "./perform.ts";
import { Receiver } from "./receiver.ts";
import { basePort, folder, ipai, parsed, sql, until } from "./sandbox.ts";

/** The stack's definition in `ipai.yaml`, as far as tests change it. */
interface Definition {
  readonly runtime: { readonly native: { readonly services: Record<string, object> } };
  readonly services: Record<string, unknown>;
  readonly odoo: Record<string, unknown>;
  schedules?: object;
}

type Change = (definition: Definition, config: Record<string, unknown>) => void;

const user = "odoo";

/**
 * A real n8n as a service of the practice stack, under a configuration of the test's own: its database is on the stack's server, Odoo is asked
 * where the addons are served, and a receiver is in the place of Mattermost.
 */
export class N8nStack {
  readonly home = join(folder, "n8n");
  readonly #port = basePort + 40;
  readonly url = `http://127.0.0.1:${this.#port}`;
  readonly chat = new Receiver();
  config = "";
  key = "none yet";
  odooKey = "none yet";
  /** More of n8n's environment. */
  readonly environment: Record<string, string> = {};
  /** More of the environment of `ipai`. */
  readonly more: Record<string, string> = {};

  readonly env = () => ({ N8N_API_KEY: this.key, ODOO_API_KEY: this.odooKey, ...this.more });
  readonly change = (...args: readonly string[]) => runJson(["--config", this.config, ...args], { env: this.env() });
  readonly ask = async <T>(...args: readonly string[]) =>
    parsed<T>(await ipai(["--config", this.config, ...args, "--json"], { env: this.env() }));

  async begin(): Promise<void> {
    await makeHome(this.home, user);
    await sql(`create database n8n owner ${user}`, "postgres");
    await this.chat.listen();
    await this.configure();
    await this.power("start");
    this.key = await createKey(this.url);
  }

  /** Written anew, with what the test changes. */
  async configure(change: Change = () => undefined): Promise<void> {
    const environment = {
      ...{ ODOO_URL: addonUrl, MATTERMOST_WEBHOOK_URL: `http://127.0.0.1:${this.chat.port}/hooks/x` },
      ...this.environment,
    };
    const path = this.config === "" ? join(await testFolder(), "ipai.yaml") : this.config;
    this.config = await configWith(path, (given, _stacks, config) => {
      const definition = given as unknown as Definition;
      const { runtime, services } = definition;
      runtime.native.services["n8n"] = n8nService({
        ...{ home: this.home, socket: join(folder, "run"), databasePort: basePort + 1 },
        ...{ port: this.#port, user, environment },
      });
      services["automation"] = {
        ...{ name: "n8n", url: this.url, apiKey: "${N8N_API_KEY}", database: "n8n" },
        ...{ keyFile: join(this.home, ".n8n/config"), odooKey: "${ODOO_API_KEY}" },
      };
      change(definition, config);
    });
  }

  /** As the configuration says it. */
  async stack(): Promise<Stack> {
    const { sandbox } = parseConfig(await readFile(this.config, "utf8"), this.config, {
      ...process.env,
      ...this.env(),
    }).stacks;
    if (sandbox === undefined) throw new TypeError("the practice stack is not configured");
    return createStack(sandbox);
  }

  async power(verb: "start" | "stop", service = "n8n"): Promise<void> {
    await perform((await this.stack()).runtime.service(service)[verb]);
    if (verb === "start" && service === "n8n") await until("n8n is well", () => this.isWell(), 240_000);
  }

  /** Its editor's own API is the last to be there; before, n8n says 200 and that it starts, and then 404. */
  async isWell(): Promise<boolean> {
    const answer = await fetch(`${this.url}/rest/settings`).catch(() => undefined);
    return answer?.ok === true && answer.headers.get("content-type")?.includes("json") === true;
  }

  /** Calls a webhook as a program does. */
  call(path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.url}/webhook/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }

  /** Texts that the chat was sent. */
  texts(): readonly string[] {
    return this.chat.requests.map(({ body }) => (JSON.parse(body) as { text: string }).text);
  }

  /** Nothing of it is left. */
  async end(): Promise<void> {
    await this.power("stop");
    await this.chat.close();
    const left = await sql("select datname from pg_database where datname like 'n8n%'", "postgres");
    for (const name of left.split("\n")) {
      await sql(`alter database "${name}" is_template false`, "postgres");
      await sql(`drop database "${name}" with (force)`, "postgres");
    }
  }
}
