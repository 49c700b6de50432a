import { z } from "zod";
import type { Act, Plan } from "../../runbook/plan.ts";
import { join, runId } from "../../runbook/value.ts";
import type { Maintenance } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { noteOpened } from "../resources.ts";
import { readFlag } from "../running.ts";
import { change, takeBack } from "../steps.ts";
import { liftFlag, putWords } from "./bracket.ts";
import { MaintenanceIsOver } from "./errors.ts";
import { listMaintenances, noteEnded, requireMaintenance, shownInstant } from "./owned.ts";

const input = z.object({
  reason: z.string().max(300).default("").describe("Why, in plain words: users read it"),
  until: z.iso.datetime({ offset: true }).describe("When it should be over, such as 2026-11-25T18:00:00Z"),
});
type Input = z.infer<typeof input>;

interface Facts {
  /** Those that are open: this one takes their place. */
  readonly open: readonly string[];
  /** The flag that is there, as it is written; empty when there is none. */
  readonly flag: string;
}

export const maintenanceOn: Procedure<Input, Facts> = {
  name: "maintenance on",
  chapter: "maintenance",
  version: 1,
  risk: "change",
  title: "Maintenance mode on",
  summary:
    "Keeps users out with a page that says why, and until when. Nothing is stopped or reloaded. Who switched it on, and when it should be over, is " +
    "noted: one that outlives its time is told of, and lifted where that is configured. Switched on once more, it says something else, or lasts longer.",
  input,
  facts: readFacts,
  plan: planOn,
};

async function readFacts(reader: FactReader, { until }: Input): Promise<Facts> {
  const { stack, records } = reader;
  const maintenance = requireMaintenance(stack);
  const [open, { now, found }] = await Promise.all([
    listMaintenances(records, stack.name),
    readFlag(reader, maintenance),
  ]);
  if (Date.parse(until) <= now.getTime()) throw MaintenanceIsOver({ until });
  return { open: open.map(({ id }) => id), flag: found?.text ?? "" };
}

function planOn(stack: Stack, { reason, until }: Input, { open, flag }: Facts): Plan {
  const maintenance = requireMaintenance(stack);
  const iso = new Date(until).toISOString();
  const shown = shownInstant(iso, stack.config.timezone);
  return {
    procedure: maintenanceOn.name,
    version: maintenanceOn.version,
    stack: stack.name,
    title: `Switch maintenance on until ${shown}`,
    input: { reason, until },
    facts: { open: [...open], flag },
    // Beside a backup it may begin at once; what changes the stack has an end of its own for it.
    lease: "shared",
    notes: notesOf(stack, open),
    steps: [
      note(stack, iso, reason),
      ...putWords(maintenance, { reason, until: shown }),
      drawKey(maintenance, flag !== ""),
      putFlag(maintenance, iso, flag),
      ...open.map((id) => noteEnded(stack, id)),
    ],
  };
}

function notesOf(stack: Stack, open: readonly string[]): readonly string[] {
  const direct = stack.config.services.odoo.map(({ name, url }) => `${name} at ${url}`);
  return [
    `Not kept out: whoever reaches Odoo past the proxy (${direct.join(", ")}), and websockets that are open already.`,
    "Scheduled actions go on. `ipai maintenance bypass` shows how operators pass.",
    ...(open.length === 0 ? [] : [`It takes the place of ${open.join(", ")}.`]),
  ];
}

function note(stack: Stack, until: string, reason: string): Act {
  const { over, grace } = stack.config.services.proxy?.maintenance ?? { over: "tell", grace: 0 };
  return noteOpened(stack, {
    id: join("maintenance_", runId),
    kind: "maintenance",
    title: reason === "" ? "maintenance" : `maintenance: ${reason}`,
    until,
    graceHours: over === "end" ? grace / 3600 : null,
    close: { procedure: "maintenance off" },
    about: { reason },
  });
}

function drawKey(maintenance: Maintenance, isThere: boolean): Act {
  return change(
    { id: "key", title: "Draw a key for operators", action: maintenance.drawKey() },
    { done: maintenance.hasKey, verify: [maintenance.hasKey], undo: isThere ? "nothing" : [dropKeys(maintenance)] },
  );
}

export function dropKeys(maintenance: Maintenance): Act {
  return takeBack(
    { id: "drop keys", title: "Remove the operators' key", action: maintenance.dropKeys() },
    { verify: [maintenance.hasNoKey] },
  );
}

/** Taken back, what was there before is there again. */
function putFlag(maintenance: Maintenance, until: string, before: string): Act {
  const putBack = takeBack(
    { id: "flag back", title: "Put the earlier flag back", action: maintenance.putFlagBack(before) },
    { verify: [maintenance.isOn] },
  );
  return change(
    {
      id: "maintenance on",
      title: "Switch maintenance on",
      action: maintenance.putFlag({ run: runId, of: "person", until }),
    },
    {
      verify: maintenance.isClosed,
      undo: [before === "" ? liftFlag(maintenance) : putBack],
      timeoutSeconds: 60,
    },
  );
}
