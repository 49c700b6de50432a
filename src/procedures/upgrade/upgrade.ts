import { z } from "zod";
import type { Probe } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import { join, runId } from "../../runbook/value.ts";
import { copyTree, makeDirectory, pathExists, treesAreEqual } from "../../stack/files.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Closing, whileInMaintenance } from "../maintenance/bracket.ts";
import { announcedBefore, type Procedure } from "../procedure.ts";
import { change, pivot, require, takeBack, whileOdooStopped } from "../steps.ts";
import { keptCodeFolder, type ModuleChange, readUpgradeFacts, type UpgradeFacts } from "./facts.ts";
import { dropFailed, dropSnapshotDatabase, dropSnapshotFilestore, namesOf } from "./snapshot.ts";
import { updateModules } from "./update.ts";

const input = z.object({
  modules: z.array(z.string()).default([]).describe("Modules to update; all changed ones when empty"),
  acceptLostCrons: z.boolean().default(false).describe("Accept that active scheduled actions disappear"),
});
type UpgradeInput = z.infer<typeof input>;

export const upgrade: Procedure<UpgradeInput, UpgradeFacts> = {
  name: "upgrade",
  chapter: "upgrade",
  version: 1,
  risk: "destroy",
  title: "Upgrade modules",
  summary:
    "Updates the modules whose code changed. Odoo is stopped, database and filestore are copied, the update is run and judged by " +
    "its log and by the database; when anything is not as it should be, code, database and filestore go back and the old version serves again.",
  done: { title: "Deployment complete", line: "The system is live. Please report any issues." },
  announceSeconds: announcedBefore,
  input,
  facts: (reader, { modules }) => readUpgradeFacts(reader, modules),
  plan: planUpgrade,
};

function planUpgrade(stack: Stack, { modules, acceptLostCrons }: UpgradeInput, facts: UpgradeFacts): Plan {
  const names = facts.changes.map((module) => module.name);
  return {
    procedure: upgrade.name,
    version: upgrade.version,
    stack: stack.name,
    title: `Upgrade ${names.join(", ")}`,
    input: { modules, acceptLostCrons },
    facts: {
      series: facts.series,
      changes: facts.changes.map((module) => ({ ...module })),
      running: facts.runningServices,
      ...(facts.maintenance === undefined ? {} : { maintenance: facts.maintenance }),
    },
    lease: "exclusive",
    notes: notesOf(facts),
    steps: [
      workDirectory(stack),
      ...whileInMaintenance(stack, closingOf(stack, facts), [
        ...whileOdooStopped(stack, facts.runningServices, [
          holdCode(stack, facts),
          ...updateModules(stack, facts, acceptLostCrons),
        ]),
        pivot,
      ]),
      ...facts.changes.map((module) => keepCode(stack, module)),
      dropSnapshotDatabase(stack),
      dropSnapshotFilestore(stack),
    ],
  };
}

function closingOf(stack: Stack, { isProxyRunning, runningServices, maintenance }: UpgradeFacts): Closing {
  return {
    proxy: isProxyRunning ? stack.config.services.proxy?.name : undefined,
    odoo: runningServices,
    mode: maintenance,
    reason: "New versions of its modules are being installed.",
  };
}

function notesOf(facts: UpgradeFacts): readonly string[] {
  const changes = facts.changes.map((module) => `${module.name}: ${module.from} → ${module.to}`);
  const unkept = facts.changes.filter((module) => !module.isCodeKept).map((module) => module.name);
  return [
    ...changes,
    ...(unkept.length === 0
      ? []
      : [
          `The code that is installed now is not known for ${unkept.join(", ")}: an undo puts the database back, ` +
            "but the services would start with the code that lies in the addons folder.",
        ]),
    ...(facts.runningServices.length === 0 ? ["No Odoo service runs now; none will be started."] : []),
  ];
}

/** Where the log of the update stays, as evidence. The first to be done, so the last to be taken back: what failed goes then. */
export function workDirectory(stack: Stack): Act {
  const { work } = namesOf(stack);
  return change(
    { id: "work", title: "Make the run's own folder", action: makeDirectory(stack.tools, work) },
    { verify: [pathExists(stack.tools, work, "the run's folder is there")], undo: dropFailed(stack) },
  );
}

/** From here on the new code is what a service would start with; taking this back puts the installed code in its place. */
function holdCode(stack: Stack, facts: UpgradeFacts): Act {
  const planned: Probe = {
    title: "every module is as it was planned",
    action: stack.odoo.hashes(
      stack.config.odoo.addons,
      facts.changes.map((module) => module.folder),
    ),
    output: { from: "stdout" },
    compare: "eq",
    with: facts.changes
      .map((module) => `${module.name} ${module.hash}`)
      .sort()
      .join("\n"),
    code: "upgrade.code_changed",
  };
  return require({ id: "code", title: "The code is the one that was planned", probe: planned }, {
    undo: facts.changes.filter((module) => module.isCodeKept).flatMap((module) => putCodeBack(stack, module)),
  });
}

/** The rejected code is set aside, not lost: somebody will want to correct it. */
function putCodeBack(stack: Stack, module: ModuleChange): readonly Act[] {
  const { tools: host } = stack;
  const kept = `${keptCodeFolder(stack.config.workDirectory)}/${module.name}`;
  const rejected = join(`${stack.config.workDirectory}/rejected/`, runId, `/${module.name}`);
  const equal = treesAreEqual(host, kept, module.folder, `the installed code of ${module.name} is in place`);
  return [
    takeBack(
      {
        id: `reject ${module.name}`,
        title: `Set the new code of ${module.name} aside`,
        action: copyTree(host, module.folder, rejected),
      },
      { done: pathExists(host, rejected, "the new code is set aside"), timeoutSeconds: 120 },
    ),
    takeBack(
      {
        id: `restore code ${module.name}`,
        title: `Put the installed code of ${module.name} back`,
        action: copyTree(host, kept, module.folder),
      },
      { done: equal, verify: [equal], timeoutSeconds: 120 },
    ),
  ];
}

function keepCode(stack: Stack, module: ModuleChange): Act {
  const kept = `${keptCodeFolder(stack.config.workDirectory)}/${module.name}`;
  const equal = treesAreEqual(stack.tools, module.folder, kept, `the code of ${module.name} is kept`);
  return change(
    {
      id: `keep code ${module.name}`,
      title: `Keep the code of ${module.name} for the next undo`,
      action: copyTree(stack.tools, module.folder, kept),
    },
    { verify: [equal], onFail: "continue" },
  );
}
