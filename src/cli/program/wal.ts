import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** Continuous archiving. */
export function registerWal(program: Command): void {
  const wal = program
    .command("wal")
    .description("archive every change of the database server, so that any instant can be restored");
  json(wal.command("list", { isDefault: true }))
    .description("base backups, and how far the archive reaches")
    .action(run(async (context, options) => (await import("../commands/wal.ts")).listArchive(context, options)));
  const procedures = [
    ["setup", "begin: settings, repository, first full base backup; restarts the database server once"],
    ["verify", "read the whole archive: checksums, and segments that are missing"],
    ["remove", "end it; the repository stays"],
  ] as const;
  for (const [name, description] of procedures)
    changing(wal.command(name))
      .description(description)
      .action(
        run(async (context, options) =>
          (await import("../commands/run.ts")).runProcedure(context, `wal ${name}`, {}, options),
        ),
      );
  changing(wal.command("backup"))
    .description("make a base backup")
    .option("--type <type>", "full, diff (since the last full one) or incr (since the last)", "incr")
    .action(
      run(async (context, options) => {
        const input = { type: String(options["type"]) };
        return (await import("../commands/run.ts")).runProcedure(context, "wal backup", input, options);
      }),
    );
}
