import type { Command } from "commander";
import { begun, changing, json, planned, run } from "./register.ts";

/** New versions: of modules, and of Odoo itself. */
export function registerUpgrade(program: Command): void {
  const upgrade = program.command("upgrade").description("bring new versions: of modules, or of Odoo itself");
  planned(upgrade.command("modules", { isDefault: true }))
    .description(
      "update modules whose code changed, and take it back if anything is not right (what `ipai upgrade` alone does)",
    )
    .argument("[modules...]", "modules to update; all changed ones without it")
    .option("--accept-lost-crons", "accept that active scheduled actions disappear")
    .action(
      run(async (context, modules, options) =>
        (await import("../commands/run.ts")).runProcedure(
          context,
          "upgrade",
          { modules, acceptLostCrons: options["acceptLostCrons"] === true },
          begun(options),
        ),
      ),
    );
  changing(upgrade.command("major"))
    .description("bring the stack to another series of Odoo, on a copy that takes its place when all is verified")
    .requiredOption("--to <series>", "the series, such as 19.0")
    .option("--ref <ref>", "branch, tag or commit of the source for it (default: the source's branch)")
    .option("--rehearse", "do it on a backup, beside the serving stack, and say what it found")
    .option("--on <id>", "the backup to rehearse on", "latest")
    .option("--upgrade-path <folders...>", "folders with upgrade scripts of Odoo's own kind, such as OpenUpgrade's")
    .option("--load <modules...>", "modules that Odoo loads before all others, such as openupgrade_framework")
    .option("--without <modules...>", "installed modules that the new series has no code for: scripts see to them")
    .option("--no-backup", "make no backup first")
    .option("--no-approval", "let users in as soon as everything is verified")
    .option("--accept-lost-crons", "accept that active scheduled actions disappear")
    .action(
      run(async (context, options) => (await import("../commands/upgrade.ts")).upgradeMajor(context, options as never)),
    );
  json(upgrade.command("report"))
    .description("what upgrades to another series and their rehearsals found; one by its id")
    .argument("[run]")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/upgrade.ts")).showMajor(context, id as string | undefined, options),
      ),
    );
}
