import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import type { Runtime } from "./runtime/runtime.ts";

/**
 * nginx in front of Odoo, as far as a service can be taken out of its hands: its servers are marked `down` in the file of upstream blocks
 * that the configuration names, and nginx reads it again. Requests that it has begun go on.
 */
export interface Upstreams {
  /** Ends when no new request comes to the service any more, and those that it has are answered or have had five seconds. */
  drain(service: string): CommandAction;
  /** Ends when new requests come to it again. */
  admit(service: string): CommandAction;
  isDrained(service: string): Probe;
  isAdmitted(service: string): Probe;
  /** nginx reads the file that is written. Undefined where it cannot be another. */
  readonly isSeen: Probe | undefined;
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
    const script = [runtime.pids.script, runtime.within.script, markScript].join("\n");
    const words = [...within(runtime, proxy.name), file, state, ...serversOf(name)];
    return command(stack.host, ["bash", "-c", script, "mark", word, ...words], {
      exitCodes: { 65: "proxy.server_unknown", 66: "proxy.upstreams_unseen", 75: "proxy.not_reloaded" },
    });
  };
  const seen = ["bash", "-c", [runtime.pids.script, runtime.within.script, seenScript].join("\n"), "seen"] as const;
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
    isSeen: !("compose" in stack.runtime)
      ? undefined
      : {
          title: "nginx has the file of upstreams as it lies there",
          action: command(stack.host, [...seen, word, ...within(runtime, proxy.name), file], { okExitCodes: [0, 66] }),
          output: { from: "exitCode", as: "number" },
          compare: "eq",
          with: 0,
          code: "proxy.upstreams_unseen",
        },
  };
}

/** Has the proxy look up again where services are. */
export interface LookUp {
  readonly action: CommandAction;
  readonly isDone: Probe;
}

/**
 * nginx does so when it reads its configuration, and a container that is started anew may have another address. Undefined where addresses
 * do not change, or there is no proxy.
 */
