import { readFileSync } from "node:fs";

/** Where secrets and settings of this machine stand: `NAME=VALUE` lines, as systemd takes them too. Only root should read it. */
const usualFile = "/etc/ipai/environment";

/**
 * The caller's variables, and below them those of the file: so that a command at night finds the same secrets as the service. A file
 * that is not there, or not for this user, has none.
 */
export function withEnvironmentFile(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...parse(read(environment["IPAI_ENVIRONMENT_FILE"] ?? usualFile)), ...environment };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Lines that are no assignment are passed over; quotes around a whole value are taken off. */
function parse(text: string): Readonly<Record<string, string>> {
  const lines = text.split("\n").flatMap((line) => {
    const [, name, value = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)\s*$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value.replace(/^(["'])(.*)\1$/, "$2")] as const];
  });
  return Object.fromEntries(lines);
}
