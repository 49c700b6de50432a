import type { Executor } from "../host/executor.ts";
import { LocalExecutor } from "../host/local.ts";
import { SshExecutor } from "../host/ssh/executor.ts";

/** One executor for each host, made when it is first asked for: a remote host has one connection, however many stacks are on it. */
export class Executors implements AsyncDisposable {
  readonly local = new LocalExecutor();
  readonly #remote = new Map<string, SshExecutor>();
  readonly #environment: NodeJS.ProcessEnv;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  /** `local`, or `ssh://user@host:port`. */
  of(host: string): Executor {
    if (host === "local") return this.local;
    const known = this.#remote.get(host);
    if (known !== undefined) return known;
    const made = new SshExecutor(this.local, { destination: host, configFile: this.#environment["IPAI_SSH_CONFIG"] });
    this.#remote.set(host, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#remote.values()].map((executor) => executor[Symbol.asyncDispose]()));
  }
}
