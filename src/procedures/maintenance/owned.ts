import type { Records } from "../../engine/records.ts";
import type { Act } from "../../runbook/plan.ts";
import type { Maintenance } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import { listResources, noteClosed, type Resource } from "../resources.ts";
import { NoMaintenance } from "./errors.ts";

/** A maintenance that somebody switched on has an owner and an end: it is a resource. */

export function requireMaintenance({ name, maintenance }: Stack): Maintenance {
  if (maintenance === undefined) throw NoMaintenance({ stack: name });
  return maintenance;
}

/** There is one at most, but for an instant in which one takes another's place. */
export async function listMaintenances(records: Records, stack: string): Promise<readonly Resource[]> {
  return (await listResources(records, stack)).filter(({ kind }) => kind === "maintenance");
}

/** The step that notes that one is over. */
export function noteEnded(stack: Stack, id: string): Act {
  return { ...noteClosed(stack, id), id: `end ${id}`, title: `Note that ${id} is over` };
}

/** `14:30 on 30 November (Asia/Manila)`. */
export function shownInstant(iso: string, timeZone: string): string {
  const at = new Date(iso);
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", timeZone });
  return `${time.format(at)} on ${day.format(at)} (${timeZone})`;
}
