import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** What outlives the run that made it. */
export function registerResources(program: Command): void {
  const resources = program
    .command("resources")
    .description("opened pasts, copies, kept databases and maintenances: whose they are, and until when");
  json(resources.command("list", { isDefault: true }))
    .description("what is open")
    .option("-a, --all", "also what was closed")
    .action(run(async (context, options) => (await import("../commands/resources.ts")).list(context, options)));
  json(resources.command("extend"))
    .description("let one live on")
    .argument("<id>")
    .requiredOption("--days <count>", "how many days longer")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/resources.ts")).extend(context, id as string, options),
      ),
    );
  changing(resources.command("close"))
    .description("end one, by the procedure that it names")
    .argument("<id>")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/resources.ts")).close(context, id as string, options),
      ),
    );
}
