import { inspect } from "node:util";

/**
 * A value that never prints. It shows as `[secret]` in strings, JSON and inspection; only the executors reveal it, into an
 * environment variable or a standard input. Because it is not a string, the compiler keeps it out of argv.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The clear text. Call this only where a process is started or a connection is opened. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