export function createLookUp(stack: StackConfig, runtime: Runtime): LookUp | undefined {
  const { host } = stack;
  const { proxy, odoo } = stack.services;
  const word = proxy === undefined ? undefined : runtime.pids.word(proxy.name);
  if (proxy === undefined || word === undefined || !("compose" in stack.runtime)) return undefined;
  const argv = (script: string, ...more: readonly string[]) => {
    const whole = [runtime.pids.script, script].join("\n");
    return ["bash", "-c", whole, "look", word, ...within(runtime, proxy.name), ...more] as const;
  };
  const services = odoo.flatMap(({ name }) => runtime.pids.word(name) ?? []);
  return {
    action: command(host, argv(lookUpScript), { exitCodes: { 75: "proxy.not_reloaded" } }),
    isDone: {
      title: "nginx has read its configuration since the services were started",
      action: command(host, argv(lookedUpScript, ...services), { okExitCodes: [0, 1] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
      code: "proxy.not_reloaded",
    },
  };
}

/** `COUNT WORD…`, as the scripts take them. */
function within(runtime: Runtime, service: string): readonly string[] {
  const words = runtime.within.words(service);
  return [String(words.length), ...words];
}

/**
 * Prints the file with the servers marked; exit code 65 when one of them is not in it. A name gives way to an address while its server is
 * out: a container that does not run has none, and nginx takes no configuration with a name that it cannot look up.
 */
const rewrite = `
rewrite() {
  awk -v state="$1" -v wanted="$2" '
    BEGIN { count = split(wanted, all, " "); for (i = 1; i <= count; i++) missing[all[i]] = known[all[i]] = 1 }
    match($0, /^[ \\t]*server[ \\t]+[^ \\t;]+/) {
      head = substr($0, 1, RLENGTH); rest = substr($0, RLENGTH + 1)
      address = head; sub(/^[ \\t]*server[ \\t]+/, "", address)
      indent = substr(head, 1, length(head) - length(address))
      if (match(rest, /; # for [^ \\t]+/)) address = substr(rest, RSTART + 8, RLENGTH - 8)
      if (address in known) {
        delete missing[address]
        sub(/; # for [^ \\t]+/, ";", rest); gsub(/[ \\t]+down/, "", rest)
        head = indent address
        if (state == "down" && address ~ /^[0-9.:]+$|^[[]/) sub(/;/, " down;", rest)
        else if (state == "down") {
          port = address ~ /:/ ? address : ""; sub(/^[^:]*/, "", port)
          head = indent "0.0.0.0" port; sub(/;/, " down; # for " address, rest)
        }
        $0 = head rest
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
 * Takes WORD, and the words before a program that is run where nginx runs. `nginx read` has it read its configuration. That took effect
 * when it has new workers: the ones before are gone, or say that they only finish what they have begun. `nginx drain` gives those five
 * seconds for it, since an Odoo that is stopped waits for one (its threaded server; 18 and 19). `nginx since` prints when the
 * oldest worker that takes requests was started. Asked and told where nginx runs: in a container its master need not be the first
 * process, and belongs to somebody else.
 */
const beginning = `
set -u
word=$1 count=$2
shift 2
inside=("\${@:1:count}")
shift "$count"
runs() { pid=; pid_of "$word" && [ -d "/proc/$pid" ]; }
nginx() { "\${inside[@]}" sh -c '
  title() { tr "\\0" " " < "/proc/$1/cmdline"; } 2>/dev/null
  master=$2
  for one in /proc/[0-9]*; do
    [ -z "$master" ] || break
    case $(title "\${one#/proc/}") in "nginx: master process"*) master=\${one#/proc/} ;; esac
  done
  workers() { # those that take new requests
    for child in $(cat "/proc/$master/task/"*/children 2>/dev/null); do
      case $(title "$child") in
        *"shutting down"*) ;;
        "nginx: worker process"*) echo "$child" ;;
      esac
    done
  }
  old=$(workers)
  if [ "$1" = since ]; then
    boot=$(sed -n "s/^btime //p" /proc/stat)
    for worker in $old; do sed "s/^.*) //" "/proc/$worker/stat"; done | cut -d " " -f 20 | sort -n | head -n 1 |
      while read -r ticks; do echo $((boot + ticks / 100)); done
    exit
  fi
  kill -HUP "$master"
  for _ in $(seq 100); do
    sleep 0.1
    new=$(workers)
    left=$(printf "%s\\n" $old $new | sort | uniq -d)
    [ -n "$new" ] && [ -z "$left" ] || continue
    [ "$1" = drain ] || exit 0
    for _ in $(seq 50); do # a websocket keeps its worker for as long as it is open
      begun=
      for one in $old; do [ ! -d "/proc/$one" ] || begun=yes; done
      [ -n "$begun" ] || break
      sleep 0.1
    done
    exit 0
  done
  echo "nginx goes on with what it had before: its error log says why." >&2
  exit 75
' nginx "$1" "$([ "$count" -gt 0 ] || echo "$pid")"; }
`;

/** With no nginx there is nothing that could take no notice. */
const lookUpScript = `${beginning}
if runs; then nginx read; fi
`;

/** Exit codes: 0 when no service that runs is younger than nginx's workers, 1 when one is. Clocks are read to the second. */
const lookedUpScript = `${beginning}
runs || exit 0
since=$(nginx since) && [ -n "$since" ] || exit 4
for service; do
  started=$(docker container inspect --format '{{if .State.Running}}{{.State.StartedAt}}{{end}}' "$service" 2>/dev/null)
  [ -n "$started" ] || continue
  [ "$(date -d "$started" +%s)" -le "$((since + 1))" ] || exit 1
done
`;

/** A file that was put in the place of another is not the one that a container has mounted: it looks the same, and is not. */
const sees = `
sees() {
  seen=$(place_of "$word" "$1")
  [ -n "$seen" ] && [ "$("\${inside[@]}" stat -c %i -- "$seen")" = "$(stat -c %i -- "$1")" ] && return
  echo "$1" >&2
  return 66
}
`;
const seenScript = `${beginning}${sees}
if runs; then sees "$1"; fi
`;

/**
 * The file is written in place, since containers may have it mounted. One that is wrong leaves nginx's workers as they are, and is put
 * back.
 */
const markScript = `${rewrite}${beginning}${sees}
file=$1 state=$2
shift 2
before=$(cat -- "$file" && echo x) || exit 74
after=$(rewrite "$state" "$*" "$file" && echo x) || exit 65
if ! runs; then
  printf '%s' "\${after%x}" > "$file"
  exit
fi
sees "$file" || exit
printf '%s' "\${after%x}" > "$file"
nginx "$([ "$state" = down ] && echo drain || echo read)" && exit
printf '%s' "\${before%x}" > "$file"
exit 75
`;
