import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command } from "../runbook/action.ts";
import type { Text } from "../runbook/value.ts";
import { containerOf, projectOf } from "./runtime/compose.ts";
import type { Runtime } from "./runtime/runtime.ts";

/** The files of a database server that need not start: where they are, what it last said, and what it was told in files. */
export interface ServerFiles {
  /**
   * Prints `online` or `down`, its data folder as the tools see it, and its log (`-` for standard input), a line each; nothing where there
   * is no such server. Ends with 9 where the tools cannot exchange the folder.
   */
  readonly find: CommandAction;
  /** The server as people know it. */
  readonly name: string;
  /** A program among the tools; its standard input is what the server said, where that is no file. */
  told(argv: readonly [Text, ...Text[]]): CommandAction;
  /** Its configuration lies in its data folder, and is exchanged with it. */
  readonly isConfigurationInside: boolean;
}

/** What a server's configuration consists of, in whichever folder. */
export const configurationFiles = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] as const;

export function createServerFiles(stack: StackConfig, runtime: Runtime): ServerFiles | undefined {
  const { host, services } = stack;
  if ("compose" in stack.runtime) return filesInVolume(stack, runtime);
  const service = stack.runtime.native.services[services.database.name];
  if (service === undefined || !("cluster" in service)) return undefined;
  return {
    find: command(host, ["sh", "-c", clusterScript, "find", service.cluster], {
      env: { PG_CLUSTER_CONF_ROOT: service.configRoot },
    }),
    name: service.cluster,
    told: (argv) => command(host, argv),
    isConfigurationInside: false,
  };
}

/** Debian's own list of clusters tells of one that does not start, and of one whose data are gone. */
const clusterScript = `
pg_lsclusters --no-header | awk -v cluster="$1" '$1 "/" $2 == cluster { print ($4 ~ /^online/ ? "online" : "down"); print $6; print $7 }'
`;

function filesInVolume(stack: StackConfig, runtime: Runtime): ServerFiles {
  const { host, services } = stack;
  const project = projectOf(stack);
  const [database, tools] = [containerOf(project, services.database.name), containerOf(project, project.tools)];
  return {
    find: command(host, ["sh", "-c", volumeScript, "find", database, tools], {
      exitCodes: { 9: "recovery.data_not_shared" },
    }),
    name: database,
    told: (argv) => ({
      kind: "command",
      host,
      pipeline: [
        { argv: ["docker", "logs", "--tail", "20000", database], mergeStderr: true },
        { argv: ["docker", "exec", "--interactive", tools, ...argv] },
      ],
    }),
    isConfigurationInside: runtime.postgres.configuration === undefined,
  };
}

/** A folder that is a volume itself cannot be renamed: the data have to lie below it, and the tools may write to the same one. */
const volumeScript = `
set -eu
docker container inspect "$1" >/dev/null 2>&1 || exit 0
state=$(docker container inspect --format '{{.State.Running}}' "$1")
data=$(docker container inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n 's/^PGDATA=//p')
data=\${data:-/var/lib/postgresql/data}
mounts() { docker container inspect --format '{{range .Mounts}}{{.RW}}{{"\\t"}}{{.Source}}{{"\\t"}}{{.Destination}}{{"\\n"}}{{end}}' "$1"; }
shared=$({ mounts "$1"; echo; mounts "$2"; } | data=$data awk -F '\\t' '
  !seen && index(ENVIRON["data"], $3 "/") == 1 && $3 != "" { own[$2 FS $3] = 1 }
  NF == 0 { seen = 1 }
  seen && $1 == "true" && ($2 FS $3) in own { print "yes"; exit }')
[ "$shared" = yes ] || { printf '%s\\n' "$data" >&2; exit 9; }
if [ "$state" = true ]; then echo online; else echo down; fi
printf '%s\\n-\\n' "$data"
`;
