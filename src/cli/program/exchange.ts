import type { Command } from "commander";
import { changing, run } from "./register.ts";

/** Backups as files for others, and copies for staging. */
export function registerExchange(program: Command, backup: Command): void {
  changing(backup.command("export"))
    .description("make a file of a backup that others can read: Odoo's own zip, or SQL; told in the audit")
    .argument("<backup or file>", "id of a backup; without a second word the file, of the latest one")
    .argument("[file]", "a new file on the stack's machine")
    .option("--format <format>", "zip, or sql.gz for the database alone (default: as the file's name ends)")
    .action(
      run(async (context, first, second, options) =>
        (await import("../commands/exchange.ts")).exportBackup(
          context,
          first as string,
          second as unknown as string | undefined,
          options ?? {},
        ),
      ),
    );
  const copy = program.command("copy").description("an Odoo on a staging copy that `ipai restore --as` has made");
  changing(copy.command("serve"))
    .description("start an Odoo on it, which only this machine reaches and which runs no scheduled actions")
    .argument("<name>")
    .option("--port <port>", "on the loopback interface", "8899")
    .action(
      run(async (context, id, options) => {
        const input = { id: id as string, port: Number(options["port"]) };
        return (await import("../commands/run.ts")).runProcedure(context, "copy serve", input, options);
      }),
    );
  for (const [verb, description] of [
    ["stop", "stop that Odoo; the copy stays"],
    ["remove", "remove the copy with all that was tried in it"],
  ] as const)
    changing(copy.command(verb))
      .description(description)
      .argument("<name>")
      .action(
        run(async (context, id, options) =>
          (await import("../commands/run.ts")).runProcedure(context, `copy ${verb}`, { id: id as string }, options),
        ),
      );
}
