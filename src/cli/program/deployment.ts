import { type Command, InvalidArgumentError } from "commander";
import { begun, changing, json, planned, run } from "./register.ts";

/** Releases: brought, corrected, taken back, listed. */
export function registerDeployment(program: Command): void {
  planned(program.command("deploy"))
    .description(
      "bring a commit into place: rolled when only code changes, else with an update while users are kept out",
    )
    .option("--to <ref>", "branch, tag or commit (default: the source's branch)")
    .option("--install <modules...>", "new modules of the release to install")
    .option("--no-backup", "make no backup first")
    .option("--accept-lost-crons", "accept that active scheduled actions disappear")
    .option(
      "--checklist",
      "only say what is asked before: backup, rehearsal, disks, users at work, freeze; starts nothing",
    )
    .option("--override <reason>", "go on in spite of what is red on the checklist; a second person has to consent")
    .action(
      run(async (context, options) => {
        const { to, install, backup, acceptLostCrons, checklist, override } = options as DeployOptions;
        if (checklist === true)
          return (await import("../commands/checklist.ts")).showChecklist(context, options as DeployOptions);
        const input = {
          to: to ?? null,
          install: install ?? [],
          backup: backup !== false,
          acceptLostCrons: acceptLostCrons === true,
          override: override === undefined ? null : { reason: override },
        };
        return (await import("../commands/run.ts")).runProcedure(context, "deploy", input, begun(options ?? {}));
      }),
    );
  planned(program.command("hotfix"))
    .description("bring a commit that only changes code; anything else is refused")
    .option("--to <ref>", "branch, tag or commit (default: the source's branch)")
    .option(
      "--verify <check>",
      "how the bug is looked for: 'URL TEXT', where TEXT has to be in the answer, or a program with its arguments that has to end with 0",
    )
    .action(
      run(async (context, options) => {
        const { to = null, verify } = options as { to?: string; verify?: string };
        const input = { to, verify: verify === undefined ? null : toCheck(verify) };
        return (await import("../commands/run.ts")).runProcedure(context, "hotfix", input, begun(options ?? {}));
      }),
    );
  registerRehearsals(program);
  changing(program.command("rollback"))
    .description("take releases back: code, and the database where they changed it")
    .argument("[release]", "the release to go back to (default: the one before the last)")
    .action(
      run(async (context, release, options) =>
        (await import("../commands/rollback.ts")).rollBack(context, release as string | undefined, options ?? {}),
      ),
    );
  json(program.command("deployments"))
    .description("what was deployed, when, by whom, for how long users were out")
    .option("-n, --limit <count>", "how many", "20")
    .action(
      run(async (context, options) => (await import("../commands/deployments.ts")).listDeployments(context, options)),
    );
  registerImages(program);
}

function registerImages(program: Command): void {
  const images = program.command("images").description("what releases of a compose project were built into");
  changing(images.command("prune"))
    .description("remove the images that no release needs any more; --plan says which, and why the others are kept")
    .action(
      run(async (context, options) =>
        (await import("../commands/run.ts")).runProcedure(context, "images prune", {}, options ?? {}),
      ),
    );
}

function registerRehearsals(program: Command): void {
  changing(program.command("rehearse"))
    .description(
      "do a release's update on a copy of the latest backup: how long it takes, what it changes, what Odoo says",
    )
    .option("--to <ref>", "branch, tag or commit (default: the source's branch)")
    .option("--install <modules...>", "new modules of the release to install")
    .option("--backup <id>", "the backup to do it on", "latest")
    .action(
      run(async (context, options) => (await import("../commands/rehearse.ts")).rehearse(context, options ?? {})),
    );
  json(program.command("rehearsals"))
    .description("what rehearsals found; one by its id")
    .argument("[rehearsal]")
    .action(
      run(async (context, id, options) =>
        (await import("../commands/rehearse.ts")).showRehearsals(context, id as string | undefined, options),
      ),
    );
}

interface DeployOptions {
  readonly to?: string;
  readonly install?: string[];
  readonly backup?: boolean;
  readonly acceptLostCrons?: boolean;
  readonly checklist?: boolean;
  readonly override?: string;
}

function toCheck(given: string) {
  const [first = "", ...others] = wordsOf(given);
  if (!/^https?:/.test(first)) return { command: [first, ...others] };
  if (others.length === 0) throw new InvalidArgumentError("after an address comes the text that its answer must have");
  return { url: first, has: others.join(" ") };
}

/** Words apart, those in quotes as one; no shell is involved. */
function wordsOf(text: string): readonly string[] {
  const found = [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)];
  return found.map(([, double, single, bare]) => double ?? single ?? bare ?? "");
}
