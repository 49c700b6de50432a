import { Command, Help } from "commander";
import { allWritten } from "./output.ts";
import { registerCertificate } from "./program/certificate.ts";
import { registerDatabase } from "./program/database.ts";
import { registerDeployment } from "./program/deployment.ts";
import { registerExchange } from "./program/exchange.ts";
import { registerFiles } from "./program/files.ts";
import { registerFinance } from "./program/finance.ts";
import { registerItself } from "./program/itself.ts";
import { registerMaintenance } from "./program/maintenance.ts";
import { registerN8n } from "./program/n8n.ts";
import { registerPast } from "./program/past.ts";
import { registerPeople } from "./program/people.ts";
import { registerRecovery } from "./program/recovery.ts";
import { begun, changing, json, planned, run } from "./program/register.ts";
import { registerResources } from "./program/resources.ts";
import { registerRestore } from "./program/restore.ts";
import { registerService } from "./program/service.ts";
import { registerUpgrade } from "./program/upgrade.ts";
import { registerWal } from "./program/wal.ts";
import { version } from "./version.ts";

/**
 * `ipai`. Commands are loaded when they are used, so that help is there at once. This is the only place that sets the exit code.
 */
const program = new Command("ipai")
  .description(
    "Runs the operations of a self-hosted Odoo suite: plans them, runs them, verifies them, undoes them, records them.",
  )
  .version(version)
  .option("-c, --config <file>", "configuration (default: ipai.yaml here, /etc/ipai/ipai.yaml, the practice stack's)")
  .option("-s, --stack <name>", "which stack, when the configuration has several")
  .option("--debug", "show the cause of errors")
  .showHelpAfterError("Run with --help to see what there is.")
  // A mistyped command must not look like an answer: 1 is health's "warn".
  .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : usageExitCode));

const usageExitCode = 14;
// Commands that are made from here on take it over.
program.configureHelp({
  optionDescription: (option) =>
    `${Help.prototype.optionDescription.call(new Help(), option)}${option.mandatory ? " (required)" : ""}`,
});

program.commandsGroup("To begin:");
program
  .command("demo")
  .description("bring up a practice stack and show the main job on it")
  .argument("[what]", "up, down or reset; without it the whole demonstration")
  .option("--compose", "on Docker Compose instead of Debian's own services")
  .option("--once", "take the practice stack down again afterwards")
  .option("--remove", "with down: remove its data as well")
  .action(
    run(async (context, what, options) =>
      (await import("./commands/demo.ts")).demo(context, what as string | undefined, options),
    ),
  );

json(program.command("init"))
  .description("look at a compose project that runs, write its ipai.yaml, and say what is wrong with it")
  .argument("[host]", "where it runs: ssh://USER@HOST; this machine without it")
  .option("--project <name>", "which project, when several have an Odoo")
  .option("--database <name>", "which database, when several have an Odoo")
  .option("-o, --output <file>", "file to write (default: ipai.yaml here)")
  .option("--force", "replace the file")
  .option("--check", "only say what is wrong, and write nothing")
  .action(
    run(async (context, host, options) =>
      (await import("./commands/init.ts")).init(context, host as string | undefined, options),
    ),
  );

program.commandsGroup("Every day:");
json(program.command("status"))
  .description("everything that matters on one screen")
  .action(run(async (context, options) => (await import("./commands/status.ts")).status(context, options)));

json(program.command("health"))
  .description("the health checks (exit code 0 ok, 1 warn, 2 fail, 3 unknown)")
  .option("--plan", "show the commands that ask")
  .action(run(async (context, options) => (await import("./commands/health.ts")).health(context, options)));

const backup = program.command("backup").description("back up the database and its filestore, and prove backups");
changing(backup.command("create", { isDefault: true }))
  .description("make a backup (what `ipai backup` alone does)")
  .option("--reason <why>", "by-hand, before-upgrade or before-restore: how long it is kept", "by-hand")
  .action(
    run(async (context, options) =>
      (await import("./commands/backups.ts")).createBackup(context, String(options["reason"]), options),
    ),
  );
changing(backup.command("verify"))
  .description("prove a backup by restoring it beside the stack")
  .argument("[backup]", "id of the backup", "latest")
  .action(
    run(async (context, id, options) =>
      (await import("./commands/run.ts")).runProcedure(context, "backup verify", { backup: id }, options),
    ),
  );
changing(backup.command("prune"))
  .description("remove the backups that no rule keeps; --plan says which, and why the others are kept")
  .argument("[repository]", "primary, or the name of a copy", "primary")
  .action(
    run(async (context, repository, options) =>
      (await import("./commands/run.ts")).runProcedure(context, "backup prune", { repository }, options),
    ),
  );
changing(backup.command("copy"))
  .description("bring every backup to the other repositories")
  .action(
    run(async (context, options) =>
      (await import("./commands/run.ts")).runProcedure(context, "backup copy", {}, options),
    ),
  );
