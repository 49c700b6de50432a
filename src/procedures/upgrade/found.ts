import { command, type SqlAction } from "../../runbook/action.ts";
import type { Act } from "../../runbook/plan.ts";
import { join, runId, suffixed, type Text } from "../../runbook/value.ts";
import { pathExists } from "../../stack/files.ts";
import { structureLinesSql } from "../../stack/odoo/sql.ts";
import type { Stack } from "../../stack/stack.ts";
import { read } from "../steps.ts";

/** What an update changed: structure and rows, before and after, and what Odoo warned of. */

/** `folder`: of this run; the notes lie in it. */
export function noteStructure(
  stack: Stack,
  ask: (text: string) => SqlAction,
  folder: Text,
  when: "before" | "after",
): Act {
  const into = suffixed(folder, `/structure-${when}`);
  return read(
    {
      id: `structure ${when}`,
      title: `Note structure and rows ${when} the update`,
      action: { ...ask(structureLinesSql + rowsSql), into },
      outputs: {},
    },
    { verify: [pathExists(stack.tools, into, "it is noted")], timeoutSeconds: 3600 },
  );
}

/** Every table's number of rows, a line each. */
const rowsSql = `
select format('select ''rows %s '' || count(*) from %s', c.relname, c.oid::regclass)
  from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by c.relname collate "C" \\gexec
`;

/** What is only on one side, and what Odoo warned of: the first so many of each, and how many there are. */
export function compareStructures(stack: Stack, folder: Text): Act {
  const log = join(`${stack.config.workDirectory}/runs/`, runId, "/update.log");
  return read({
    id: "compare",
    title: "Compare before and after",
    action: command(stack.tools, ["sh", "-c", compareScript, "compare", folder, log]),
    outputs: { found: { from: "stdout", as: "json" } },
  });
}

/** `FOLDER LOG`: works in the folder of the notes, and hands `$gone`, `$come` and `$warned` to `found`, which is jq with more words. */
export const differencesScript = `
set -eu
export LC_ALL=C
cd -- "$1"
for when in before after; do sort -u "structure-$when" > "$when.sorted"; done
list() { head -n 200 | jq -R . | jq -s .; }
gone=$(comm -23 before.sorted after.sorted | list)
come=$(comm -13 before.sorted after.sorted | list)
warned=$(sed -n 's/^[0-9-]* [0-9:,]* [0-9]* \\(WARNING [^ ]* .*\\)/\\1/p' "$2" | sort | uniq | list)
found() { jq -n --argjson gone "$gone" --argjson come "$come" --argjson warned "$warned" "$@"; }
`;

const compareScript = `${differencesScript}found '{$gone, $come, $warned}'
`;
