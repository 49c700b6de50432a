import { inspect } from "node:util";

/**
 * The one way this program says that something went wrong.
 *
 * An error has a permanent dotted code, a message (what happened, seen by the operator), and a hint (the next action, or the
 * question that finds the cause). Errors are declared beside the code that throws them and collected in `catalogue`, from which
 * `docs/errors.md` is generated.
 */

/** What every error declaration says about itself. */
export interface ErrorSpec<Details extends object> {
  /** Process exit code, 10–99. Families: 10s usage and configuration, 20s refused, 30s host, 40s stack, 50s run, 60s control. */
  readonly exitCode: number;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retryable?: boolean;
  readonly message: (details: Details) => string;
  readonly hint: (details: Details) => string;
}

/** A declared error: calling it makes an `IpaiError` with typed details. */
export interface ErrorDefinition<Details extends object> extends ErrorSpec<Details> {
  (details: Details, options?: { cause?: unknown }): IpaiError;
  readonly code: string;
}

export class IpaiError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly exitCode: number;
  readonly retryable: boolean;
  readonly details: object;

  constructor(code: string, spec: ErrorSpec<object>, details: object, cause: unknown) {
    super(spec.message(details), cause === undefined ? undefined : { cause });
    this.name = "IpaiError";
    this.code = code;
    this.hint = spec.hint(details);
    this.exitCode = spec.exitCode;
    this.retryable = spec.retryable ?? false;
    this.details = details;
  }
}

/** How an error is recorded in the journal and printed with `--json`. */
export interface ErrorRecord {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Last lines of what a failed command printed. */
  readonly output?: string;
}

const definitions = new Map<string, ErrorDefinition<never>>();

/** Every error declared by the modules loaded so far, by code. */
export const catalogue: ReadonlyMap<string, ErrorDefinition<never>> = definitions;

/** Declares an error. A code is permanent: never reuse one, never rename one. */
export function defineError<Details extends object>(code: string, spec: ErrorSpec<Details>): ErrorDefinition<Details> {
  if (!/^[a-z]+(_[a-z]+)*(\.[a-z0-9]+(_[a-z0-9]+)*)+$/.test(code)) throw new TypeError(`Malformed error code ${code}`);
  if (definitions.has(code)) throw new TypeError(`Error code ${code} is declared twice`);
  const make = (details: Details, options?: { cause?: unknown }) =>
    new IpaiError(code, spec as unknown as ErrorSpec<object>, details, options?.cause);
  const definition = Object.assign(make, { code, ...spec }) as ErrorDefinition<Details>;
  definitions.set(code, definition as unknown as ErrorDefinition<never>);
  return definition;
}

/** A fault of the program itself: everything that is not an `IpaiError`. */
export const Bug = defineError<{ what: string }>("internal.bug", {
  exitCode: 70,
  message: (d) => `The program met a state that it does not understand: ${d.what}`,
  hint: () =>
    "This is a fault of ipai, not of the stack. Please report it with the output of the same command and --debug.",
});

/** Any thrown value as an `IpaiError`; what is not one becomes `internal.bug` with the original as cause. */
export function toIpaiError(thrown: unknown): IpaiError {
  if (thrown instanceof IpaiError) return thrown;
  return Bug({ what: wordsOf(thrown) }, { cause: thrown });
}

function wordsOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return typeof thrown === "string" ? thrown : inspect(thrown, { depth: 1 });
}

/** The part of an error that is kept and shown to machines. */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  const error = toIpaiError(thrown);
  const given = "output" in error.details ? error.details.output : undefined;
  const output = given === undefined ? "" : lastLines(String(given));
  return {
    code: error.code,
    message: firstPart(error.message),
    hint: firstPart(error.hint),
    ...(output === "" ? {} : { output }),
  };
}

/** A message quotes what it found; of something long, the beginning says enough. */
const messageLengthMax = 4096;
/** Of what a program printed, the end says why it stopped. */
const outputLinesMax = 20;
const outputLengthMax = 8192;

function firstPart(text: string): string {
  return text.length > messageLengthMax ? `${text.slice(0, messageLengthMax)}…` : text;
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-outputLinesMax).join("\n").slice(-outputLengthMax);
}
