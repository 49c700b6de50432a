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
  message: (d) => `PostgreSQL cannot be asked: ${d.output?.trim().split("\n").at(-1) ?? "it gives no reason"}`,
  hint: () => "Does it run (`pg_lsclusters`), does the database exist, and are connections left?",
});
