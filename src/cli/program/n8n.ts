import type { Command } from "commander";
import { changing, json, run } from "./register.ts";

/** The workflows that are shipped for n8n. */
export function registerN8n(program: Command): void {
  const n8n = program.command("n8n").description("the workflows that ask Odoo what is due, and tell it in the chat");
  changing(n8n.command("sync"))
    .description("put the shipped workflows into n8n, activate them, and test that they answer")
    .action(
      run(async (context, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "n8n sync", {}, options),
      ),
    );
  json(n8n.command("status"))
    .description("which of them are there, active, and as they are shipped (exit code 0: all, 1: not all)")
    .action(run(async (context, options) => (await import("../commands/n8n.ts")).workflowStatus(context, options)));
  json(n8n.command("failures"))
    .description("what failed in n8n, of any workflow, and at which node (exit code 0: nothing, 1: something)")
    .option("--since <instant>", "a day ago without it")
    .action(run(async (context, options) => (await import("../commands/n8n.ts")).workflowFailures(context, options)));
}
