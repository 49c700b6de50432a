import { catalogue, type ErrorDefinition, type ErrorRecord, toErrorRecord } from "../errors/error.ts";
import type { Action, CallAction, CommandAction, HttpAction, Probe } from "../runbook/action.ts";
import { toCommand } from "../runbook/command.ts";
import type { Json } from "../runbook/value.ts";
import {
  CommandCancelled,
  CommandFailed,
  CommandTimeout,
  DiskFull,
  engineFault,
  HttpTimeout,
  HttpUnreachable,
  OutputTooLarge,
  PermissionDenied,
  ProgramNotFound,
  saysFull,
  UnknownCall,
} from "./errors.ts";
import { type CommandResult, decisiveCommand, type Executor, type Pipeline, type RunOptions } from "./executor.ts";
import { lastLines, stdoutBytesMax } from "./output.ts";
import { type ActionResult, compare, readOutput } from "./read.ts";
import { Redactor } from "./redact.ts";
import { resolveInput, resolvePipeline, resolveText, type Scope } from "./resolve.ts";

export { type ActionResult, compare, readOutput } from "./read.ts";
export type { Scope } from "./resolve.ts";

/** Performs what a plan describes: the only way from a step to the world. */
export interface Performer {
  /** Throws when the action could not be performed or its exit code is a failure. */
  perform(action: Action, scope: Scope, options: PerformOptions): Promise<ActionResult>;
  /** Never throws: what keeps a question from being answered is an answer, `unknown`. */
  ask(probe: Probe, scope: Scope, options: PerformOptions): Promise<ProbeAnswer>;
}

export type PerformOptions = RunOptions;

export type ProbeAnswer =
  | { readonly answer: "yes"; readonly value: Json }
  | { readonly answer: "no"; readonly value: Json }
  | { readonly answer: "unknown"; readonly error: ErrorRecord };

/** A function that plans may call. It reads stacks and writes the control database; it never changes a stack. */
export type CallFunction = (
  input: Readonly<Record<string, Json>>,
  context: { readonly scope: Scope; readonly signal: AbortSignal },
) => Promise<Json>;

export interface CallRegistry {
  get(name: string, version: number): CallFunction | undefined;
}

export interface PerformerPorts {
  readonly executors: (host: string) => Executor;
  readonly calls: CallRegistry;
}

export function createPerformer(ports: PerformerPorts): Performer {
  const perform: Performer["perform"] = async (action, scope, options) => {
    const redactor = new Redactor();
    const watched = watchSecrets(scope, redactor);
    try {
      const result =
        action.kind === "call"
          ? await call(ports.calls, action, watched, options)
          : await run(ports.executors(action.host), action, watched, withoutSecrets(options, redactor));
      return redactResult(result, redactor);
    } catch (thrown) {
      throw redactor.error(thrown);
    }
  };
  const ask: Performer["ask"] = async (probe, scope, options) => {
    try {
      const value = readOutput(await perform(probe.action, scope, options), probe.output);
      const expected = typeof probe.with === "object" ? resolveText(probe.with, scope) : probe.with;
      return { answer: compare(value, probe, expected) ? "yes" : "no", value };
    } catch (thrown) {
      return { answer: "unknown", error: toErrorRecord(thrown) };
    }
  };
  return { perform, ask };
}

/** Whatever secret is handed out from here on is looked for in the answer. */
function watchSecrets(scope: Scope, redactor: Redactor): Scope {
  return {
    run: scope.run,
    output: (step, name) => scope.output(step, name),
    secret: (name) => redactor.add(scope.secret(name)),
  };
}

function withoutSecrets(options: PerformOptions, redactor: Redactor): PerformOptions {
  const { onLine } = options;
  if (onLine === undefined) return options;
  return { ...options, onLine: (line, stream) => onLine(redactor.text(line), stream) };
}

function redactResult(result: ActionResult, redactor: Redactor): ActionResult {
  return {
    ...result,
    stdout: redactor.text(result.stdout),
    stderr: redactor.text(result.stderr),
    ...(result.body === undefined ? {} : { body: redactor.text(result.body) }),
    ...(result.result === undefined ? {} : { result: redactor.json(result.result) }),
  };
}

