/** The tool's own directory on this machine: the control database and the practice stack live below it. */
export function ipaiHome(environment: NodeJS.ProcessEnv): string {
  return environment["IPAI_HOME"] || "/var/lib/ipai";
}

/** Where downloads and fresh databases are kept between runs. */
export function ipaiCache(environment: NodeJS.ProcessEnv): string {
  return environment["IPAI_CACHE"] || "/var/cache/ipai";
}
