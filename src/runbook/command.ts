import type { Action, Command, CommandAction, HttpAction, SqlAction, WriteAction } from "./action.ts";
import { prefixed, type SecretRef, type Text, type Value } from "./value.ts";

/**
 * Every action that touches a host comes down to a pipeline of programs. This is the one place that says which: what the plan
 * prints, what a person pastes and what the tool runs are the same.
 */
export function toCommand(action: Exclude<Action, { kind: "call" }>): CommandAction {
  switch (action.kind) {
    case "command":
      return action;
    case "sql":
      return psql(action);
    case "http":
      return curl(action);
    case "write":
      return writeFile(action);
  }
}

/** -X: no psqlrc. -Atq: bare values. ON_ERROR_STOP: psql otherwise ends with 0 after a thousand errors. */
function psql(action: SqlAction): CommandAction {
  const values = Object.entries(action.values ?? {}).flatMap(([name, value]): Text[] => [
    "-v",
    prefixed(`${name}=`, value),
  ]);
  const argv: [Text, ...Text[]] = [
    ...action.client,
    "-X",
    "-Atq",
    "-w",
    "-v",
    "ON_ERROR_STOP=1",
    ...values,
    "-d",
    action.database,
  ];
  const into: Command[] =
    action.into === undefined ? [] : [{ argv: ["dd", prefixed("of=", action.into), "conv=fsync", "status=none"] }];
  return {
    kind: "command",
    host: action.host,
    pipeline: [{ argv, stdin: action.text }, ...into],
    ...(action.exitCodes === undefined ? {} : { exitCodes: action.exitCodes }),
  };
}

/** Line that curl prints after the body: the only way to have the status and the body from one request. */
export const curlTrailer = "\\n%{http_code}";

/** --disable: no curlrc, which could follow redirects. It only counts as the first option. */
function curl(action: HttpAction): CommandAction {
  const headers = Object.entries(action.headers ?? {});
  const [hidden, ...more] = [
    ...headers.flatMap(([name, value]) => (isSecret(value) ? [{ begin: `${name}: `, value }] : [])),
    ...(action.bearer === undefined ? [] : [{ begin: "Authorization: Bearer ", value: action.bearer }]),
  ];
  if (more.length > 0) throw new TypeError("A request hides one secret in a header, not several");
  const argv: [Text, ...Text[]] = [
    ...(hidden === undefined ? (["curl"] as const) : (["sh", "-c", hiddenHeaderScript, "curl", hidden.begin] as const)),
    "--disable",
    "--silent",
    "--show-error",
    "--max-time",
    String(action.timeoutSeconds),
    "--write-out",
    curlTrailer,
    "--request",
    action.method,
    ...(action.authority === undefined ? [] : ["--cacert", action.authority]),
    ...headers.flatMap(([name, value]): Text[] => (isSecret(value) ? [] : ["--header", prefixed(`${name}: `, value)])),
    ...(action.body === undefined ? [] : ["--data-binary", "@-"]),
    action.url,
  ];
  return {
    kind: "command",
    host: action.host,
    pipeline: [
      {
        argv,
        ...(action.body === undefined ? {} : { stdin: action.body }),
        ...(hidden === undefined ? {} : { env: { HIDDEN: hidden.value } }),
      },
    ],
  };
}

function isSecret(value: Value): value is SecretRef {
  return typeof value === "object" && "ref" in value && value.ref === "secret";
}

/** A header's secret comes in the environment and goes to curl through a descriptor: in an argument everybody could read it. */
const hiddenHeaderScript = 'begin=$1; shift; exec curl "$@" --header @/dev/fd/3 3<<END\n$begin$HIDDEN\nEND\n';

/** The file appears whole or not at all, and survives a power cut: written aside, synced, renamed. */
const writeScript =
  'umask 077 && dd of="$1.partial" conv=fsync status=none && chmod "$2" "$1.partial" && mv -f "$1.partial" "$1"';

function writeFile(action: WriteAction): CommandAction {
  return {
    kind: "command",
    host: action.host,
    pipeline: [{ argv: ["sh", "-c", writeScript, "write", action.path, action.mode], stdin: action.content }],
  };
}
