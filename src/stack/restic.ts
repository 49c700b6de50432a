import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { prefixed, runId, secret, type Text, type Value } from "../runbook/value.ts";

/**
 * The repository of backups: encrypted, deduplicated, checksummed, kept by restic. A backup carries its run's id as a tag, so it can
 * be found again without knowing restic's own snapshot id.
 */
export interface Restic {
  readonly repository: string;
  isInitialised(): Probe;
  initialise(): CommandAction;
  /** Removes the locks that killed restic processes left behind; those of living ones stay. */
  unlock(): CommandAction;
  /** Stores a folder's content as of `taken` (`YYYY-MM-DD HH:MM:SS`, UTC). Prints JSON lines: progress, at last a summary. */
  store(folder: Text, taken: Text): CommandAction;
  exists(backup: Text): Probe;
  /** Writes a backup's content into a folder; restic checks the hash of every blob that it reads. */
  fetch(backup: Text, folder: Text): CommandAction;
  list(): CommandAction;
}

/** What restic's exit codes mean when it reads a repository back. */
const readExitCodes = { 1: "backup.repository_damaged", 3: "backup.repository_damaged" };

export function createRestic(stack: StackConfig): Restic | undefined {
  const { backup, host } = stack;
  if (backup === undefined) return undefined;
  const env: Readonly<Record<string, Value>> = {
    RESTIC_REPOSITORY: backup.repository,
    // It reads and prints times without their zone.
    TZ: "UTC",
    // A line of progress every ten seconds; as it comes, a single backup prints dozens.
    RESTIC_PROGRESS_FPS: "0.1",
    RESTIC_CACHE_DIR: `${stack.workDirectory}/restic-cache`,
    ...(backup.passwordFile === undefined
      ? { RESTIC_PASSWORD: secret("backup.password") }
      : { RESTIC_PASSWORD_FILE: backup.passwordFile }),
  };
  const restic = (
    args: readonly Text[],
    options: Partial<CommandAction> = {},
    prefix: readonly Text[] = [],
  ): CommandAction => ({
    ...command(host, [...prefix, "restic", ...args] as unknown as readonly [Text, ...Text[]], { env }),
    ...options,
  });
  const tagOf = (backup: Text): Text => prefixed("run=", backup);
  return {
    repository: backup.repository,
    isInitialised: () => ({
      title: "the repository exists",
      // 0.14 answers 1 both for "no repository" and for "wrong password": the file itself decides.
      action: command(host, ["test", "-e", `${backup.repository}/config`], { okExitCodes: [0, 1] }),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
      code: "backup.repository_unreadable",
    }),
    initialise: () => restic(["init"], { exitCodes: { 1: "backup.repository_unwritable" } }),
    unlock: () => restic(["unlock"], { exitCodes: { 1: "backup.repository_unreadable" } }),
    store: (folder, taken) =>
      restic(
        ["backup", "--json", "--ignore-ctime", "--host", stack.name, "--tag", tagOf(runId), "--time", taken, "."],
        { exitCodes: { 1: "backup.repository_unwritable", 3: "backup.source_unreadable" } },
        ["/usr/bin/env", prefixed("--chdir=", folder)],
      ),
    exists: (wanted) => ({
      title: "the repository has this backup",
      action: restic(["snapshots", "--json", "--no-lock", "--host", stack.name, "--tag", tagOf(wanted)], {
        exitCodes: { 1: "backup.repository_unreadable" },
      }),
      output: { from: "stdout" },
      compare: "has",
      with: '"id"',
      code: "backup.not_found",
    }),
    fetch: (wanted, folder) =>
      restic(["restore", "latest", "--host", stack.name, "--tag", tagOf(wanted), "--target", folder, "--verify"], {
        exitCodes: readExitCodes,
      }),
    list: () =>
      restic(["snapshots", "--json", "--no-lock", "--host", stack.name], {
        exitCodes: { 1: "backup.repository_unreadable" },
      }),
  };
}
