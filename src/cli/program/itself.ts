import type { Command } from "commander";
import { json, run } from "./register.ts";

/** What concerns `ipai` itself: its configuration and its control database. */
export function registerItself(program: Command): void {
  const config = program.command("config").description("the configuration");
  json(config.command("show", { isDefault: true }))
    .description("the configuration with its defaults, secrets hidden")
    .action(run(async (context, options) => (await import("../commands/config.ts")).showConfig(context, options)));
  config
    .command("check")
    .description("check the file; errors name line and column")
    .action(run(async (context) => (await import("../commands/config.ts")).checkConfig(context)));
  config
    .command("schema")
    .description("JSON Schema for editors")
    .action(run(async (context) => (await import("../commands/config.ts")).printSchema(context)));

  const control = program.command("control").description("the control database that ipai keeps, and its own backups");
  control
    .command("status")
    .description("is it running, and where")
    .action(run(async (context) => (await import("../commands/control.ts")).controlStatus(context)));
  control
    .command("stop")
    .description("stop the embedded one; the next command starts it again")
    .action(run(async (context) => (await import("../commands/control.ts")).controlStop(context)));
  json(control.command("backup"))
    .description("back it up now, and prove the backup by restoring it beside")
    .argument("[file]", "a new file; in the usual folder without it")
    .action(
      run(async (context, file, options) =>
        (await import("../commands/control-backup.ts")).backup(context, file as string | undefined, options),
      ),
    );
  json(control.command("backups"))
    .description("its backups in the usual folder, and what restores have replaced")
    .action(run(async (context, options) => (await import("../commands/control-backup.ts")).backups(context, options)));
  json(control.command("restore"))
    .description("put a backup in its place; what is there now is kept beside")
    .argument("<backup>", "a file, or latest")
    .option("--plan", "try it beside, show what it would mean, and stop")
    .option("-y, --yes", "do not ask")
    .action(
      run(async (context, file, options) =>
        (await import("../commands/control-backup.ts")).restore(context, file as string, options),
      ),
    );
}
