import { z } from "zod";
import type { Act, Plan } from "../../runbook/plan.ts";
import type { Maintenance } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { getResource } from "../resources.ts";
import { readFlag, readRunning } from "../running.ts";
import { require, serving, takeBack } from "../steps.ts";
import { liftFlag } from "./bracket.ts";
import { MaintenanceIsOff, MaintenanceServesNobody } from "./errors.ts";
import { dropKeys } from "./on.ts";
import { listMaintenances, noteEnded, requireMaintenance } from "./owned.ts";

const input = z.object({
  id: z
    .string()
    .default("")
    .describe("The one that is meant, as `ipai resources` names it; whichever is on when empty"),
  although: z.boolean().default(false).describe("Even if Odoo does not serve behind it"),
});
type Input = z.infer<typeof input>;

interface Facts {
  readonly open: readonly string[];
  readonly flag: string;
  readonly odoo: readonly string[];
}

export const maintenanceOff: Procedure<Input, Facts> = {
  name: "maintenance off",
  chapter: "maintenance",
  version: 1,
  risk: "change",
  title: "Maintenance mode off",
  summary:
    "Lets users in again, after every Odoo has shown its login page behind the closed door, and sees the login page at the public address. When it does not come, " +
    "the door is closed again.",
  input,
  facts: readFacts,
  plan: planOff,
};

async function readFacts(reader: FactReader, { id, although }: Input): Promise<Facts> {
  const { stack, records } = reader;
  const maintenance = requireMaintenance(stack);
  if (id !== "") await getResource(records, stack.name, id);
  const [open, { found }, { odoo }] = await Promise.all([
    listMaintenances(records, stack.name),
    readFlag(reader, maintenance),
    readRunning(reader),
  ]);
  if (open.length === 0 && found === undefined) throw MaintenanceIsOff({ stack: stack.name });
  if (odoo.length === 0 && !although) throw MaintenanceServesNobody({ title: "an Odoo runs", found: "none" });
  return { open: open.map((one) => one.id), flag: found?.text ?? "", odoo };
}

function planOff(stack: Stack, { id, although }: Input, { open, flag, odoo }: Facts): Plan {
  const maintenance = requireMaintenance(stack);
  const behind = stack.config.services.odoo.filter(({ name }) => odoo.includes(name));
  return {
    procedure: maintenanceOff.name,
    version: maintenanceOff.version,
    stack: stack.name,
    title: "Switch maintenance off",
    input: { id, although },
    facts: { open: [...open], flag, odoo: [...odoo] },
    lease: "shared",
    notes: [
      ...(flag === "" ? ["The flag is gone already: users are in. What is noted of it is put right."] : []),
      ...(although ? ["Whether Odoo serves is not asked."] : []),
    ],
    steps: [
      ...(although ? [] : behind.map((service) => servesBehind(stack, service))),
      lift(maintenance, flag),
      ...(although ? [] : [serving(stack, "the public address", stack.odoo.publicAddress)]),
      dropKeys(maintenance),
      ...open.map((one) => noteEnded(stack, one)),
    ],
  };
}

function servesBehind(stack: Stack, service: { readonly name: string; readonly url: string }): Act {
  const ready = stack.odoo.isReady(service.name, stack.odoo.addressOf(service));
  return require({
    id: `behind ${service.name}`,
    title: `${service.name} serves behind it`,
    probe: { ...ready, code: "maintenance.serves_nobody" },
  }, { attempts: 3, timeoutSeconds: 60 });
}

/** Users who get in to find nothing are worse off than those who are told to wait. */
function lift(maintenance: Maintenance, flag: string): Act {
  const close = takeBack(
    { id: "close again", title: "Keep users out again", action: maintenance.putFlagBack(flag) },
    { verify: [maintenance.isOn] },
  );
  return { ...liftFlag(maintenance), undo: flag === "" ? "nothing" : [close] };
}
