import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * A server that holds what n8n documents of its public API: workflows in pages, each with the cursor of the next, for whoever has the key;
 * and whether it is well, for everybody.
 */
export class N8nApi implements AsyncDisposable {
  readonly #server: Server;
  workflows: readonly Readonly<Record<string, unknown>>[] = [];
  key = "the-key";
  isHealthy = true;
  /** Answers something else than it should. */
  instead: ((response: ServerResponse) => void) | undefined;
  readonly asked: string[] = [];

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://n8n.invalid");
    this.asked.push(request.url ?? "");
    const json = (status: number, body: object) =>
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (pathname === "/healthz/readiness")
      return void json(this.isHealthy ? 200 : 503, { status: this.isHealthy ? "ok" : "error" });
    if (request.headers["x-n8n-api-key"] !== this.key) return void json(401, { message: "unauthorized" });
    if (this.instead !== undefined) return void this.instead(response);
    if (pathname !== "/api/v1/workflows") return void json(404, { message: "not found" });
    const limit = Math.min(Number(searchParams.get("limit") ?? 100), 250);
    const from = Number(Buffer.from(searchParams.get("cursor") ?? "", "base64url").toString() || 0);
    const next = from + limit < this.workflows.length ? Buffer.from(String(from + limit)).toString("base64url") : null;
    json(200, { data: this.workflows.slice(from, from + limit), nextCursor: next });
  }
}
