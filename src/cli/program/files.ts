import type { Command } from "commander";
import { changing, run } from "./register.ts";

/** Snapshots of the filestore between two backups. */
export function registerFiles(backup: Command): void {
  changing(backup.command("files"))
    .description("store what is new in the filestore; a worker does it every minute where there is an archive")
    .action(
      run(async (context, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "backup files", {}, options),
      ),
    );
  changing(backup.command("thin"))
    .description("remove snapshots of the filestore that no restore needs")
    .argument("[repository]", "primary, or the name of a copy", "primary")
    .action(
      run(async (context, repository, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "backup thin", { repository }, options),
      ),
    );
}
