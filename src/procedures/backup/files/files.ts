import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Plan, Step } from "../../../runbook/plan.ts";
import { output } from "../../../runbook/value.ts";
import { readText } from "../../../stack/files.ts";
import { isFolder } from "../../../stack/restic.ts";
import type { FileSnapshots } from "../../../stack/restic-files.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { FactReader, Procedure } from "../../procedure.ts";
import { read } from "../../steps.ts";
import { NoRepository } from "../errors.ts";
import { hasRepository, knownRepository } from "../facts.ts";

const input = z.object({});
type NoInput = z.infer<typeof input>;

export interface FilesFacts {
  /** False until the first backup has made it. */
  readonly isRepositoryThere: boolean;
}

/**
 * It changes nothing of the stack, and holds nobody up: what it reads is never written again, and what it writes is the repository, which
 * restic's own locks keep from a prune, and its own note. So it takes no lease, and runs beside an upgrade too.
 */
export const shipFiles: Procedure<NoInput, FilesFacts> = {
  name: "backup files",
  chapter: "backup",
  version: 1,
  risk: "read",
  title: "New files of the filestore",
  summary:
    "Stores what Odoo wrote into the filestore since the last time, every minute or so, as the archive takes every change of the database. A restore " +
    "to an instant finds in these snapshots the files that no nightly set has.",
  toldBy: "IPAI-BACKUP-005",
  input,
  facts: async (reader) => ({ isRepositoryThere: await isMade(reader) }),
  plan: planFiles,
};

/** Every minute: one behind an address is not asked what the last backup has noted. Whether it is reached the run will see. */
async function isMade(reader: FactReader): Promise<boolean> {
  const { config, tools } = reader.stack;
  const repository = config.backup?.repository ?? "";
  if (isFolder(repository)) return hasRepository(reader);
  const known = await reader.text(readText(tools, knownRepository(config.workDirectory)));
  return known.trim() === repository || (await hasRepository(reader));
}

function planFiles(stack: Stack, _input: NoInput, facts: FilesFacts): Plan {
  const { fileSnapshots, config } = stack;
  if (fileSnapshots === undefined || config.backup === undefined) throw NoRepository({ stack: stack.name });
  const { isRepositoryThere } = facts;
  return {
    procedure: shipFiles.name,
    version: shipFiles.version,
    stack: stack.name,
    title: "Store new files of the filestore",
    input: {},
    facts: { isRepositoryThere },
    lease: "none",
    notes: isRepositoryThere
      ? [`Repository: ${config.backup.repository}`]
      : ["There is no repository yet: the first backup makes it, and stores every file. Nothing is done."],
    steps: isRepositoryThere ? stepsOf(stack, fileSnapshots) : [],
  };
}

function stepsOf(stack: Stack, files: FileSnapshots): readonly Step[] {
  const picked = (name: string) => ({ from: "stdout", as: "json", pick: [name] }) as const;
  const names = ["at", "snapshot", "parent", "files", "kept", "added"] as const;
  const input = Object.fromEntries(names.map((name) => [name, output("note", name)]));
  return [
    read(
      { id: "ship", title: "Store what is new", action: files.ship(), outputs: {} },
      { verify: [files.isShipped()], timeoutSeconds: 12 * 3600 },
    ),
    read({
      id: "note",
      title: "Read up to when everything is stored",
      action: command(stack.tools, ["cat", "--", files.note]),
      outputs: Object.fromEntries(names.map((name) => [name, picked(name)])),
    }),
    read(
      {
        id: "catalogue",
        title: "Note what the snapshot has",
        action: { kind: "call", name: "backup.record_files", version: 1, input: { stack: stack.name, ...input } },
        outputs: {},
      },
      { timeoutSeconds: 30 },
    ),
  ];
}
