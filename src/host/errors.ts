import { defineError } from "../errors/error.ts";

/** What can go wrong between this program and a host. Errors with `output` carry the last lines that the command printed. */

const mayHaveHappened =
  "Whether it changed anything before that is not known from here; the step's own checks find out.";

export const CommandFailed = defineError<{ program: string; exitCode: number; signal?: string; output: string }>(
  "host.command_failed",
  {
    exitCode: 30,
    message: (d) =>
      d.signal === undefined
        ? `${d.program} failed with exit code ${d.exitCode}.${lastLine(d.output)}`
        : `${d.program} was ended by ${d.signal} (exit code ${d.exitCode}).${lastLine(d.output)}`,
    hint: (d) =>
      d.signal === "SIGKILL"
        ? "Nobody asked for that from here: look for the out-of-memory killer in the host's kernel log."
        : "Read its last lines; run the step's command by hand on the host to see the whole output.",
  },
);

export const DiskFull = defineError<{ program: string; exitCode: number; output: string }>("host.disk_full", {
  exitCode: 35,
  message: (d) => `A disk ran full.${fullLine(d.output)}`,
  hint: () => "`df -h` and `df -i` on the host name the disk. Free some space there, then run the command again.",
});

export const StartFailed = defineError<{ program: string; reason: string }>("host.start_failed", {
  exitCode: 30,
  retryable: true,
  message: (d) => `${d.program} could not be started: ${d.reason}. Nothing was run.`,
  hint: () => "Does the host still have memory, processes and open files to give (ulimit -a, free -m)?",
});

export const ProgramNotFound = defineError<{ program: string }>("host.program_not_found", {
  exitCode: 31,
  message: (d) => `The program ${d.program} does not exist on the host.`,
  hint: (d) => `Install it, or look for it with: command -v ${d.program}`,
});

export const PermissionDenied = defineError<{ program: string }>("host.permission_denied", {
  exitCode: 32,
  message: (d) => `The program ${d.program} exists on the host but may not be executed.`,
  hint: (d) =>
    `Does ${d.program} have its executable bit, on a file system that is not mounted noexec, and may this user run it?`,
});

export const CommandTimeout = defineError<{ program: string; seconds: number; output: string }>("host.timeout", {
  exitCode: 33,
  retryable: true,
  message: (d) =>
    `${d.program} did not end within ${d.seconds} s and was stopped with everything it had started. ${mayHaveHappened}`,
  hint: (d) =>
    `Is ${d.program} waiting for a lock, a password or the network? Its last lines may tell; otherwise allow it more time.`,
});

export const CommandCancelled = defineError<{ program: string; output: string }>("host.cancelled", {
  exitCode: 34,
  message: (d) => `${d.program} was stopped because the run was cancelled. ${mayHaveHappened}`,
  hint: () => "Look at the run: it says who cancelled it and what was undone.",
});

export const OutputTooLarge = defineError<{ bytesMax: number }>("host.output_too_large", {
  exitCode: 35,
  message: (d) =>
    `The command printed more than ${d.bytesMax / 1_048_576} MiB, so its answer is not complete and is not used.`,
  hint: () => "Ask for less: a narrower query, a limit, or let the command write to a file.",
});

export const OutputUnreadable = defineError<{ from: string; wanted: string; output: string }>(
  "host.output_unreadable",
  {
    exitCode: 36,
    message: (d) => `The answer on ${d.from} is not ${d.wanted}: ${excerpt(d.output)}`,
    hint: () =>
      "Does the program have the expected version? Run the step's command by hand and compare what it prints.",
  },
);

export const HttpUnreachable = defineError<{ url: string; exitCode: number; output: string }>("host.http_unreachable", {
  exitCode: 37,
  retryable: true,
  message: (d) => `No HTTP answer from ${d.url}.${lastLine(d.output)}`,
  hint: () => "Is the service running and listening on that address, as seen from the host that asks?",
});

export const HttpTimeout = defineError<{ url: string; seconds: number; output: string }>("host.http_timeout", {
  exitCode: 38,
  retryable: true,
  message: (d) => `No complete HTTP answer from ${d.url} within ${d.seconds} s.`,
  hint: () => "Is the service overloaded, still starting, or is a firewall dropping the packets?",
});

export const HostUnreachable = defineError<{ host: string; reason: string }>("host.unreachable", {
  exitCode: 41,
  retryable: true,
  message: (d) =>
    `There is no connection to ${d.host}${d.reason === "" ? "" : `: ${excerpt(d.reason)}`}. Nothing was run.`,
  hint: (d) => `Is the machine up, and does \`ssh ${d.host}\` work from here, as this user?`,
});

export const ConnectionLost = defineError<{ host: string; program: string; output: string }>("host.connection_lost", {
  exitCode: 42,
  retryable: true,
  message: (d) => `The connection to ${d.host} was lost while ${d.program} ran. ${mayHaveHappened}`,
  hint: () =>
    "Nothing that was started there goes on: it is ended within 30 s, or as soon as there is a connection again.",
});

export const HostKeyUnknown = defineError<{ host: string }>("host.key_unknown", {
  exitCode: 43,
  message: (d) =>
    `The key of ${d.host} is not known here, so nobody can say whether it is that machine. Nothing was run.`,
  hint: (d) =>
    `Connect once by hand (ssh ${d.host}), compare the fingerprint with the machine's own (ssh-keygen -lf on its /etc/ssh/*.pub) and accept it.`,
});

