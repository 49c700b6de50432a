import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What a bot meets at Mattermost's API, as its documentation and its server's source have it (11.x): POST /api/v4/posts with its checks, the
 * pending post ids that are kept for 30 s, and GET /api/v4/channels/{id}/posts?since=.
 */

interface Post {
  readonly id: string;
  readonly channel_id: string;
  readonly message: string;
  readonly root_id: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly update_at: number;
}

interface Body {
  readonly channel_id: string;
  readonly message: string;
  readonly root_id?: string;
  readonly props?: Readonly<Record<string, unknown>>;
  readonly pending_post_id?: string;
}

/** Counted in code points, as `utf8.RuneCountInString` does. */
const messageRunesMax = 16_383;
const knownKeys = ["channel_id", "message", "root_id", "file_ids", "props", "metadata", "pending_post_id"];

export class Mattermost {
  readonly token = randomUUID();
  readonly channel = "c".repeat(26);
  readonly posts: Post[] = [];
  /** How often it was asked which posts there are. */
  lists = 0;
  /** What is done instead of answering a post that was taken. */
  afterTaking: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly #server: Server;
  readonly #pending = new Map<string, string>();

  constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    const closed = once(this.#server, "close");
    this.#server.close();
    return closed;
  }

  /** Thirty seconds later, or on another node. */
  forgetPending(): void {
    this.#pending.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const taken = this.posts.length;
    const { status, body } = this.#answer(request, text);
    const { afterTaking } = this;
    if (this.posts.length > taken && afterTaking !== undefined) {
      this.afterTaking = undefined;
      afterTaking(request, response);
      return;
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  }

  #answer({ method, url: path = "", headers }: IncomingMessage, text: string): Reply {
    if (headers.authorization !== `Bearer ${this.token}`) return failure(401, "api.context.session_expired.app_error");
    const { pathname, searchParams } = new URL(path, this.url);
    if (method === "POST" && pathname === "/api/v4/posts") return this.#create(JSON.parse(text) as Body);
    if (method !== "GET" || pathname !== `/api/v4/channels/${this.channel}/posts`)
      return failure(404, "api.context.404.app_error");
    this.lists++;
    const found = this.posts.filter(({ update_at }) => update_at > Number(searchParams.get("since")));
    const posts = Object.fromEntries(found.map((one) => [one.id, one]));
    return { status: 200, body: { order: found.map(({ id }) => id), posts } };
  }

  #create(body: Body): Reply {
    const { channel_id, message, root_id = "", props = {}, pending_post_id = "" } = body;
    const unknown = Object.keys(body).filter((key) => !knownKeys.includes(key));
    if (unknown.length > 0) return failure(400, `undocumented: ${unknown.join(", ")}`);
    const seen = this.posts.find(({ id }) => id === this.#pending.get(pending_post_id));
    if (seen !== undefined) return { status: 201, body: seen };
    if (channel_id !== this.channel) return failure(400, "api.context.invalid_param.app_error");
    if ([...message].length > messageRunesMax) return failure(400, "model.post.is_valid.message_length.app_error");
    const root = this.posts.find(({ id }) => id === root_id);
    if (root_id !== "" && (root === undefined || root.root_id !== ""))
      return failure(400, "api.post.create_post.root_id.app_error");
    const id = randomUUID().replaceAll("-", "").slice(0, 26);
    const post = { id, channel_id, message, root_id, props, update_at: Date.now() };
    this.posts.push(post);
    if (pending_post_id !== "") this.#pending.set(pending_post_id, id);
    return { status: 201, body: post };
  }
}

interface Reply {
  readonly status: number;
  readonly body: object;
}

function failure(status: number, id: string): Reply {
  return { status, body: { id, message: `failed: ${id}`, status_code: status } };
}
