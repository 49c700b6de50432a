import type { CommandAction, Probe } from "../../runbook/action.ts";
import type { Text, Value } from "../../runbook/value.ts";

/** How a stack's services are started and stopped, and where programs are run for it. Builds commands, runs none. */
export interface Runtime {
  /** The place of files, of restic and of PostgreSQL's programs. */
  readonly tools: string;
  /** The place of Odoo's own commands. It has Odoo's data under the same path as the tools. */
  readonly odoo: string;
  /** Wraps argv so that it runs as another operating-system user. */
  as(user: string, argv: Argv): Argv;
  /** Starts a program among the tools that goes on by itself; it must end by itself or be ended by what it holds. */
  detach(environment: Readonly<Record<string, Text>>, argv: Argv): CommandAction;
  /** A process beside Odoo, in the background, that is known by its pid file. */
  daemon(spec: DaemonSpec): Service;
  service(name: string): Service;
  /** Stops several at the same time: each is asked before one is waited for. */
  together(names: readonly string[]): Stoppable;
  /** Runs a program where a service itself runs. */
  beside(service: string, argv: Argv, environment?: Readonly<Record<string, Value>>): CommandAction;
  readonly postgres: PostgresInstallation;
  readonly words: RuntimeWords;
  /** For a shell on the stack's host: the function `pid_of WORD` sets `pid` to the number of a service's first process. */
  readonly pids: { readonly script: string; word(service: string): string | undefined };
  /**
   * For a shell on the stack's host: the words before a program that is to run where a service runs, and the function `place_of WORD FILE`,
   * which prints where that service finds a file of the host; nothing where it does not.
   */
  readonly within: { readonly script: string; words(service: string): readonly string[] };
}

export type Argv = readonly [Text, ...Text[]];

/** How to look and to start by hand, for hints. */
export interface RuntimeWords {
  /** Where a service says what it meets: a file or a command. */
  log(service: string): string | undefined;
  /** How to start the database. */
  readonly startDatabase: string;
}

/** PostgreSQL as it is installed among the tools. */
export interface PostgresInstallation {
  /** The operating-system user that owns the server. */
  readonly user: string;
  /**
   * A program of the server's own version. Debian's wrappers take the newest that is there, whose dumps the server's version need
   * not be able to read; they also take longer to start than psql to answer.
   */
  program(name: string): string;
  /** Folder of the server's configuration, if it can be read among the tools. */
  readonly configuration: string | undefined;
  /**
   * Where the archive's configuration lies: pgBackRest's, and settings that the server's own configuration includes. At the same
   * paths among the tools and where the server runs; undefined where there is no such place.
   */
  readonly archive: { readonly folder: string; readonly serverFile: string } | undefined;
}

export type Stoppable = Pick<Service, "stop" | "isStopped" | "stopSeconds">;

/** How one service is started, stopped and asked whether its process is there. It may still answer nobody: ask its adapter. */
export interface Service {
  readonly start: CommandAction;
  readonly stop: CommandAction;
  readonly isRunning: Probe;
  readonly isStopped: Probe;
  /** Longest time that stopping may take, seconds. */
  readonly stopSeconds: number;
}

export interface DaemonSpec {
  readonly name: string;
  readonly command: readonly Text[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  readonly directory?: string | undefined;
  readonly pidFile: Text;
  readonly log: Text;
  readonly stopSeconds: number;
}

/** `status` ends with 0 when it runs, with 1 or more (but declared) when it does not. */
export function toService(
  name: string,
  stopSeconds: number,
  start: CommandAction,
  stop: CommandAction,
  status: CommandAction,
): Service {
  const answer = { action: status, output: { from: "exitCode", as: "number" } } as const;
  return {
    start,
    stop,
    stopSeconds,
    isRunning: { ...answer, title: `${name} runs`, compare: "eq", with: 0, code: "stack.service_not_running" },
    isStopped: { ...answer, title: `${name} is stopped`, compare: "ge", with: 1, code: "stack.service_still_running" },
  };
}
