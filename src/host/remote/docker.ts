import { quote } from "../../runbook/shell.ts";
import {
  ContainerMissing,
  ContainerNotRunning,
  DockerUnreachable,
  engineFault,
  ProgramNotFound,
  RemoteUnfit,
} from "../errors.ts";
import type { Way } from "./connection.ts";

/**
 * Into a container of a Docker engine, as its root. `outer` is the way to the engine's machine, if that is another one. Docker's own
 * client does not end what it has started when it is ended itself; the guard does, which sees the end of its standard input.
 */
export function dockerWay(container: string, outer: Way | undefined): Way {
  const session = (commandLine: string): readonly [string, ...string[]] => {
    const argv = ["docker", "exec", "-i", "--user", "0:0", container, "sh", "-c", commandLine] as const;
    return outer === undefined ? argv : outer.session(argv.map(quote).join(" "));
  };
  return {
    destination: outer === undefined ? `container ${container}` : `container ${container} on ${outer.destination}`,
    open: session,
    session,
    refusal: (exitCode, said) => refusal(container, exitCode, said) ?? outer?.refusal(exitCode, said) ?? fault(said),
    close: () => undefined,
  };

  function fault(said: string): Error {
    return DockerUnreachable({ reason: said.trim().split("\n").at(-1) ?? "" });
  }
}

/** Undefined: it says nothing that is docker's. */
function refusal(container: string, exitCode: unknown, said: string): Error | undefined {
  const reason = said.trim().split("\n").at(-1)?.trim() ?? "";
  if (/No such container/i.test(said)) return ContainerMissing({ container });
  if (/is not running|is restarting|is paused/i.test(said)) return ContainerNotRunning({ container, reason });
  const fault = engineFault(said);
  if (fault !== undefined) return fault;
  if (/docker: (command )?not found|docker: No such file/i.test(said)) return ProgramNotFound({ program: "docker" });
  if (exitCode === 126 || exitCode === 127) return RemoteUnfit({ host: `container ${container}`, reason });
  if (exitCode === 73) return RemoteUnfit({ host: `container ${container}`, reason });
  return undefined;
}
