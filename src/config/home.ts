import { join } from "node:path";

/** The tool's own directory on this machine: the control database and the practice stack live below it. */
export function ipaiHome(environment: NodeJS.ProcessEnv): string {
  return environment["IPAI_HOME"] || "/var/lib/ipai";
}

/** Where downloads and fresh databases are kept between runs. */
export function ipaiCache(environment: NodeJS.ProcessEnv): string {
  return environment["IPAI_CACHE"] || "/var/cache/ipai";
}

/** Where backups of the control database are kept when the configuration names no folder. */
export function usualControlBackups(environment: NodeJS.ProcessEnv): string {
  return join(ipaiHome(environment), "control-backups");
}
