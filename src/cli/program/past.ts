import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** Pasts that `ipai restore --at … --look` has opened. */
export function registerPast(program: Command): void {
  const past = program
    .command("past")
    .description("instants that are open beside the stack: look, take records out, close");
  json(past.command("list", { isDefault: true }))
    .description("what is open")
    .action(run(async (context, options) => (await import("../commands/past.ts")).listPasts(context, options)));
  json(past.command("show"))
    .description("what would be lost by going back to it, as it was last compared")
    .argument("<id>")
    .argument("[model]", "every record of a model that differs, such as account.move")
    .action(
      run(async (context, id, model, options) =>
        (await import("../commands/past.ts")).showPast(
          context,
          { id: id as string, model: model as string | undefined },
          options as never,
        ),
      ),
    );
  changing(past.command("look"))
    .description("compare it with the present again")
    .argument("<id>")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/past.ts")).lookAgain(context, id as string, options),
      ),
    );
  changing(past.command("extract"))
    .description("take records out of it, with their lines and their attachments' files; never writes into the present")
    .argument("<id>")
    .argument("<model>", "such as account.move")
    .argument("<records...>", "their ids")
    .option("-o, --out <folder>", "a new folder on the stack's host; without it, one that goes with the past")
    .action(
      run(async (context, id, model, records, options) => {
        const given = { id: id as string, model: model as string, records: records as string[] };
        return (await import("../commands/past.ts")).extract(context, given, options as never);
      }),
    );
  changing(past.command("close"))
    .description("stop and remove it")
    .argument("<id>")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "past close", { id: id as string }, options),
      ),
    );
}
