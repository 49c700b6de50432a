import { defineError } from "../errors/error.ts";

/** What a service of a stack can answer wrongly. Commands that end with a listed exit code give `{program, exitCode, output}`. */
interface CommandDetails {
  readonly program?: string;
  readonly exitCode?: number;
  readonly output?: string;
}

interface ProbeDetails {
  readonly title: string;
  readonly found: string;
}

export const ServiceNotRunning = defineError<ProbeDetails>("stack.service_not_running", {
  exitCode: 40,
  message: (d) => `A service did not start: ${d.title} is not so.`,
  hint: () => "Its own log says why; `ipai status` names the file.",
});

export const ServiceStillRunning = defineError<ProbeDetails>("stack.service_still_running", {
  exitCode: 41,
  message: (d) => `A service did not stop: ${d.title} is not so.`,
  hint: () => "Is something restarting it (systemd, a supervisor)? Stop that first.",
});

export const ComposeMissing = defineError<CommandDetails>("stack.compose_missing", {
  exitCode: 44,
  message: (d) =>
    `There is no Docker Compose on the host: \`${lastLine(d) || "docker compose"} version\` answers with none. Nothing was changed.`,
  hint: () =>
    "Install its plugin for docker (the package docker-compose-plugin of Docker, docker-compose of Debian 13, docker-compose-v2 of " +
    "Ubuntu), or set runtime.compose.program to how it is called there: [docker-compose] for version 1.",
});

export const ComposeTooOld = defineError<CommandDetails>("stack.compose_too_old", {
  exitCode: 45,
  message: (d) =>
    `Docker Compose cannot do what is asked: ${lastLine(d) || "its version is too old"}. Nothing was changed.`,
  hint: () =>
    "Install a newer one (the package docker-compose-plugin of Docker). Is there already another one on the host? Name it under runtime.compose.program.",
});

export const ContainerTaken = defineError<CommandDetails>("stack.container_taken", {
  exitCode: 25,
  message: (d) => `Another run works in its own container beside the services: ${lastLine(d) || "nobody said which"}.`,
  hint: () => "Wait until that run has ended, or resume or cancel it: `ipai runs`.",
});

export const ComposeFileUnreadable = defineError<CommandDetails>("stack.compose_file", {
  exitCode: 46,
  message: (d) => `Docker Compose cannot read the project's files: ${lastLines(d) || "it gives no reason"}.`,
  hint: () =>
    "Are runtime.compose.directory and files right? `docker compose config --quiet` in that folder names the line that is wrong.",
});

export const ContainerElsewhere = defineError<CommandDetails>("stack.container_elsewhere", {
  exitCode: 47,
  message: (d) =>
    `The container was made under another name than ipai looks for: ${lastLine(d) || "the service has none"}. It was not started.`,
  hint: () => "Name it under runtime.compose.containers. Version 1 of Compose names them PROJECT_SERVICE_1.",
});

export const OdooNotServing = defineError<ProbeDetails>("odoo.not_serving", {
  exitCode: 42,
  message: (d) => `Odoo does not serve its login page: ${d.title} is not so (found ${d.found}).`,
  hint: () =>
    "A redirect means that its database is missing or not reachable, a 500 that its code and its database do not fit.",
});

export const OdooUpdateFailed = defineError<CommandDetails>("odoo.update_failed", {
  exitCode: 43,
  message: () => "Odoo gave up the update (exit code 255). What it had committed until then is half a change.",
  hint: () =>
    "The last lines of its log name the module and the cause: a view, a data file, an import or a migration script.",
});

export const OdooUpdateCrashed = defineError<CommandDetails>("odoo.update_crashed", {
  exitCode: 44,
  message: () =>
    "Odoo could not begin the update (exit code 1): it did not reach its database, or could not load its code.",
  hint: () => "Is PostgreSQL up, and is the password in odoo.conf right?",
});

export const OdooBadOptions = defineError<CommandDetails>("odoo.bad_options", {
  exitCode: 45,
  message: () => "Odoo refused its own configuration (exit code 2).",
  hint: () => "Does the file under odoo.config exist, and has it only options that this Odoo knows?",
});

export const OdooUpdateKilled = defineError<CommandDetails>("odoo.update_killed", {
  exitCode: 46,
  message: () => "The update was killed from outside. Modules may be left between two states.",
  hint: () =>
    "Did the machine run out of memory? `dmesg` tells. Odoo would finish the update by itself at its next start, unverified.",
});

export const OdooNeutralizeFailed = defineError<CommandDetails>("odoo.neutralize_failed", {
  exitCode: 47,
  message: () => "Odoo could not neutralize the copy. Nothing was started on it.",
  hint: () => "Is it an Odoo database, and of the series of this Odoo?",
});

