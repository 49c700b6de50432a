import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HostKeyChanged, HostKeyUnknown, HostUnreachable, LoginRefused, RemoteUnfit } from "../errors.ts";
import { makeOwnFolder } from "../leftovers.ts";
import type { Way } from "./connection.ts";

export interface SshOptions {
  /** As ssh takes it: `ssh://user@host:port`; the host may be an alias of the user's ssh configuration. */
  readonly destination: string;
  /** Another configuration file than the user's own. */
  readonly configFile?: string | undefined;
}

/**
 * By OpenSSH's own client, so that its configuration, agent, jump hosts and known hosts count. The first session carries the
 * connection, and the others need no log-in of their own.
 */
export function sshWay(options: SshOptions): Way {
  const { destination } = options;
  const folder = makeOwnFolder(tmpdir(), "ipai-ssh-");
  const socket = join(folder, "s");
  const ssh = (session: readonly string[], commandLine: string) =>
    ["ssh", ...session, "-S", socket, ...commonOptions(options), destination, commandLine] as const;
  return {
    destination,
    open: (commandLine) => ssh(["-M", "-o", "ControlPersist=no"], commandLine),
    session: (commandLine) => ssh(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"], commandLine),
    refusal: (exitCode, said) => refusal(destination, exitCode, said),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What the user's own configuration may not change: nobody is there to be asked, and a host that is not known is not trusted. */
function commonOptions({ configFile }: SshOptions): readonly string[] {
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    ConnectTimeout: "10",
    ServerAliveInterval: "5",
    ServerAliveCountMax: "3",
    ClearAllForwardings: "yes",
    ForwardAgent: "no",
    PermitLocalCommand: "no",
    RemoteCommand: "none",
    RequestTTY: "no",
    LogLevel: "ERROR",
  };
  return [
    ...(configFile === undefined ? [] : ["-F", configFile]),
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
  ];
}

/** ssh answers everything that is its own fault with 255; only its words tell what it was. */
function refusal(destination: string, exit: unknown, said: string): Error {
  const reason = said.trim().split("\n").at(-1)?.trim() ?? "";
  if (/IDENTIFICATION HAS CHANGED|Offending .* key in/.test(said)) return HostKeyChanged({ host: destination });
  if (/Host key verification failed|No .* host key is known/.test(said)) return HostKeyUnknown({ host: destination });
  if (/Permission denied|Too many authentication failures|no such identity/i.test(said))
    return LoginRefused({ host: destination, reason });
  if (exit === 127 || exit === 73)
    return RemoteUnfit({ host: destination, reason: exit === 127 ? "it has no bash" : reason });
  return HostUnreachable({ host: destination, reason });
}