export const HostKeyChanged = defineError<{ host: string }>("host.key_changed", {
  exitCode: 44,
  message: (d) =>
    `${d.host} has another key than the one that is known: it is another machine, or somebody is in between. Nothing was run.`,
  hint: (d) =>
    `Was it installed anew? Only if you know that it was: remove the old key (ssh-keygen -R) and accept the new one by hand (ssh ${d.host}).`,
});

export const LoginRefused = defineError<{ host: string; reason: string }>("host.login_refused", {
  exitCode: 45,
  message: (d) => `${d.host} does not let this user in: ${excerpt(d.reason)} Nothing was run.`,
  hint: () =>
    "Is the key in the agent or in the ssh configuration (IdentityFile), readable by this user, and in authorized_keys there? Passwords are never asked for.",
});

export const RemoteUnfit = defineError<{ host: string; reason: string }>("host.unfit", {
  exitCode: 46,
  message: (d) => `${d.host} cannot be worked on: ${d.reason}. Nothing was run.`,
  hint: () => "It needs bash, and a folder that can be written below /run, /dev/shm or /tmp.",
});

export const ContainerMissing = defineError<{ container: string }>("host.container_missing", {
  exitCode: 68,
  message: (d) => `There is no container ${d.container}. Nothing was run.`,
  hint: () =>
    "`docker ps -a` lists what there is. Make it with `docker compose up -d`, or name it under runtime.compose.containers if it has another name.",
});

export const ContainerNotRunning = defineError<{ container: string; reason: string }>("host.container_not_running", {
  exitCode: 69,
  retryable: true,
  message: (d) => `Nothing can be run in the container ${d.container}: ${excerpt(d.reason)} Nothing was run.`,
  hint: (d) =>
    `\`docker logs --tail 50 ${d.container}\` says why it stopped; start it with \`docker start ${d.container}\`.`,
});

export const DockerUnreachable = defineError<{ reason: string }>("host.docker_unreachable", {
  exitCode: 71,
  retryable: true,
  message: (d) => `The Docker engine does not answer: ${excerpt(d.reason)} Nothing was run.`,
  hint: () => "Is it running on that host (systemctl status docker)? ipai asks it through the docker program there.",
});

export const DockerRefused = defineError<{ reason: string }>("host.docker_refused", {
  exitCode: 72,
  message: () => "This user may not use the Docker engine. Nothing was run.",
  hint: () =>
    "Put the user that ipai logs in as into the group docker on that host (usermod -aG docker USER), and log in anew.",
});

/** What docker's own client says when the engine does not answer it; undefined when it says something else. */
export function engineFault(said: string): Error | undefined {
  const line = said.split("\n").find((each) => engineWords.test(each.trim()));
  if (line === undefined) return undefined;
  return /permission denied/i.test(line)
    ? DockerRefused({ reason: line.trim() })
    : DockerUnreachable({ reason: line.trim() });
}

/** Of versions 20 to 29. */
const engineWords =
  /^(ERROR: |docker: )?(Got )?(Cannot connect to the Docker daemon at|error during connect:|failed to connect to the docker API at|permission denied while trying to connect to the (Docker daemon socket|docker API))/i;

export const UnknownCall = defineError<{ name: string; version: number }>("host.unknown_call", {
  exitCode: 39,
  message: (d) =>
    `The plan asks for the function ${d.name}, version ${d.version}, which this version of ipai does not have. Nothing was run.`,
  hint: () => "The plan was made by another version: make it again, or resume it with the version that made it.",
});

export const MissingOutput = defineError<{ step: string; name: string }>("host.missing_output", {
  exitCode: 39,
  message: (d) => `The step ${d.step} has not recorded ${d.name}, which this action needs. Nothing was run.`,
  hint: (d) => `Was ${d.step} skipped? Look at what it recorded in the run's steps.`,
});

/** The place is away and may come back: a machine behind a cable, an engine that is started anew, a container of it. */
export const comesBack: readonly string[] = [
  HostUnreachable.code,
  ConnectionLost.code,
  DockerUnreachable.code,
  ContainerNotRunning.code,
];

/** The last line that names an error, since psql and Python point at its place below it; without one, the last line. */
function lastLine(output: string): string {
  const lines = output.trimEnd().split("\n");
  const line = (lines.findLast((each) => /\b(error|fatal|panic)\b/i.test(each)) ?? lines.at(-1) ?? "").trim();
  return line === "" ? "" : ` It said: ${excerpt(line)}`;
}

/** As the C library, PostgreSQL, git and quotas say it. */
const full = /no space left on device|disk quota exceeded|out of diskspace/i;

/** A program's last lines say that a disk is full. */
export function saysFull(output: string): boolean {
  return full.test(output);
}

function fullLine(output: string): string {
  const line = output.split("\n").find((each) => full.test(each));
  return line === undefined ? "" : ` It said: ${excerpt(line)}`;
}

function excerpt(text: string): string {
  const flat = text.trim();
  if (flat === "") return "it is empty";
  return flat.length > 200 ? `${flat.slice(0, 200)}…` : flat;
}
