import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { quote } from "../../runbook/shell.ts";
import {
  HostKeyChanged,
  HostKeyUnknown,
  HostUnreachable,
  LoginRefused,
  ProgramNotFound,
  RemoteUnfit,
} from "../errors.ts";
import { aliveSeconds, guardScript, guardSeconds } from "./remote.ts";

/**
 * One connection to a host, by OpenSSH's own client, so that its configuration, agent, jump hosts and known hosts count. The first
 * session is the guard (`remote.ts`); every command is a further session on the same connection, without another log-in.
 */
export class SshConnection {
  /** The guard's folder on the host. */
  readonly folder: string;
  readonly #master: ChildProcessWithoutNullStreams;
  readonly #socket: string;
  readonly #options: SshOptions;
  readonly #beat: NodeJS.Timeout;
  #isLost = false;

  private constructor(master: ChildProcessWithoutNullStreams, socket: string, folder: string, options: SshOptions) {
    [this.#master, this.#socket, this.folder, this.#options] = [master, socket, folder, options];
    this.#beat = setInterval(() => this.#tell("alive"), aliveSeconds * 1000);
    this.#beat.unref();
    master.once("exit", () => {
      this.#isLost = true;
      clearInterval(this.#beat);
    });
  }

  /** `lost`: folders of earlier connections; whatever still runs for them is ended before this resolves. */
  static async open(options: SshOptions, lost: readonly string[]): Promise<SshConnection> {
    const socket = join(mkdtempSync(join(tmpdir(), "ipai-ssh-")), "s");
    const guard = `exec bash -c ${quote(guardScript)} ipai-guard ${[String(guardSeconds), ...lost].map(quote).join(" ")}`;
    const argv = ["-M", "-S", socket, "-o", "ControlPersist=no", ...commonOptions(options), options.destination, guard];
    // In a session of its own: Ctrl-C is for this program, which then ends in order, and nobody can be asked for a password.
    const master = spawn("ssh", argv, { detached: true, stdio: "pipe" });
    let said = "";
    master.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096);
    });
    master.stdin.on("error", () => {});
    const ended = once(master, "exit").catch((error: unknown) => [error]);
    const ready = new Promise<string>((resolve) => {
      createInterface({ input: master.stdout }).on("line", (line) => {
        const [, folder] = /^ready (\S+)$/.exec(line) ?? [];
        if (folder !== undefined) resolve(folder);
      });
    });
    const first = await Promise.race([ready, ended]);
    if (typeof first === "string") return new SshConnection(master, socket, first, options);
    rmSync(join(socket, ".."), { recursive: true, force: true });
    // Node's own error: there is no ssh on this machine.
    if (first[0] instanceof Error) throw ProgramNotFound({ program: "ssh" }, { cause: first[0] });
    throw refusal(options.destination, first[0], said);
  }

  get destination(): string {
    return this.#options.destination;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Argv that runs a command line on the host, in a session of its own. Never makes a connection of its own. */
  session(commandLine: string): readonly [string, ...string[]] {
    const common = commonOptions(this.#options);
    return [
      "ssh",
      "-S",
      this.#socket,
      "-o",
      "ControlMaster=no",
      "-o",
      "ProxyCommand=false",
      ...common,
      this.#options.destination,
      commandLine,
    ];
  }

  /** Sends a signal to everything that a command has started; `over` lets what it left behind end. */
  signal(id: string, word: "TERM" | "KILL" | "over"): void {
    this.#tell(`${word} ${id}`);
  }

  /** After a session broke: until it is seen whether the connection did, which the news of its end may reach a little later. */
  async settle(): Promise<void> {
    if (this.#isLost) return;
    const signal = AbortSignal.timeout(settleMs);
    await once(this.#master, "exit", { signal }).catch(() => undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    if (!this.#isLost) {
      const ended = once(this.#master, "exit");
      this.#master.stdin.end();
      const patience = setTimeout(() => this.#master.kill("SIGKILL"), closeMs);
      await ended;
      clearTimeout(patience);
    }
    rmSync(join(this.#socket, ".."), { recursive: true, force: true });
  }

  #tell(line: string): void {
    if (!this.#isLost) this.#master.stdin.write(`${line}\n`);
  }
}

export interface SshOptions {
  /** As ssh takes it: `ssh://user@host:port`; the host may be an alias of the user's ssh configuration. */
  readonly destination: string;
  /** Another configuration file than the user's own. */
  readonly configFile?: string | undefined;
}

const settleMs = 500;

/** The guard has ended its commands by then; what is left is ssh's good-bye. */
const closeMs = 5000;

/** What the user's own configuration may not change: nobody is there to be asked, and a host that is not known is not trusted. */
function commonOptions({ configFile }: SshOptions): readonly string[] {
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    ConnectTimeout: "10",
    ServerAliveInterval: "5",
    ServerAliveCountMax: "3",
    ClearAllForwardings: "yes",
    ForwardAgent: "no",
    PermitLocalCommand: "no",
    RemoteCommand: "none",
    RequestTTY: "no",
    LogLevel: "ERROR",
  };
  return [
    ...(configFile === undefined ? [] : ["-F", configFile]),
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
  ];
}

/** ssh answers everything that is its own fault with 255; only its words tell what it was. */
function refusal(destination: string, exit: unknown, said: string): Error {
  const reason = said.trim().split("\n").at(-1)?.trim() ?? "";
  if (/IDENTIFICATION HAS CHANGED|Offending .* key in/.test(said)) return HostKeyChanged({ host: destination });
  if (/Host key verification failed|No .* host key is known/.test(said)) return HostKeyUnknown({ host: destination });
  if (/Permission denied|Too many authentication failures|no such identity/i.test(said))
    return LoginRefused({ host: destination, reason });
  if (exit === 127 || exit === 73)
    return RemoteUnfit({ host: destination, reason: exit === 127 ? "it has no bash" : reason });
  return HostUnreachable({ host: destination, reason });
}