registerFiles(backup);
changing(backup.command("check"))
  .description("check every repository, and read some of its data back")
  .action(
    run(async (context, options) =>
      (await import("./commands/run.ts")).runProcedure(context, "backup check", {}, options),
    ),
  );
const key = backup.command("key").description("what opens the repositories on another machine");
json(key.command("export"))
  .description("write location, password and credentials of every repository; told in the audit")
  .option("-o, --output <file>", "a new file that only this user may read; standard output without it")
  .action(run(async (context, options) => (await import("./commands/backup-key.ts")).exportKey(context, options)));
json(backup.command("list"))
  .description("backups, their proofs, and for how long they are kept")
  .option("-a, --all", "also those that are not there any more")
  .action(run(async (context, options) => (await import("./commands/backups.ts")).listBackups(context, options)));
json(backup.command("show"))
  .description("one backup: what is known of it, and why it is kept")
  .argument("<backup>", "its id")
  .action(
    run(async (context, id, options) =>
      (await import("./commands/backups.ts")).showBackup(context, id as string, options),
    ),
  );
json(backup.command("pin"))
  .description("keep a backup until it is unpinned, whatever the rules say")
  .argument("<backup>", "its id")
  .requiredOption("--reason <why>", "what it is kept for")
  .action(
    run(async (context, id, options) =>
      (await import("./commands/backups.ts")).pin(context, id as string, options, String(options["reason"])),
    ),
  );
json(backup.command("unpin"))
  .description("let the rules decide about a backup again")
  .argument("<backup>", "its id")
  .action(
    run(async (context, id, options) => (await import("./commands/backups.ts")).pin(context, id as string, options)),
  );
registerCertificate(backup);

registerExchange(program, backup);
registerWal(program);
registerRestore(program);
registerPast(program);
registerResources(program);
registerDatabase(program);
registerMaintenance(program);
registerRecovery(program);

registerDeployment(program);

registerUpgrade(program);

const procedures = program.command("procedures").description("what can be run: what ipai brings, and your own");
json(procedures.command("list", { isDefault: true }))
  .description("every procedure with its chapter and risk")
  .action(run(async (context, options) => (await import("./commands/procedures.ts")).listProcedures(context, options)));
json(procedures.command("show"))
  .description("what a procedure does, and what it takes")
  .argument("<name...>")
  .action(
    run(async (context, name, options) =>
      (await import("./commands/procedures.ts")).showProcedure(context, name as string[], options),
    ),
  );
procedures
  .command("check")
  .description("check your own; errors name file, line and column")
  .action(run(async (context) => (await import("./commands/procedures.ts")).checkProcedures(context)));
procedures
  .command("schema")
  .description("JSON Schema for editors")
  .action(run(async (context) => (await import("./commands/procedures.ts")).printSchema(context)));

planned(program.command("run"))
  .description("run a procedure by its name")
  .argument("<name and input...>", "its name, then NAME=VALUE for each input")
  .action(
    run(async (context, words, options) =>
      (await import("./commands/procedures.ts")).runNamed(context, words as string[], begun(options)),
    ),
  );

program.commandsGroup("What runs by itself:");
const schedules = program.command("schedules").description("what runs by itself, and when");
json(schedules.command("list", { isDefault: true }))
  .description("every schedule, its next time and what became of the last")
  .action(run(async (context, options) => (await import("./commands/schedules.ts")).listSchedules(context, options)));
json(schedules.command("next"))
  .description("the next times of a schedule")
  .argument("<name>")
  .option("-n, --count <count>", "how many", "5")
  .action(
    run(async (context, name, options) =>
      (await import("./commands/schedules.ts")).nextTimes(context, name as string, options),
    ),
  );
json(schedules.command("history"))
  .description("what became of the latest times, of one schedule or of all")
  .argument("[name]")
  .option("-n, --count <count>", "how many", "20")
  .action(
    run(async (context, name, options) =>
      (await import("./commands/schedules.ts")).showHistory(context, name as string | undefined, options),
    ),
  );
schedules
  .command("pause")
  .description("let nothing of a schedule happen, and make up for nothing afterwards")
  .argument("<name>")
  .action(run(async (context, name) => (await import("./commands/schedules.ts")).pause(context, name as string)));
schedules
  .command("resume")
  .description("let a paused schedule go on")
  .argument("<name>")
  .action(run(async (context, name) => (await import("./commands/schedules.ts")).resume(context, name as string)));
json(schedules.command("once"))
  .description("run a procedure once, at an instant")
  .argument("<procedure>", "such as backup, or upgrade")
  .requiredOption("--at <instant>", '"2026-11-26 02:00" in the stack\'s zone, 2026-11-25T18:00:00Z, or "in 90m"')
  .option("--input <json>", "its input", "{}")
  .action(
    run(async (context, procedure, options) =>
      (await import("./commands/schedules.ts")).runOnce(context, procedure as string, options),
    ),
  );
