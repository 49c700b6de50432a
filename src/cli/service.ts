import { quote } from "../runbook/shell.ts";

/** A worker as a service of this machine: its files, for systemd and for a machine without it. Pure. */

export interface ServiceSettings {
  /** The launcher. */
  readonly program: string;
  /** `serve` is a worker that answers the API as well. */
  readonly command: "worker" | "serve";
  readonly config: string;
  /** Variables that say where things are. Secrets are not among them: the program finds those in its own file. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How services are started here. */
export interface InitSystem {
  readonly name: "systemd" | "init.d";
  readonly path: string;
  /** As chmod takes it. */
  readonly mode: number;
  readonly render: (settings: ServiceSettings) => string;
  /** A further file that comes and goes with it. */
  readonly beside?: { readonly path: string; readonly content: string };
  /** Argv each, in their order. */
  readonly install: readonly Command[];
  readonly remove: readonly Command[];
  readonly status: Command;
}

type Command = readonly [string, ...string[]];

const name = "ipai-worker";
const log = `/var/log/${name}.log`;
/** What is under way ends first; whatever takes longer is ended, and gone on with after the next start. Seconds. */
const stopSeconds = 600;

export const systemd: InitSystem = {
  name: "systemd",
  path: `/etc/systemd/system/${name}.service`,
  mode: 0o644,
  render: renderUnit,
  install: [
    ["systemctl", "daemon-reload"],
    ["systemctl", "enable", "--now", `${name}.service`],
  ],
  remove: [["systemctl", "disable", "--now", `${name}.service`]],
  status: ["systemctl", "is-active", `${name}.service`],
};

export const initd: InitSystem = {
  name: "init.d",
  path: `/etc/init.d/${name}`,
  mode: 0o755,
  render: renderScript,
  beside: { path: `/etc/logrotate.d/${name}`, content: rotation() },
  install: [
    ["update-rc.d", name, "defaults"],
    [`/etc/init.d/${name}`, "start"],
  ],
  remove: [
    [`/etc/init.d/${name}`, "stop"],
    ["update-rc.d", "-f", name, "remove"],
  ],
  status: [`/etc/init.d/${name}`, "status"],
};

function renderUnit({ program, command, config, environment }: ServiceSettings): string {
  const variables = Object.entries(environment).map(
    ([key, value]) => `Environment=${variableQuote(`${key}=${value}`)}`,
  );
  return `# Written by \`ipai service install\`. Secrets of the configuration, and IPAI_DATABASE_URL, stand in /etc/ipai/environment.
[Unit]
Description=ipai worker: what is scheduled, and runs that another process left
Documentation=file:${program.replace(/bin\/ipai$/, "docs/operating/schedules.md")}
After=network-online.target postgresql.service docker.service
Wants=network-online.target

[Service]
ExecStart=${[program, "--config", config, command].map(unitQuote).join(" ")}
${["Environment=HOME=/root", ...variables].join("\n")}
Restart=always
RestartSec=2
# The control database, and what plans start to outlive them, belong to this group too: only the worker itself is told. Its own
# programs end with it.
KillMode=process
TimeoutStopSec=${stopSeconds}

[Install]
WantedBy=multi-user.target
`;
}

/** As every other log of a Debian machine. The script keeps the file open, so it is copied and emptied. */
function rotation(): string {
  return `# Written by \`ipai service install\`.
${log} {
  weekly
  maxsize 50M
  rotate 8
  missingok
  notifempty
  compress
  delaycompress
  copytruncate
}
`;
}

/** systemd takes % for its own. */
function variableQuote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%")}"`;
}

/** In a command line $ too. */
function unitQuote(text: string): string {
  return variableQuote(text).replaceAll("$", "$$$$");
}

/** The script is its own supervisor: \`loop\` starts the worker again whenever it ends without having been told to. */
function renderScript({ program, command, config, environment }: ServiceSettings): string {
  const variables = Object.entries(environment).map(([key, value]) => `export ${key}=${quote(value)}`);
  return `#!/bin/sh
# Written by \`ipai service install\`. Secrets of the configuration, and IPAI_DATABASE_URL, stand in /etc/ipai/environment.
### BEGIN INIT INFO
# Provides:          ${name}
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      postgresql docker
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: ipai worker: what is scheduled, and runs that another process left
### END INIT INFO
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="\${HOME:-/root}"
pid_file=/run/${name}.pid
log=${log}

run_worker() {
  ${variables.length === 0 ? ":" : variables.join("\n  ")}
  exec ${[program, "--config", config, command].map(quote).join(" ")}
}

stopping= signals=0 child= told=

# Only once: a second signal would mean to leave at once. The number may be another process's by now; that is no child of this one.
tell() {
  [ -n "$child" ] && [ -z "$told" ] && grep -q "^PPid:.$$\\$" "/proc/$child/status" 2>/dev/null || return 0
  told=yes
  kill -TERM "$child" 2>/dev/null
}

# Starts something and waits until it has ended. A wait that a signal came into may have been cut short by it; one that none came
# into was not.
attend() {
  "$@" &
  child=$! told=
  [ -z "$stopping" ] || tell
  while :; do
    seen=$signals
    wait "$child"
    [ "$signals" != "$seen" ] || break
  done
  child=
}

# One that ends soon after its start is started again later and later.
loop() {
  trap 'stopping=yes; signals=$((signals + 1)); tell' TERM INT
  pause=1
  while [ -z "$stopping" ]; do
    began=$(date +%s)
    attend run_worker
    [ -z "$stopping" ] || break
    if [ $(($(date +%s) - began)) -gt 60 ]; then pause=1; fi
    echo "$(date -u +%FT%TZ) the worker ended; it is started again in $pause s"
    attend sleep "$pause"
    pause=$((pause < 32 ? pause * 2 : 60))
  done
}

# The loop is the leader of its group, and nothing else has this script as its program.
running() {
  pid=$(cat "$pid_file" 2>/dev/null) && tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '${name} loop'
}

case $1 in
  start)
    if running; then echo "${name} runs already ($pid)"; exit 0; fi
    setsid "$0" loop </dev/null >>"$log" 2>&1 &
    echo $! >"$pid_file"
    echo "${name} is started; its log is $log"
    ;;
  stop)
    if ! running; then echo "${name} does not run"; exit 0; fi
    kill -TERM "$pid"
    tries=0
    while running && [ $tries -lt ${stopSeconds} ]; do sleep 1; tries=$((tries + 1)); done
    if running; then kill -KILL -- "-$pid" 2>/dev/null; fi
    rm -f "$pid_file"
    echo "${name} is stopped"
    ;;
  restart | force-reload) "$0" stop; "$0" start ;;
  status)
    if running; then echo "${name} runs ($pid)"; exit 0; fi
    echo "${name} does not run"
    exit 3
    ;;
  loop) loop ;;
  *) echo "Usage: $0 {start|stop|restart|status}" >&2; exit 2 ;;
esac
`;
}
