import type { Probe } from "../../runbook/action.ts";
import type { Act, Sequence } from "../../runbook/plan.ts";
import type { Git } from "../../stack/git.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, require, takeBack } from "../steps.ts";
import type { ModuleVersions } from "../upgrade/facts.ts";
import { unknownHash } from "./changes.ts";
import { codeFolders } from "./facts.ts";

/** The code of a release in the place of the one before. */

interface Move {
  readonly from: string;
  readonly to: string;
}

/** What was looked at when the plan was made is still what lies there. */
export function unchangedTree(stack: Stack, git: Git, { from }: Move): Act {
  const at = { ...git.isAt(from), code: "deploy.tree_moved" };
  return require({ id: "tree", title: `The work tree is at ${short(from)}, as it was planned`, probe: at }, {
    verify: [at, git.isClean(codeFolders(stack))],
  });
}

/** `then`: what follows when the code of before lies there again, whether or not another one ever did. */
export function checkOut(stack: Stack, git: Git, { from, to }: Move, then: Sequence = []): Act {
  const isClean = git.isClean(codeFolders(stack));
  return change(
    { id: "checkout", title: `Check out ${short(to)}`, action: git.checkout(to) },
    {
      // What is found done is not taken back, and nothing would follow.
      ...(then.length === 0 ? { done: git.isAt(to) } : {}),
      verify: [git.isAt(to), isClean],
      timeoutSeconds: 600,
      undo: [
        // A checkout that was cut off leaves git at the commit of before, with files of the other one.
        takeBack(
          { id: "check out before", title: `Check out ${short(from)} again`, action: git.checkout(from, to) },
          { verify: [git.isAt(from), isClean], timeoutSeconds: 600 },
        ),
        ...then,
      ],
    },
  );
}

/** Odoo may see the tree by another way than git: through a mount, or a folder that was forgotten in its configuration. */
export function seenCode(stack: Stack, all: readonly ModuleVersions[]): Act {
  const modules = all.filter(({ hash }) => hash !== unknownHash);
  const planned: Probe = {
    title: "every module is as the commit has it",
    action: stack.odoo.hashesOf(
      stack.config.odoo.addons,
      modules.map(({ name }) => name),
    ),
    output: { from: "stdout" },
    compare: "eq",
    with: modules
      .map(({ name, hash }) => `${name} ${hash}`)
      .sort()
      .join("\n"),
    code: "deploy.code_differs",
  };
  return require({ id: "code", title: "Odoo sees the code of the release", probe: planned });
}

export function short(commit: string): string {
  return commit.slice(0, 10);
}