async function call(
  calls: CallRegistry,
  action: CallAction,
  scope: Scope,
  options: PerformOptions,
): Promise<ActionResult> {
  const found = calls.get(action.name, action.version);
  if (found === undefined) throw UnknownCall({ name: action.name, version: action.version });
  const startedAt = performance.now();
  const input = resolveInput(action.input, scope);
  const result = await withinTime(action.name, options, (signal) => {
    options.onSpawn?.();
    return found(input, { scope, signal });
  });
  const seconds = (performance.now() - startedAt) / 1000;
  return { stdout: "", stderr: "", exitCode: 0, result, seconds, truncated: false };
}

/** A function that does not heed its signal is left behind: the run goes on without it. */
async function withinTime<T>(
  program: string,
  options: PerformOptions,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (options.signal.aborted) throw CommandCancelled({ program, output: "" });
  const stop = new AbortController();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const end = (error: Error) => {
    reject(error);
    stop.abort(error);
  };
  const onAbort = () => end(CommandCancelled({ program, output: "" }));
  const onTimeout = () => end(CommandTimeout({ program, seconds: options.timeoutMs / 1000, output: "" }));
  const timer = setTimeout(onTimeout, Math.min(options.timeoutMs, 2 ** 31 - 1));
  options.signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([act(stop.signal), stopped]);
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
  }
}

async function run(
  executor: Executor,
  action: Exclude<Action, CallAction>,
  scope: Scope,
  options: PerformOptions,
): Promise<ActionResult> {
  const command = toCommand(action);
  const pipeline = resolvePipeline(command.pipeline, scope);
  const result = await executor.run(pipeline, options);
  if (action.kind === "http") return readHttp(action, result, scope);
  if (!(command.okExitCodes ?? [0]).includes(result.exitCode)) throw failure(command, pipeline, result);
  return toActionResult(result);
}

function toActionResult(result: CommandResult): ActionResult {
  const { stdout, stderr, exitCode, seconds, truncated } = result;
  return { stdout, stderr, exitCode, seconds, truncated };
}

function failure(command: Pick<CommandAction, "exitCodes">, pipeline: Pipeline, result: CommandResult): Error {
  const { exitCode, signal } = result;
  const details = { program: decisiveCommand(pipeline, result.exitCodes).argv[0], exitCode, output: printed(result) };
  // Programs seldom have an exit code of their own for it, psql neither.
  const code = command.exitCodes?.[exitCode] ?? (saysFull(details.output) ? DiskFull.code : undefined);
  const meant = code === undefined ? undefined : (catalogue.get(code) as ErrorDefinition<object> | undefined);
  return (
    meant?.(details) ??
    engineFault(result.stderr) ??
    notExecuted(pipeline, result) ??
    CommandFailed(signal === undefined ? details : { ...details, signal })
  );
}

/** Programs that start another one (`runuser … -- psql`) end with 127 when it is not there, 126 when it may not be executed. */
function notExecuted(pipeline: Pipeline, { exitCode, exitCodes }: CommandResult): Error | undefined {
  const { argv } = decisiveCommand(pipeline, exitCodes);
  const program = argv.includes("--") ? argv[argv.indexOf("--") + 1] : undefined;
  if (program === undefined || (exitCode !== 126 && exitCode !== 127)) return undefined;
  return exitCode === 127 ? ProgramNotFound({ program }) : PermissionDenied({ program });
}

function printed(result: CommandResult): string {
  return lastLines(result.stderr) || lastLines(result.stdout);
}

/** curl's exit codes for: no such name, connection refused, TLS failed, empty answer, connection reset. */
const unreachable: readonly number[] = [6, 7, 35, 52, 56];

function readHttp(action: HttpAction, result: CommandResult, scope: Scope): ActionResult {
  const { exitCode } = result;
  const url = resolveText(action.url, scope);
  const output = printed({ ...result, stdout: "" });
  if (exitCode === 28) throw HttpTimeout({ url, seconds: action.timeoutSeconds, output });
  if (unreachable.includes(exitCode)) throw HttpUnreachable({ url, exitCode, output });
  if (exitCode !== 0) throw CommandFailed({ program: "curl", exitCode, output });
  if (result.truncated) throw OutputTooLarge({ bytesMax: stdoutBytesMax });
  const trailer = result.stdout.lastIndexOf("\n");
  // Without a trailer nothing was asked: a dry run. Then there is neither a status nor a body.
  if (trailer === -1) return toActionResult(result);
  const status = Number(result.stdout.slice(trailer + 1));
  return { ...toActionResult(result), status, body: result.stdout.slice(0, trailer) };
}
