import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { Act, Plan, Step } from "../../../runbook/plan.ts";
import { concat, runId, suffixed, type Text } from "../../../runbook/value.ts";
import { pathExists, pathIsAbsent } from "../../../stack/files.ts";
import type { SideCluster } from "../../../stack/side.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Procedure } from "../../procedure.ts";
import type { Resource } from "../../resources.ts";
import { change, takeBack } from "../../steps.ts";
import { findMissing, listMissing, nameLost, type Search } from "../restore/files.ts";
import { extractScript } from "./extract-script.ts";
import { folderOf, getPast, sideOf, standsStill } from "./past.ts";

const input = z.object({
  id: z.string().describe("The opened past: ipai past list"),
  model: z
    .string()
    .regex(/^[a-z0-9_.]+$/)
    .describe("Such as account.move"),
  ids: z.array(z.int().positive()).min(1).max(10_000).describe("Which records"),
  out: z
    .string()
    .regex(/^\/[^\n]*[^/\n]$/)
    .optional()
    .describe("A new folder on the stack's host; without it, one that goes with the past"),
});
type Input = z.infer<typeof input>;

export const extractFromPast: Procedure<Input, Resource> = {
  name: "past extract",
  chapter: "backup",
  version: 1,
  risk: "change",
  title: "Records out of the past",
  summary:
    "Writes records as they were into a new folder: their values with the lines that belong to them as JSON and CSV, and the files of their " +
    "attachments. Nothing is written into the present.",
  input,
  facts: (reader, { id }) => getPast(reader, id),
  plan: planExtract,
};

/** Where a run puts what it takes out. */
export function extractFolderOf(
  stack: Stack,
  { id, out }: Pick<Input, "id" | "out">,
  run: string | typeof runId,
): Text {
  return out ?? concat(`${folderOf(stack, id)}/extracts/`, run);
}

function planExtract(stack: Stack, given: Input, past: Resource): Plan {
  const { id, model, ids, out } = given;
  const side = sideOf(stack, id);
  const folder = extractFolderOf(stack, given, runId);
  // Copies, not links: whoever edits one must not edit what Odoo has.
  const search: Search = {
    list: suffixed(folder, "/attachments"),
    missing: suffixed(folder, "/missing"),
    into: suffixed(folder, "/files"),
    repository: stack.restic,
  };
  return {
    procedure: extractFromPast.name,
    version: extractFromPast.version,
    stack: stack.name,
    title: `Take ${ids.length === 1 ? `${model} ${ids[0]}` : `${ids.length} of ${model}`} out of ${past.title}`,
    input: { id, model, ids, ...(out === undefined ? {} : { out }) },
    facts: { openedAt: past.openedAt },
    lease: "shared",
    notes: [
      out === undefined
        ? "The folder lies with the opened past and goes with it; --out takes another one."
        : `The folder stays until somebody removes it: ${out}`,
    ],
    steps: [
      standsStill(side),
      makeFolder(stack, folder),
      ...readRecords(stack, side, given, folder),
      listMissing(stack, search),
      ...findMissing(stack, search),
      nameLost(stack, search),
    ],
  };
}

/** Values of production lie in it: for its owner alone. A folder that is there already is somebody's, and so is what lies in it. */
function makeFolder(stack: Stack, folder: Text): Act {
  const { tools: host } = stack;
  const mark = concat(folder, "/.ipai-", runId);
  const make = 'mkdir -p -- "$(dirname -- "$1")" && mkdir -m 0700 -- "$1" "$1/files" && : > "$2"';
  const remove = 'if [ -e "$2" ]; then rm -rf -- "$1"; fi';
  return change(
    { id: "make folder", title: "Make the folder", action: command(host, ["sh", "-c", make, "make", folder, mark]) },
    {
      done: pathExists(host, mark, "this run made the folder"),
      verify: [pathExists(host, mark, "this run made the folder")],
      undo: [
        takeBack(
          {
            id: "remove folder",
            title: "Remove the folder that this run made",
            action: command(host, ["sh", "-c", remove, "remove", folder, mark]),
          },
          { verify: [pathIsAbsent(host, mark, "it is gone")] },
        ),
      ],
    },
  );
}

function readRecords(stack: Stack, side: SideCluster, { model, ids }: Input, folder: Text): readonly Step[] {
  const { tools: host, config } = stack;
  const client = side.client("psql");
  const argv = [
    ...["/usr/bin/python3", "-c", extractScript, folder, config.odoo.database, model, ids.join(",")],
    ...client,
  ] as unknown as readonly [Text, ...Text[]];
  const part = (name: string) => ({ from: "stdout", as: "json", pick: [name] }) as const;
  return [
    change(
      {
        id: "records",
        title: "Read the records, with what belongs to them",
        action: command(host, argv, { exitCodes: { 3: "past.record_missing", 4: "past.no_model" } }),
      },
      {
        outputs: { records: part("records"), children: part("children"), attachments: part("attachments") },
        verify: [pathExists(host, suffixed(folder, "/records.json"), "their values are there")],
        timeoutSeconds: 3600,
      },
    ),
  ];
}