schedules
  .command("drop")
  .description("take back something that was to run once")
  .argument("<name>")
  .action(run(async (context, name) => (await import("./commands/schedules.ts")).drop(context, name as string)));

json(program.command("worker"))
  .description("stay, run what is scheduled, and go on with what another process left")
  .action(run(async (context, options) => (await import("./commands/worker.ts")).worker(context, options)));

json(program.command("serve"))
  .description("stay as a worker does, and answer the API for people and programs")
  .action(run(async (context, options) => (await import("./commands/serve.ts")).serve(context, options)));

program.commandsGroup("Who, and who did what:");
const audit = program.command("audit").description("who did what, in a chain that shows every change of it");
json(audit.command("list", { isDefault: true }))
  .description("the latest entries")
  .option("-n, --limit <count>", "how many", "20")
  .action(run(async (context, options) => (await import("./commands/audit.ts")).listAudit(context, options)));
audit
  .command("export")
  .description("every entry, a line of JSON each")
  .action(run(async (context) => (await import("./commands/audit.ts")).exportAudit(context)));
json(audit.command("verify"))
  .description("check the chain, of the control database or of an export")
  .argument("[file]", "an export")
  .option("--head <hash>", "a head that the chain is known to have had")
  .action(
    run(async (context, file, options) =>
      (await import("./commands/audit.ts")).verifyAudit(context, file as string | undefined, options),
    ),
  );

program.commandsGroup("What runs by itself:");
const notify = program.command("notify").description("who is told what happened, and whether it arrives");
json(notify.command("list", { isDefault: true }))
  .description("the latest messages, and what became of them")
  .option("-n, --limit <count>", "how many", "20")
  .action(run(async (context, options) => (await import("./commands/notify.ts")).listMessages(context, options)));
notify
  .command("test")
  .description("send a message now, and say whether it was taken")
  .argument("[channel]", "all of them without it")
  .action(
    run(async (context, channel) =>
      (await import("./commands/notify.ts")).testChannel(context, channel as string | undefined),
    ),
  );

registerService(program);

program.commandsGroup("Every day:");
const runs = program.command("runs").description("what was run, and what waits");
json(runs.command("list", { isDefault: true }))
  .description("the latest runs")
  .option("-n, --limit <count>", "how many", "20")
  .option("-a, --all", "also those that only looked, and found what they should")
  .action(run(async (context, options) => (await import("./commands/runs.ts")).listRuns(context, options)));
json(runs.command("show"))
  .description("one run, step by step")
  .argument("<run>", "id, or a part of it")
  .action(
    run(async (context, id, options) => (await import("./commands/runs.ts")).showRun(context, id as string, options)),
  );
json(runs.command("logs"))
  .description("what the commands of a run printed")
  .argument("<run>")
  .action(
    run(async (context, id, options) => (await import("./commands/runs.ts")).showLogs(context, id as string, options)),
  );
json(runs.command("resume"))
  .description("go on with a run that was interrupted, or that waits for a decision")
  .argument("<run>")
  .option(
    "--decide <what>",
    "again: do the step once more; done: you did it by hand; undo: take all back, though users may have written since; abandon: give up, the stack stays as it is",
  )
  .option("--wait", "wait when another run holds the stack")
  .action(
    run(async (context, id, options) => (await import("./commands/runs.ts")).resumeRun(context, id as string, options)),
  );
runs
  .command("signal")
  .description("tell a run that waits for it that it may go on")
  .argument("<run>")
  .argument("<signal>", "the word that its step waits for")
  .action(
    run(async (context, id, signal) =>
      (await import("./commands/runs.ts")).signalRun(context, id as string, signal as unknown as string),
    ),
  );
json(runs.command("cancel"))
  .description("stop a run and take back what it did")
  .argument("<run>")
  .action(
    run(async (context, id, options) => (await import("./commands/runs.ts")).cancelRun(context, id as string, options)),
  );

json(program.command("approve"))
  .description("show a run's plan, consent to it and carry it out")
  .argument("<run>")
  .option("--detail", "show verifications and undo steps as well")
  .option("-y, --yes", "do not ask")
  .option("--wait", "wait when another run holds the stack")
  .action(
    run(async (context, id, options) => (await import("./commands/runs.ts")).approve(context, id as string, options)),
  );

program.commandsGroup("ipai itself:");
registerItself(program);

program.commandsGroup("Who, and who did what:");
registerPeople(program);

program.commandsGroup("Finance:");
registerFinance(program);
registerN8n(program);

await program.parseAsync();
await allWritten(process.stdout, process.stderr);
// The command is over: nothing that it may have left open keeps the terminal waiting.
process.exit();
