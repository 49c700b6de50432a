import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** Keeping users out with a page that says why. */
export function registerMaintenance(program: Command): void {
  const maintenance = program
    .command("maintenance")
    .description("keep users out with a page that says why and until when, and let them in again");
  changing(maintenance.command("on"))
    .description("keep users out; said once more, another reason or another end")
    .option("--reason <why>", "what users read, in plain words")
    .option("--for <duration>", "how long it should take, such as 30m (default: 1h)")
    .option("--until <instant>", '"2026-11-26 02:00" in the stack\'s zone, or 2026-11-25T18:00:00Z')
    .action(run(async (context, options) => (await import("../commands/maintenance.ts")).switchOn(context, options)));
  changing(maintenance.command("off"))
    .description("let users in again, if Odoo serves")
    .option("--although", "even if Odoo does not serve behind it")
    .action(
      run(async (context, options) =>
        (await import("../commands/run.ts")).runProcedure(
          context,
          "maintenance off",
          { although: options["although"] === true },
          options,
        ),
      ),
    );
  json(maintenance.command("status", { isDefault: true }))
    .description("whether users are kept out, by whom, why and until when")
    .action(run(async (context, options) => (await import("../commands/maintenance.ts")).showMode(context, options)));
  json(maintenance.command("bypass"))
    .description("how operators get in meanwhile; told in the audit")
    .action(run(async (context, options) => (await import("../commands/maintenance.ts")).showBypass(context, options)));
}
