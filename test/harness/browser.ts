import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Debian's Chromium, by its own protocol over a WebSocket; nothing else is needed to click and to look. */
export const chromium = "/usr/bin/chromium";
export const hasChromium = existsSync(chromium);

interface Message {
  readonly id?: number;
  readonly result?: never;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: {
    readonly type?: string;
    readonly args?: readonly { readonly value?: unknown; readonly description?: string }[];
    readonly entry?: { readonly level: string; readonly text: string; readonly url?: string };
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
  };
}

export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #pages = new Map<string, Page>();
  #next = 0;

  private constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = process;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error, ...event } = JSON.parse(String(data)) as Message;
      if (event.sessionId !== undefined) this.#pages.get(event.sessionId)?.hear(event);
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (error === undefined) waiting?.resolve(result as never);
      else waiting?.reject(new Error(error.message));
    });
  }

  static async start(): Promise<Browser> {
    const folder = await mkdtemp("/tmp/ipai-browser-");
    const flags = [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--remote-debugging-port=0",
      `--user-data-dir=${folder}`,
    ];
    const child = spawn(chromium, [...flags, "about:blank"], {
      stdio: "ignore",
      detached: true,
      // It leaves a folder beside its profile when it is killed.
      env: { ...process.env, TMPDIR: folder },
    });
    const portFile = join(folder, "DevToolsActivePort");
    for (let tries = 0; !existsSync(portFile); tries++) {
      if (tries > 300) throw new Error("Chromium did not start");
      await sleep(100);
    }
    const [port, path] = (await readFile(portFile, "utf8")).split("\n");
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    return new Browser(child, folder, socket);
  }

  send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    this.#next += 1;
    const id = this.#next;
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    return new Promise<T>((resolve, reject) => this.#waiting.set(id, { resolve: resolve as never, reject }));
  }

  /** A page with cookies of its own, as somebody else's browser has. */
  async open(): Promise<Page> {
    const { browserContextId } = await this.send<{ browserContextId: string }>("Target.createBrowserContext");
    const target = { url: "about:blank", browserContextId };
    const { targetId } = await this.send<{ targetId: string }>("Target.createTarget", target);
    const attached = await this.send<{ sessionId: string }>("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, attached.sessionId);
    this.#pages.set(attached.sessionId, page);
    await Promise.all(["Runtime", "Log"].map((what) => page.send(`${what}.enable`)));
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    if (this.#process.pid !== undefined) process.kill(-this.#process.pid, "SIGKILL");
    await sleep(200);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export class Page {
  /** What the page's console has told as an error: exceptions that nobody caught, too. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  send<T>(method: string, params: object = {}): Promise<T> {
    return this.#browser.send<T>(method, params, this.#session);
  }

  hear({ method, params = {} }: Message): void {
    const { type, args = [], entry, exceptionDetails: thrown } = params;
    if (method === "Runtime.exceptionThrown")
      this.complaints.push(thrown?.exception?.description ?? thrown?.text ?? "");
    if (method === "Runtime.consoleAPICalled" && type === "error")
      this.complaints.push(args.map(({ value, description }) => value ?? description).join(" "));
    if (method === "Log.entryAdded" && entry?.level === "error")
      this.complaints.push(`${entry.text} ${entry.url ?? ""}`);
  }

  async go(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const params = { expression, returnByValue: true, awaitPromise: true };
    const { result } = await this.send<{ result: { value: T } }>("Runtime.evaluate", params);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    for (let tries = 0; !(await this.value<boolean>(`Boolean(${expression})`).catch(() => false)); tries++) {
      if (tries > 150) throw new Error(`not so: ${expression}\n${await this.value<string>("document.body.innerText")}`);
      await sleep(100);
    }
  }

  async fill(id: string, text: string): Promise<void> {
    await this.until(`document.getElementById(${JSON.stringify(id)})`);
    await this.value(`document.getElementById(${JSON.stringify(id)}).value = ${JSON.stringify(text)}`);
  }

  async click(words: string): Promise<void> {
    const found = `[...document.querySelectorAll("button")].find((one) => one.textContent === ${JSON.stringify(words)} && one.offsetParent)`;
    await this.until(found);
    await this.value(`${found}.click()`);
  }

  /** A window so wide and so high, in light or dark. */
  async size(width: number, scheme: "light" | "dark", height = 900): Promise<void> {
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const metrics = { width, height, deviceScaleFactor: 1, mobile: width < 600 };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** A picture, in light or dark, of a window so wide and so high. */
  async picture(file: string, width: number, scheme: "light" | "dark", height = 900): Promise<void> {
    await this.size(width, scheme, height);
    const { data } = await this.send<{ data: string }>("Page.captureScreenshot", { format: "png" });
    await writeFile(file, Buffer.from(data, "base64"));
  }
}
