import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "..", "..");

export interface Line {
  readonly kind: string;
  readonly path?: string | null;
  readonly data?: unknown;
}

export interface NodeOptions {
  /** Modules that are loaded before the program, relative to the project. */
  readonly imports?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A program of the project in a process of its own, which may speak lines of JSON. */
export class NodeProcess {
  readonly lines: Line[] = [];
  readonly child: ChildProcess;
  /** How it ended; all its lines have been read by then. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  stderr = "";
  #waiting: { readonly matches: (line: Line) => boolean; readonly resolve: (line: Line) => void }[] = [];

  constructor(program: string, args: readonly string[], options: NodeOptions = {}) {
    const imports = (options.imports ?? []).flatMap((file) => ["--import", join(root, file)]);
    const argv = ["--disable-warning=ExperimentalWarning", ...imports, join(root, program), ...args];
    this.child = spawn(process.execPath, argv, {
      cwd: root,
      // Reading the sources anew would be half of what a short process costs.
      env: { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node"), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new TypeError("a process without its streams");
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    createInterface(stdout).on("line", (line) => this.#hear(line));
    this.ended = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first line, past or to come, of this kind and path. Fails when the process ends without saying it. */
  async when(kind: string, path?: string): Promise<Line> {
    const matches = (line: Line) => line.kind === kind && (path === undefined || line.path === path);
    const found = this.lines.find(matches);
    if (found !== undefined) return found;
    const heard = new Promise<Line>((resolve) => this.#waiting.push({ matches, resolve }));
    const silent = this.ended.then(({ code, signal }) => {
      throw new Error(`ended (${signal ?? code}) without ${kind} ${path ?? ""}\n${this.stderr}`);
    });
    return Promise.race([heard, silent]);
  }

  /** What it said last: the run's end, or its error. */
  get last(): Line | undefined {
    return this.lines.at(-1);
  }

  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    this.child.kill(signal);
  }

  #hear(text: string): void {
    const line = parseLine(text);
    this.lines.push(line);
    for (const one of this.#waiting) if (one.matches(line)) one.resolve(line);
    this.#waiting = this.#waiting.filter((one) => !one.matches(line));
  }
}

/** The command line also prints text, and JSON over several lines. */
function parseLine(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return { kind: "text", data: text };
  }
}

/** A run carried out by another process. */
export function carryOut(home: string, run: string, options: NodeOptions = {}): NodeProcess {
  return new NodeProcess("test/harness/carry-out.ts", [home, run], options);
}
