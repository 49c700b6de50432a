import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** The day on which everything is lost. */
export function registerRecovery(program: Command): void {
  const recover = program.command("recover").description("the way back when a server or its database is gone");
  changing(recover.command("server"))
    .description("a blank machine becomes the stack again, from a repository and ipai.yaml alone")
    .option("--set <backup>", "another set than the newest")
    .option("--repository <name>", "read it from a copy instead of the first repository")
    .option("--no-provision", "the machine is there: do not run recovery.provision")
    .action(run(async (context, options) => (await import("../commands/recovery.ts")).recoverServer(context, options)));
  changing(recover.command("database"))
    .description("the newest state that can be reached takes the place of a damaged database, which is kept")
    .option("--set <backup>", "a backup (its id, or latest) instead of the archive")
    .option("--repository <name>", "read it from a copy instead of the first repository")
    .option("--at <instant>", "\"2026-11-23 10:00\" in the stack's zone, instead of the archive's end")
    .option("--although-it-answers", "the server answers, but pages of it are damaged")
    .action(
      run(async (context, options) => (await import("../commands/recovery.ts")).recoverDatabase(context, options)),
    );
  const drill = program.command("drill").description("practise the way back beside the stack, and keep the evidence");
  changing(drill.command("run", { isDefault: true }))
    .description("make a drill (what `ipai drill` alone does); nothing that serves is touched")
    .argument("[what]", "server or database; without it both")
    .option("--repository <name>", "where the set is read from (default: a copy, if there is one)")
    .action(
      run(async (context, what, options) =>
        (await import("../commands/drill.ts")).runDrill(context, what as string | undefined, options ?? {}),
      ),
    );
  json(drill.command("list"))
    .description("drills, and what they measured")
    .action(run(async (context, options) => (await import("../commands/drill.ts")).listAll(context, options)));
  json(drill.command("show"))
    .description("the evidence of a drill, as Markdown")
    .argument("[run]", "its run; the last one without it")
    .option("-o, --output <file>", "a new file")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/drill.ts")).showDrill(context, id as string | undefined, options ?? {}),
      ),
    );
}
