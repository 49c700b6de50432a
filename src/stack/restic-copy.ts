import type { CopyConfig, StackConfig } from "../config/schema.ts";
import type { CommandAction, Output } from "../runbook/action.ts";
import {
  createProgram,
  createPrunable,
  createReadable,
  environmentOf,
  explained,
  gently,
  lookedInto,
  type NamedRepository,
  openRemote,
  type Prunable,
  storeExitCodes,
} from "./restic.ts";

/** A second repository, which gets its sets from the first one: with a password of its own, by restic's own `copy`. */
export interface RepositoryCopy extends Prunable, NamedRepository {
  readonly appendOnly: boolean;
  /** With the first one's parameters for cutting files to pieces: else nothing that both have would be found equal. */
  initialise(): CommandAction;
  /** Brings what it does not have yet. */
  receive(): CommandAction;
  /** The sets that it holds, by their runs, as JSON. */
  readonly sets: { readonly action: CommandAction; readonly output: Output };
}

export function createCopies(stack: StackConfig, tools: string): readonly RepositoryCopy[] {
  return Object.entries(stack.backup?.copies ?? {}).map(([name, copy]) => createCopy(stack, tools, name, copy));
}

function createCopy(stack: StackConfig, tools: string, name: string, copy: CopyConfig): RepositoryCopy {
  const key = `backup.copies.${name}`;
  const own = environmentOf(copy, key);
  const first = stack.backup;
  const from = first === undefined ? {} : environmentOf(first, "backup", "RESTIC_FROM_");
  const restic = createProgram(stack, tools, own, copy.options);
  const options = [...new Set([...(first?.options ?? []), ...copy.options])];
  const between = createProgram(stack, tools, { ...from, ...own }, options);
  const shared = createPrunable(stack, restic);
  const readable = createReadable(stack.name, restic);
  const list = shared.list();
  return {
    ...readable,
    ...shared,
    ...lookedInto(tools, copy.repository),
    name,
    repository: copy.repository,
    appendOnly: copy.appendOnly,
    isInitialised: () => ({
      title: `the repository ${name} exists`,
      action: openRemote(restic),
      output: { from: "exitCode", as: "number" },
      compare: "eq",
      with: 0,
      code: "backup.repository_unreadable",
    }),
    initialise: () => explained(between(["init", "--copy-chunker-params"], { exitCodes: storeExitCodes })),
    receive: () => explained(between(["copy", "--host", stack.name], { exitCodes: storeExitCodes }, gently)),
    exists: (set) => ({ ...readable.exists(set), title: `the repository ${name} has this backup` }),
    sets: {
      action: { ...list, pipeline: [...list.pipeline, { argv: ["jq", "-c", setsFilter] }] },
      output: { from: "stdout", as: "json" },
    },
  };
}

const setsFilter = '[.[].tags[]? | select(startswith("run=")) | .[4:]] | unique';
