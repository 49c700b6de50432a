import type { Executor } from "../host/executor.ts";
import { LocalExecutor } from "../host/local.ts";
import { dockerWay } from "../host/remote/docker.ts";
import { RemoteExecutor, Slots } from "../host/remote/executor.ts";
import { sshWay } from "../host/remote/ssh.ts";
import { parsePlace } from "../runbook/place.ts";

/** One executor for each place, made when it is first asked for: a machine has one connection, however much is on it. */
export class Executors implements AsyncDisposable {
  readonly local = new LocalExecutor();
  readonly #machines = new Map<string, { readonly sessions: Slots; readonly executor: RemoteExecutor }>();
  readonly #containers = new Map<string, RemoteExecutor>();
  readonly #environment: NodeJS.ProcessEnv;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  of(place: string): Executor {
    const { host, container } = parsePlace(place);
    if (container !== undefined) return this.#container(place, host, container);
    return host === "local" ? this.local : this.#machine(host).executor;
  }

  #machine(host: string) {
    const configFile = this.#environment["IPAI_SSH_CONFIG"];
    return getOrMake(this.#machines, host, () => {
      const sessions = new Slots(sshSessions);
      const way = async () => sshWay({ destination: host, configFile });
      return { sessions, executor: new RemoteExecutor(this.local, sessions, way) };
    });
  }

  #container(place: string, host: string, container: string): RemoteExecutor {
    return getOrMake(this.#containers, place, () => {
      const machine = host === "local" ? undefined : this.#machine(host);
      const way = async () => dockerWay(container, await machine?.executor.way());
      return new RemoteExecutor(this.local, machine?.sessions ?? new Slots(dockerSessions), way);
    });
  }

  /** Those of containers first: they go through those of machines. */
  async [Symbol.asyncDispose](): Promise<void> {
    const machines = [...this.#machines.values()].map(({ executor }) => executor);
    for (const group of [[...this.#containers.values()], machines])
      await Promise.all(group.map((executor) => executor[Symbol.asyncDispose]()));
  }
}

/** sshd allows ten sessions on a connection by default; the guards of the machine and of two stacks' tools have five. */
const sshSessions = 5;
const dockerSessions = 8;

function getOrMake<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
