import { catalogue, type ErrorDefinition } from "../../src/errors/error.ts";
import { loadDeclarations } from "./declarations.ts";
import { notice, page, table } from "./markdown.ts";

/** The catalogue of errors as a page, and as the tests want it. */

type AnyError = ErrorDefinition<never>;

/** The whole catalogue. */
export async function allErrors(): Promise<readonly AnyError[]> {
  await loadDeclarations("defineError");
  return [...catalogue.values()].toSorted((a, b) => (a.code < b.code ? -1 : 1));
}

export interface Sample {
  readonly message: string;
  readonly hint: string;
}

/** What an error says, its details standing as `{name}`: one text, or several where it says different things. */
export function sampleOf({ code, message, hint }: AnyError): readonly Sample[] {
  const say = (details: unknown): Sample => ({ message: message(details as never), hint: hint(details as never) });
  return (samples[code] ?? [placeholders]).map(say);
}

const placeholders = new Proxy({}, { get: (_, name) => `{${String(name)}}`, has: () => true });

/** Details that are not all text, and errors that say different things. */
const samples: Readonly<Record<string, readonly object[]>> = {
  "backup.not_found": [{ backup: "{backup}" }, { found: "{found}" }],
  "config.invalid": [
    {
      file: "ipai.yaml",
      problems: [{ line: 9, column: 7, message: "stacks.production: unknown key odo. Did you mean odoo?" }],
    },
  ],
  "config.not_found": [{ looked: ["{directory}/ipai.yaml", "/etc/ipai/ipai.yaml", "/var/lib/ipai/sandbox/ipai.yaml"] }],
  "config.unknown_stack": [{ name: "{name}", known: ["{known}"] }, { known: ["{known}"] }],
  "finance.unknown_form": [{ given: "{given}", known: ["1601-C", "0619-E"] }],
  "host.command_failed": [
    { program: "{program}", exitCode: "{exitCode}", output: "{last line}" },
    { program: "{program}", exitCode: 137, signal: "SIGKILL", output: "{last line}" },
  ],
  "procedure.invalid": [
    {
      problems: [
        { file: "procedures/vacuum.yaml", line: 9, column: 5, message: "unknown key verfiy. Did you mean verify?" },
      ],
    },
  ],
  "host.output_too_large": [{ bytesMax: 32 * 1024 * 1024 }],
};

/** Families of codes, in the order in which somebody meets them. */
const families: Readonly<Record<string, string>> = {
  usage: "The command line",
  config: "The configuration",
  procedure: "Procedures of your own",
  demo: "The practice stack",
  backup: "Backups and proofs",
  upgrade: "Upgrades of modules",
  odoo: "Odoo",
  stack: "Services of a stack",
  finance: "Deadlines of filings",
  host: "Commands on a host",
  run: "Runs",
  control: "The control database",
  internal: "Faults of the program itself",
};

export async function errorsPage(): Promise<string> {
  const errors = await allErrors();
  const present = [...new Set(errors.map(({ code }) => familyOf(code)))];
  const order = [...Object.keys(families), ...present].filter((family, index, list) => list.indexOf(family) === index);
  return page([
    notice,
    "# Errors",
    "Every error has a permanent code. It is printed below the message, kept in the journal of a run, and given by `--json` as",
    "`code`, `message` and `hint` (and `output`, the last lines of what a failed command printed). `{name}` stands for a detail.",
    "",
    "A command that could not begin, or was refused, ends with the exit code of its error. A run that began ends with the exit code",
    "of its outcome instead (0 succeeded, 3 failed and undone, 4 failed with nothing changed, 5 cancelled, 6 unknown, 7 waiting for a",
    "person), and its error is in `ipai runs show`.",
    "## By exit code",
    ...exitCodeTable(errors),
    ...order
      .filter((family) => present.includes(family))
      .flatMap((family) => [
        `## ${families[family] ?? family}`,
        ...errors.filter(({ code }) => familyOf(code) === family).flatMap(describeError),
      ]),
  ]);
}

function familyOf(code: string): string {
  return code.split(".")[0] ?? code;
}

function exitCodeTable(errors: readonly AnyError[]): readonly string[] {
  const exitCodes = [...new Set(errors.map(({ exitCode }) => exitCode))].sort((a, b) => a - b);
  const linked = (code: string) => `[\`${code}\`](#${code.replaceAll(".", "")})`;
  return table(
    ["exit code", "errors"],
    exitCodes.map((exitCode) => [
      String(exitCode),
      errors
        .filter((error) => error.exitCode === exitCode)
        .map(({ code }) => linked(code))
        .join(", "),
    ]),
  );
}

function describeError(error: AnyError): readonly string[] {
  const retry = error.retryable === true ? " · may succeed later without anybody changing anything" : "";
  return [
    `### ${error.code}`,
    `Exit code ${error.exitCode}${retry}`,
    ...sampleOf(error).flatMap(({ message, hint }) => [
      "",
      ...message.split("\n").map((line) => `> ${line}`),
      ">",
      `> ${hint}`,
    ]),
  ];
}
