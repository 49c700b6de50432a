import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { logIn } from "./odoo.ts";
import { folder, isCompose, serves, until, urls } from "./sandbox.ts";

/** Users at the public address: pages, calls and a websocket, counted answer by answer. */

export interface Answers {
  readonly requests: number;
  readonly websockets: number;
  /** What was no good answer: a redirect, a status of 5xx, a lost connection, one that took too long. */
  readonly failures: readonly string[];
  readonly slowestMs: number;
  /** How long nobody had a good answer, seconds: of pages or of calls, whichever was longer. Gaps of half a second are none. */
  readonly outSeconds: number;
}

const limitMs = 5000;
/** Odoo's process for websockets begins to load what it needs with the first one. */
const websocketLimitMs = 15_000;

/** Begins; `perSecond` requests, of which every third is a POST. */
export async function comeAndGo(perSecond = 25): Promise<{ stop(): Promise<Answers> }> {
  if (isCompose) await trustProxy();
  const cookie = await logIn();
  const failures: string[] = [];
  const good = { GET: [] as number[], POST: [] as number[], websocket: [] as number[] };
  const pending: Promise<void>[] = [];
  let [requests, websockets, slowestMs] = [0, 0, 0];
  const count = (what: keyof typeof good, work: Promise<string | undefined>, startedAt: number, mostMs = limitMs) =>
    work
      .catch((error: unknown) => String((error as { cause?: unknown }).cause ?? error))
      .then((fault) => {
        const endedAt = performance.now();
        const took = endedAt - startedAt;
        slowestMs = Math.max(slowestMs, took);
        const late = took > mostMs ? `took ${Math.round(took)} ms` : undefined;
        if (fault !== undefined || late !== undefined) failures.push(`${what}: ${fault ?? late}`);
        if (fault === undefined) good[what].push(endedAt);
      });
  const beganAt = performance.now();
  const timer = setInterval(() => {
    const index = requests++;
    const [what, work] = index % 3 === 0 ? (["POST", read(cookie)] as const) : (["GET", page(cookie)] as const);
    pending.push(count(what, work, performance.now()));
  }, 1000 / perSecond);
  const socket = keepSocket(cookie, (what, work) => {
    websockets++;
    pending.push(count(what, work, performance.now(), websocketLimitMs));
  });
  return {
    stop: async () => {
      clearInterval(timer);
      socket.end();
      const endedAt = performance.now();
      await Promise.all(pending);
      const out = (instants: readonly number[]) => gapsOf([beganAt, ...instants, endedAt]) / 1000;
      const outSeconds = Math.max(out(good.GET), out(good.POST));
      return { requests, websockets, failures, slowestMs: Math.round(slowestMs), outSeconds };
    },
  };
}

/** Does something, and tells for how long nobody had the login page at the public address meanwhile, for docs/tested.md. */
export async function whileWatched<T>(what: string, work: () => Promise<T>): Promise<T> {
  const good: number[] = [];
  let isOver = false;
  const looking = (async () => {
    while (!isOver) {
      if (await serves(urls.public)) good.push(performance.now());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await until("users have the login page", () => serves(urls.public));
    good.push(performance.now());
  })();
  try {
    return await work();
  } finally {
    isOver = true;
    await looking;
    process.stdout.write(`users out for ${(gapsOf(good) / 1000).toFixed(1)} s: ${what}\n`);
  }
}

/** The certificate of a project's proxy is one of its own making. */
async function trustProxy(): Promise<void> {
  const own = await readFile(join(folder, "secrets/tls.crt"), "utf8");
  setDefaultCACertificates([...getCACertificates("default"), own]);
}

/** The long ones between these instants, milliseconds in all. */
function gapsOf(instants: readonly number[]): number {
  const sorted = instants.toSorted((a, b) => a - b);
  const gaps = sorted.map((at, index) => at - (sorted[index - 1] ?? at));
  return gaps.filter((gap) => gap > 500).reduce((all, gap) => all + gap, 0);
}

/**
 * As every browser does it: a connection that was kept for later and that the server has closed meanwhile is opened again, for nothing of
 * the request was answered on it. nginx closes those that idle when it reads its configuration again.
 */
async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { code } = (error as { cause?: { code?: string } }).cause ?? {};
    if (code !== "UND_ERR_SOCKET" && code !== "ECONNRESET") throw error;
    return fetch(url, { ...init, headers: { ...init.headers, connection: "close" } });
  }
}

async function page(cookie: string): Promise<string | undefined> {
  const response = await send(`${urls.public}/web/login?redirect=no`, { redirect: "manual", headers: { cookie } });
  await response.arrayBuffer();
  // Whoever is logged in already is sent on.
  return response.status === 200 || response.status === 303 ? undefined : `status ${response.status}`;
}

/** Whatever a record of the practice ledger has: code and database have to fit. */
async function read(cookie: string): Promise<string | undefined> {
  const response = await send(`${urls.public}/web/dataset/call_kw/ipai.demo.entry/search_read`, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/json", cookie },
    body: JSON.stringify({
      jsonrpc: "2.0",
      params: {
        model: "ipai.demo.entry",
        method: "search_read",
        args: [],
        kwargs: { limit: 1, context: { bin_size: true } },
      },
    }),
  });
  if (response.status !== 200) return `status ${response.status}`;
  const body = (await response.json()) as { result?: unknown[]; error?: { data?: { message?: string } } };
  return body.result?.length === 1 ? undefined : `error ${body.error?.data?.message ?? JSON.stringify(body)}`;
}

/** One that is closed is opened again, as Odoo's client does; that it opens is what counts. */
function keepSocket(cookie: string, open: (what: "websocket", work: Promise<string | undefined>) => void) {
  let isOver = false;
  let socket: WebSocket | undefined;
  const connect = () => {
    const url = `${urls.public.replace(/^http/, "ws")}/websocket?version=saas-18.5-1`;
    const headers = { cookie, origin: urls.public };
    const made = new WebSocket(url, { headers } as never);
    socket = made;
    open(
      "websocket",
      new Promise((resolve) => {
        made.addEventListener("open", () => resolve(undefined));
        made.addEventListener("error", () => resolve(isOver ? undefined : "it did not open"));
      }),
    );
    made.addEventListener("close", () => {
      if (!isOver) setTimeout(connect, 200);
    });
  };
  connect();
  return {
    end: () => {
      isOver = true;
      socket?.close();
    },
  };
}
