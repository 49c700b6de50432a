import { type CommandAction, command } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";
import { type Argv, type DaemonSpec, type Service, toService } from "./runtime.ts";

/** Processes in the background, by Debian's `start-stop-daemon`, which every machine and image of Debian's kind has. Needs root. */

export function createDaemon(place: string, spec: DaemonSpec): Service {
  const { name, stopSeconds } = spec;
  const status = daemonStatus(place, [spec]);
  return toService(name, stopSeconds, startDaemon(place, spec), stopDaemons(place, [spec]), status);
}

/** Several as one, stopped at the same time. */
export function createDaemons(place: string, specs: readonly DaemonSpec[]): Service {
  const seconds = Math.max(...specs.map(({ stopSeconds }) => stopSeconds));
  const [stop, status] = [stopDaemons(place, specs), daemonStatus(place, specs)];
  return toService(specs.map(({ name }) => name).join(", "), seconds, stop, stop, status);
}

/** Goes on by itself, and is known to nobody. */
export function detach(place: string, environment: Readonly<Record<string, Text>>, argv: Argv): CommandAction {
  return command(place, detached(argv), { env: environment });
}

function detached(argv: readonly Text[]): readonly [Text, ...Text[]] {
  // A pid file that never names a process: start-stop-daemon otherwise refuses a second program of the same kind.
  return [
    "start-stop-daemon",
    "--start",
    "--background",
    "--pidfile",
    "/dev/null",
    "--startas",
    "/usr/bin/env",
    "--",
    ...argv,
  ];
}

export function asUser(user: string, argv: Argv): Argv {
  return ["runuser", "-u", user, "--", ...argv];
}

function startDaemon(host: string, service: DaemonSpec): CommandAction {
  const environment = Object.entries(service.environment).map(([name, value]) => `${name}=${value}`);
  const program = [
    "start-stop-daemon",
    "--start",
    "--background",
    "--make-pidfile",
    ...identify(service),
    ...(service.directory === undefined ? [] : ["--chdir", service.directory]),
    "--chuid",
    service.user,
    "--output",
    service.log,
    "--startas",
    "/usr/bin/env",
    "--",
    ...environment,
    ...service.command,
  ];
  return command(host, ["sh", "-c", startScript, "start", service.pidFile, service.user, ...program]);
}

function stopDaemons(host: string, services: readonly DaemonSpec[]): CommandAction {
  const words = services.flatMap(({ pidFile, user, stopSeconds }) => [pidFile, user, String(stopSeconds)]);
  return command(host, ["sh", "-c", stopScript, "stop", ...words]);
}

/** Exit codes: 0 when one of them runs, 1 when none does; 4 (cannot tell) is a failure, so that the probe says unknown. */
function daemonStatus(host: string, services: readonly DaemonSpec[]): CommandAction {
  const words = services.flatMap(({ pidFile, user }) => [pidFile, user]);
  return command(host, ["sh", "-c", statusScript, "status", ...words], { okExitCodes: [0, 1] });
}

/**
 * A process that has ended stays in the table (as a zombie) until its parent asks for it. In a container, whose first process may
 * never ask, that is for ever; start-stop-daemon would call it running, wait for it in vain and start no other.
 */
const runsFunction = `
runs() {
  code=0
  start-stop-daemon --status --pidfile "$1" --user "$2" || code=$?
  case $code in
    0)
      state= pid=
      { read -r pid < "$1"; } 2>/dev/null
      { while read -r key value _; do [ "$key" != State: ] || state=$value; done < "/proc/$pid/status"; } 2>/dev/null
      case $state in ''|Z) return 1 ;; esac
      ;;
    1|3) return 1 ;;
    *) exit 4 ;;
  esac
}`;

const statusScript = `${runsFunction}
while [ $# -gt 0 ]; do
  if runs "$1" "$2"; then exit 0; fi
  shift 2
done
exit 1
`;

const startScript = `${runsFunction}
if runs "$1" "$2"; then exit 0; fi
rm -f -- "$1"
shift 2
exec "$@"
`;

/** TERM once, since Odoo drops the requests in flight at the second; KILL ends what does not listen. */
const stopScript = `${runsFunction}
each() {
  what=$1
  shift
  while [ $# -gt 0 ]; do
    "$what" "$1" "$2" "$3"
    shift 3
  done
}
ask() { if runs "$1" "$2"; then send TERM "$1" "$2"; fi; }
send() { start-stop-daemon --stop --quiet --oknodo --signal "$1" --pidfile "$2" --user "$3"; }
finish() {
  if ! has_ended "$3" "$1" "$2"; then
    send KILL "$1" "$2"
    has_ended 5 "$1" "$2" || { echo "The process of $1 does not end." >&2; exit 1; }
  fi
  rm -f -- "$1"
}
has_ended() {
  tenths=$(($1 * 10))
  while runs "$2" "$3"; do
    [ "$tenths" -gt 0 ] || return 1
    tenths=$((tenths - 1))
    sleep 0.1
  done
}
each ask "$@"
each finish "$@"
`;

/** A pid file alone may name a process that is somebody else's by now: the owner must fit too. */
function identify(service: DaemonSpec): readonly Text[] {
  return ["--pidfile", service.pidFile, "--user", service.user];
}