export const PostgresUnreachable = defineError<CommandDetails>("postgres.unreachable", {
  exitCode: 40,
  retryable: true,
  message: (d) => `PostgreSQL cannot be asked: ${lastLine(d) || "it gives no reason"}`,
  hint: () => "Does it run (`pg_lsclusters`), does the database exist, and are connections left?",
});

export const GitUnreadable = defineError<CommandDetails>("git.unreadable", {
  exitCode: 40,
  message: (d) => `Git cannot read the repository: ${lastLine(d) || "it gives no reason"}. Nothing was changed.`,
  hint: () =>
    "Is source.repository the top of a work tree, and does all of it belong to one user? `dubious ownership` means that parts belong to " +
    "somebody else.",
});

export const GitUnknownRevision = defineError<CommandDetails>("git.unknown_revision", {
  exitCode: 41,
  message: () => "The repository has no commit of that name. Nothing was changed.",
  hint: () =>
    "It is a branch or a tag of the remote by its own name (main, and not origin/main), or a commit. Was it pushed? `git log --all` in the repository lists what it has.",
});

export const GitFetchFailed = defineError<CommandDetails>("git.fetch_failed", {
  exitCode: 42,
  retryable: true,
  message: (d) =>
    `The remote's commits could not be fetched: ${lastLines(d) || "git gives no reason"}. Nothing was changed.`,
  hint: () =>
    "Does `git fetch`, run by the user who owns the repository, work without a question? That user's key or credential helper is used.",
});

export const GitCheckoutRefused = defineError<CommandDetails>("git.checkout_refused", {
  exitCode: 43,
  message: (d) => `Git refused to bring the commit into the work tree: ${lastLines(d) || "it gives no reason"}.`,
  hint: () =>
    "A file in its way is not in git, or was changed by hand. `git status` names it: keep it elsewhere or commit it.",
});

export const GitNotClean = defineError<ProbeDetails>("git.not_clean", {
  exitCode: 44,
  message: (d) => `The work tree is not what its commit says: ${d.found}.`,
  hint: () => "Somebody changed files on the server. Commit them, or take the changes back with `git restore`.",
});

export const GitNotAtCommit = defineError<ProbeDetails>("git.not_at_commit", {
  exitCode: 45,
  message: (d) => `The work tree is at the commit ${d.found}, not at the one that was meant.`,
  hint: () => "Does somebody else check out commits in this repository?",
});

function lastLine({ output }: CommandDetails): string {
  return output?.trim().split("\n").at(-1) ?? "";
}

/** An error of YAML is three lines: what, and where. */
function lastLines({ output }: CommandDetails): string {
  const lines = output?.trim().split("\n").slice(-3) ?? [];
  return lines.map((line) => line.trim()).join(" ");
}

export const ProxyServerUnknown = defineError<CommandDetails>("proxy.server_unknown", {
  exitCode: 40,
  message: (d) => `The file of upstreams does not name a service's server: ${lastLine(d)} Nothing was changed.`,
  hint: () =>
    "services.proxy.upstreams must be the file with nginx's upstream blocks, where each server stands on a line of its own with the address " +
    "of services.odoo's url (and websocket).",
});

export const UpstreamsUnseen = defineError<CommandDetails>("proxy.upstreams_unseen", {
  exitCode: 40,
  message: (d) =>
    `nginx does not see the file of upstreams as it lies on the machine: ${lastLine(d)} Nothing was changed.`,
  hint: () =>
    "Its container must have services.proxy.upstreams mounted, the file or a folder above it. A file that was put in the place of another is seen " +
    "after the container was started anew.",
});

export const ProxyNotReloaded = defineError<CommandDetails>("proxy.not_reloaded", {
  exitCode: 40,
  message: () =>
    "nginx did not read its configuration again: it goes on with what it had, and the file of upstreams is as it was.",
  hint: () => "`nginx -t` with its configuration says what is wrong.",
});

export const ImageNotBuilt = defineError<CommandDetails>("image.not_built", {
  exitCode: 40,
  message: () => "An image of the release could not be built. Nothing was changed: services go on as they are.",
  hint: () => "What the builder said is in `ipai runs logs`. Correct it in a new commit.",
});

export const ImageNotInPlace = defineError<ProbeDetails>("image.not_in_place", {
  exitCode: 40,
  message: () => "An image, or a container that should be made of it, is not as this run has left it.",
  hint: () => "Does somebody else build, tag or start the project's images? `docker image ls` and `docker ps` tell.",
});

export const ImageInUse = defineError<CommandDetails>("image.in_use", {
  exitCode: 40,
  message: (d) =>
    `An image that was to be removed is in use by now: ${lastLine(d) || "nobody said by what"}. It was not removed.`,
  hint: () => "Nothing is lost. `ipai images prune` looks again at what is needed.",
});
