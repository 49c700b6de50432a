import { command } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { concat, join, output, prefixed, runId, suffixed, type Text } from "../../runbook/value.ts";
import { pathExists } from "../../stack/files.ts";
import { effectsScript } from "../../stack/odoo/effects.ts";
import type { Copy, Odoo } from "../../stack/odoo/odoo.ts";
import { activeCronsSql, cronsSql } from "../../stack/odoo/sql.ts";
import type { ScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import { copyName } from "../backup/copy.ts";
import { read } from "../steps.ts";
import { differencesScript, noteStructure } from "../upgrade/found.ts";

/** What an update does to a copy: its state is noted before and after, and compared. */

/** Where a rehearsal is done. */
export interface Rehearsed {
  readonly stack: Stack;
  /** The one that is asked: as it serves, or in the image of the release. */
  readonly odoo: Odoo;
  readonly cluster: ScratchCluster;
  readonly folder: Text;
}

type When = "before" | "after";

/** The copy as Odoo's command line names it. */
export function copyIn(folder: Text, options: readonly Text[]): Copy {
  return { database: copyName, options: [...options, prefixed("--data-dir=", suffixed(folder, "/odoo"))] };
}

/** As the backup has them: silencing the copy switches them off. */
export function noteActiveCrons({ stack, cluster, folder }: Rehearsed): Act {
  const into = suffixed(folder, "/crons-before");
  return read(
    {
      id: "crons before",
      title: "Note the active scheduled actions",
      action: { ...cluster.query(copyName, activeCronsSql), into },
      outputs: {},
    },
    { verify: [pathExists(stack.tools, into, "they are noted")] },
  );
}

/** `options`: of Odoo's command line, with the code of then. */
export function noteState(
  on: Rehearsed,
  { when, modules, options }: { when: When; modules: readonly string[]; options: readonly Text[] },
): readonly Act[] {
  const crons = when === "before" ? [] : [noteCrons(on)];
  const ask = (text: string) => on.cluster.query(copyName, text);
  return [noteStructure(on.stack, ask, on.folder, when), askOdoo(on, { when, modules, options }), ...crons];
}

function askOdoo(
  { stack, odoo, folder }: Rehearsed,
  { when, modules, options }: { when: When; modules: readonly string[]; options: readonly Text[] },
): Act {
  const into = suffixed(folder, `/odoo-${when}`);
  const asked = odoo.shell(effectsScript, { MODULES: JSON.stringify(modules) }, copyIn(folder, options));
  const isDone = {
    title: "Odoo answered to the end",
    action: command(stack.tools, ["grep", "-c", '"kind": "done"', into], { okExitCodes: [0, 1] }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  } as const;
  return read(
    {
      id: `odoo ${when}`,
      title: `Ask Odoo for invalid views and for records that updates leave alone, ${when} the update`,
      action: { ...asked, pipeline: [...asked.pipeline, { argv: ["dd", concat("of=", into), "status=none"] }] },
      outputs: {},
    },
    { verify: [isDone], timeoutSeconds: 3600 },
  );
}

function noteCrons({ stack, cluster, folder }: Rehearsed): Act {
  const into = suffixed(folder, "/crons-after");
  return read(
    {
      id: "crons after",
      title: "Note the scheduled actions after the update",
      action: { ...cluster.query(copyName, cronsSql + activeCronsSql), into },
      outputs: {},
    },
    { verify: [pathExists(stack.tools, into, "they are noted")] },
  );
}

/** What is only on one side, and what Odoo warned of: the first so many of each. */
export function compareStates({ stack, folder }: Pick<Rehearsed, "stack" | "folder">): Act {
  const log = join(`${stack.config.workDirectory}/runs/`, runId, "/update.log");
  return read({
    id: "compare",
    title: "Compare before and after",
    action: command(stack.tools, ["sh", "-c", compareScript, "compare", folder, log, comparison]),
    outputs: { found: { from: "stdout", as: "json" } },
  });
}

/** For the step that notes it. */
export const found = output("compare", "found");

const compareScript = `${differencesScript}found --slurpfile before odoo-before --slurpfile after odoo-after \\
  --slurpfile were crons-before --slurpfile are crons-after "$3"
`;

/**
 * A record that is kept in spite of the release: its file says something else than before, and the database keeps what it has. Others differed
 * before the release too. A scheduled action is lost when it is gone, has another name, or is switched off by its file.
 */
const comparison = `
def of($kind): map(select(.kind == $kind));
def records: group_by(.record) | map("\\(.[0].model) \\(.[0].record): \\(map(.field) | unique | join(", "))");
($before | of("view") | map(.view)) as $ill
| ($before | of("kept") | map({record, field, file})) as $known
| ($after | of("kept") | map(. as $one | {record, field, file} as $key | {$one, isKnown: ($known | index([$key]) != null)})) as $kept
| ($after | of("off") | map(.cron)) as $off
| {
    $gone, $come, $warned,
    invalidViews: ($after | of("view") | map(select(.view | IN($ill[]) | not) | "\\(.view) \\(.model): \\(.why)")),
    kept: ($kept | map(select(.isKnown | not).one) | records),
    keptBefore: ($kept | map(select(.isKnown).one) | records),
    cronsLost: ($were[0] - ($are[0] - $off)),
    cronsNew: ($are[1] - $were[0]),
    notAsked: ($after | of("unknown") | map("\\(.what): \\(.why)"))
  }
| map_values(.[:200])
`;
