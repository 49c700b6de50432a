import type { Command } from "commander";
import { changing, run } from "./register.ts";

/** The ways back: a set, or an instant. */
export function registerRestore(program: Command): void {
  changing(program.command("restore"))
    .description("bring the past back: a backup's set, or with --at any instant that the archive has")
    .argument("[set or file]", "id of a backup or a part of it, or latest; or a file: Odoo's zip, or pg_dump's")
    .option("--only <part>", "database or files: that part of the set alone; automation: n8n's database")
    .option("--repository <name>", "take the set from this repository; the first one without it")
    .option("--from <stack>", "another stack's set, neutralized: no mail, no scheduled actions, no payments")
    .option("--as-production", "with --from: not neutralized, the stack moves here and does not run there any more")
    .option("--no-backup", "make no backup of the present first, as when its database cannot be read")
    .option("--try", "try Odoo on a copy first, though the set is proven")
    .option("--no-try", "do not try Odoo on a copy first, though the set is not proven")
    .option("--as <name>", "a copy for staging beside the present, silenced, under this name")
    .option("--days <count>", "with --as: it is removed after so many days (default: 7)")
    .option("--at <instant>", '"2026-11-23 10:00" in the stack\'s zone, or 2026-11-23T02:00:00Z')
    .option("--before-run <run>", "as it was before a run began")
    .option(
      "--before <what>",
      '"account.move INV/2026/00042 deleted" or "res.partner 42 changed": finds the last instant before',
    )
    .option("--since <instant>", "with --before: it was still so then; a day ago without it")
    .option("--candidate <number>", "with --before: which one, when several transactions may be meant")
    .option("--look", "only open that instant beside the stack, read-only, and say what would be lost")
    .option("--hours <count>", "with --look: for how long it stays open; 8 without it")
    .action(
      run(async (context, set, options) =>
        (await import("../commands/restore.ts")).restore(context, set as string | undefined, options),
      ),
    );
}
