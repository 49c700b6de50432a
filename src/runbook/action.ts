import type { Json, SecretRef, Text, Value } from "./value.ts";

/**
 * Actions: what a step does, as plain data. Rooms above build them (a `pg_dump` command, a query) and `host` performs them;
 * nothing here runs anything.
 */

/** One program with its arguments. There is no shell between this and `execve`. */
export interface Command {
  readonly argv: readonly [Text, ...Text[]];
  readonly env?: Readonly<Record<string, Value>>;
  readonly stdin?: Value;
  /** Sends standard error down the pipeline too (`2>&1 |`): for programs that log there, like Odoo. */
  readonly mergeStderr?: boolean;
}

/** A pipeline on one host. It fails when any of its parts fails (pipefail). */
export interface CommandAction {
  readonly kind: "command";
  /** The place (`place.ts`). */
  readonly host: string;
  readonly pipeline: readonly [Command, ...Command[]];
  /** Exit codes that are an answer and not a failure; 0 when absent. */
  readonly okExitCodes?: readonly number[];
  /** What other exit codes mean: error codes of the catalogue. */
  readonly exitCodes?: Readonly<Record<number, string>>;
}

/** SQL through psql on one host. `values` are set as psql variables: `:'name'` quotes a literal, `:"name"` an identifier. */
export interface SqlAction {
  readonly kind: "sql";
  readonly host: string;
  /** How to reach psql there: argv up to and including `psql` and its connection options. */
  readonly client: readonly [Text, ...Text[]];
  readonly database: Text;
  readonly text: string;
  readonly values?: Readonly<Record<string, Text>>;
  /** A file on the host that takes the answer, instead of this program: for answers without a bound. */
  readonly into?: Text;
  readonly exitCodes?: Readonly<Record<number, string>>;
}

/** A request made on the host with curl. Redirects are not followed: for Odoo a redirect from /web/login is a failure. */
export interface HttpAction {
  readonly kind: "http";
  readonly host: string;
  readonly method: "GET" | "POST";
  readonly url: Text;
  readonly headers?: Readonly<Record<string, Value>>;
  /** A key, sent as `Authorization: Bearer`. */
  readonly bearer?: SecretRef;
  readonly body?: Value;
  /** File on the host with the certificate of a private authority that vouches for the server. */
  readonly authority?: string;
  /** Whole request, seconds. */
  readonly timeoutSeconds: number;
}

/** A file, written whole: to a partial name, synced, then renamed. */
export interface WriteAction {
  readonly kind: "write";
  readonly host: string;
  readonly path: Text;
  readonly content: Text;
  /** Octal, as chmod takes it. */
  readonly mode: string;
}

/** A registered, versioned function of this program. It may read the stack and write the control database, never change a stack. */
export interface CallAction {
  readonly kind: "call";
  readonly name: string;
  readonly version: number;
  readonly input: Readonly<Record<string, Text | Json>>;
}

export type Action = CommandAction | SqlAction | HttpAction | WriteAction | CallAction;

/** Which part of an action's result is meant, and how to read it. */
export interface Output {
  /** `status` and `body` belong to http, `result` to call. SQL answers on `stdout`. */
  readonly from: "stdout" | "stderr" | "exitCode" | "status" | "body" | "result";
  /** `text` is trimmed at the end; `jsonLines` is a list. Default: text. */
  readonly as?: "text" | "number" | "json" | "jsonLines";
  /** A path into JSON; -1 is the last element of a list. */
  readonly pick?: readonly (string | number)[];
}

/** A yes/no question about the world. If its action cannot be performed the answer is unknown, never no. */
export interface Probe {
  readonly title: string;
  readonly action: Action;
  readonly output: Output;
  /** `has` and `absent` look for `with` in a text or a list; `absent` with "" asks for an empty answer. */
  readonly compare: "eq" | "le" | "ge" | "has" | "absent";
  readonly with: Text | number | boolean;
  /** The error that a "no" means, when the probe verifies a step. */
  readonly code?: string;
}

/** A one-program command action: the common case. */
export function command(
  host: string,
  argv: Command["argv"],
  options: Omit<Command, "argv"> & Pick<CommandAction, "okExitCodes" | "exitCodes"> = {},
): CommandAction {
  const { okExitCodes, exitCodes, ...rest } = options;
  return {
    kind: "command",
    host,
    pipeline: [{ argv, ...rest }],
    ...(okExitCodes === undefined ? {} : { okExitCodes }),
    ...(exitCodes === undefined ? {} : { exitCodes }),
  };
}
