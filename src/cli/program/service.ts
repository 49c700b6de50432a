import type { Command } from "commander";
import { json, run } from "./register.ts";

/** A worker that begins with the machine. */
export function registerService(program: Command): void {
  const service = program.command("service").description("a worker that begins with the machine");
  service
    .command("install")
    .description("install and start it: a unit of systemd, or a script in init.d where there is none")
    .option("--plan", "show the file and the commands, and stop")
    .option("--serve", "one that answers the API as well, as `ipai serve` does")
    .action(run(async (context, options) => (await import("../commands/service.ts")).install(context, options)));
  json(service.command("status"))
    .description("is it installed, does it run, which workers live (exit code 0: one does, 3: none)")
    .action(run(async (context, options) => (await import("../commands/service.ts")).status(context, options)));
  service
    .command("remove")
    .description("stop it and take it away")
    .action(run(async (context) => (await import("../commands/service.ts")).remove(context)));
}
