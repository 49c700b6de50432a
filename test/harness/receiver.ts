import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Message } from "../../src/engine/message.ts";

/** A receiver that behaves as the test says, and remembers what it took: by key, as one that honours keys does. */
export class Receiver {
  readonly #server: Server;
  behave: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end("ok");
  readonly requests: { readonly key: string; readonly body: string; readonly headers: IncomingMessage["headers"] }[] =
    [];

  constructor() {
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  port = 0;

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    const closed = once(this.#server, "close");
    this.#server.close();
    return closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    this.requests.push({ key: String(request.headers["idempotency-key"]), body, headers: request.headers });
    this.behave(request, response);
  }

  /** Titles that it took, each key once. */
  titles(): readonly string[] {
    const once = new Map(this.requests.map(({ key, body }) => [key, body]));
    return [...once.values()].flatMap((body) =>
      (JSON.parse(body) as { messages: Message[] }).messages.map(({ title }) => title),
    );
  }
}
