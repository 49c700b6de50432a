import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import type { Runtime } from "./runtime/runtime.ts";

/**
 * nginx in front of Odoo, as far as a service can be taken out of its hands: its servers are marked `down` in the file of upstream blocks
 * that the configuration names, and nginx reads it again. Requests that it has begun go on.
 */
export interface Upstreams {
  /** Ends when no new request comes to the service any more. */
  drain(service: string): CommandAction;
  /** Ends when new requests come to it again. */
  admit(service: string): CommandAction;
  isDrained(service: string): Probe;
  isAdmitted(service: string): Probe;
}

/** Undefined: there is no proxy, or nobody said where its upstreams are. */
export function createUpstreams(stack: StackConfig, runtime: Runtime): Upstreams | undefined {
  const { proxy, odoo } = stack.services;
  const word = proxy === undefined ? undefined : runtime.pids.word(proxy.name);
  if (proxy?.upstreams === undefined || word === undefined) return undefined;
  const file = proxy.upstreams;
  const serversOf = (name: string) => {
    const service = odoo.find((one) => one.name === name);
    if (service === undefined) throw new TypeError(`${name} is no Odoo service of ${stack.name}`);
    return [service.url, ...(service.websocket === undefined ? [] : [service.websocket])].map(
      (url) => new URL(url).host,
    );
  };
  const mark = (state: "up" | "down", name: string) => {
    const script = `${runtime.pids.script}\n${markScript}`;
    return command(stack.host, ["bash", "-c", script, "mark", file, state, word, ...serversOf(name)], {
      exitCodes: { 65: "proxy.server_unknown", 75: "proxy.not_reloaded" },
    });
  };
  const probe = (name: string, state: "up" | "down", title: string): Probe => ({
    title,
    action: command(stack.host, ["bash", "-c", stateScript, "state", file, state, ...serversOf(name)], {
      okExitCodes: [0, 1],
    }),
    output: { from: "exitCode", as: "number" },
    compare: "eq",
    with: 0,
  });
  return {
    drain: (name) => mark("down", name),
    admit: (name) => mark("up", name),
    isDrained: (name) => probe(name, "down", `nginx sends nothing to ${name}`),
    isAdmitted: (name) => probe(name, "up", `nginx sends requests to ${name}`),
  };
}

/** Prints the file with the servers marked; exit code 65 when one of them is not in it. */
const rewrite = `
rewrite() {
  awk -v state="$1" -v wanted="$2" '
    BEGIN { count = split(wanted, all, " "); for (i = 1; i <= count; i++) missing[all[i]] = 1 }
    match($0, /^[ \\t]*server[ \\t]+[^ \\t;]+/) {
      address = substr($0, RSTART, RLENGTH); sub(/^[ \\t]*server[ \\t]+/, "", address)
      for (i = 1; i <= count; i++) if (address == all[i]) {
        delete missing[address]
        gsub(/[ \\t]+down/, "")
        if (state == "down") sub(/;/, " down;")
      }
    }
    { print }
    END { for (address in missing) { print "There is no server " address " in it." > "/dev/stderr"; code = 65 } exit code }
  ' "$3"
}`;

/** Exit codes: 0 when they are all in that state, 1 when one is not. */
const stateScript = `${rewrite}
file=$1 state=$2
shift 2
rewrite "$state" "$*" "$file" 2>/dev/null | cmp -s - "$file"
`;

/**
 * The file is written in place, since containers may have it mounted. It took effect when nginx has new workers: the ones before are gone,
 * or say that they only finish what they have begun. One that is wrong leaves them as they are, and is put back.
 */
const markScript = `${rewrite}
set -u
file=$1 state=$2 word=$3
shift 3
workers() { # those that take new requests
  for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do
    case $(tr '\\0' ' ' < "/proc/$child/cmdline" 2>/dev/null) in
      *'shutting down'*) ;;
      'nginx: worker process'*) echo "$child" ;;
    esac
  done
}
before=$(cat -- "$file" && echo x) || exit 74
after=$(rewrite "$state" "$*" "$file" && echo x) || exit 65
pid=
pid_of "$word"
if [ -z "\${pid:-}" ] || [ ! -d "/proc/$pid" ]; then
  # With no nginx there is nothing that could take no notice.
  printf '%s' "\${after%x}" > "$file"
  exit
fi
old=$(workers)
printf '%s' "\${after%x}" > "$file"
kill -HUP "$pid"
for _ in $(seq 100); do
  sleep 0.1
  new=$(workers)
  left=$(printf '%s\\n' $old $new | sort | uniq -d)
  if [ -n "$new" ] && [ -z "$left" ]; then exit 0; fi
done
printf '%s' "\${before%x}" > "$file"
echo 'nginx goes on with what it had before: its error log says why.' >&2
exit 75
`;
