import type { Command } from "commander";
import { changing, run } from "./register.ts";

/** The stack's database itself. */
export function registerDatabase(program: Command): void {
  const database = program.command("database").description("the database itself: is what lies on disk sound");
  changing(database.command("check"))
    .description("read every page of tables and indexes beside users, and say what is damaged")
    .action(
      run(async (context, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "database check", {}, options),
      ),
    );
}
