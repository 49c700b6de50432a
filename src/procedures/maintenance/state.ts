import type { FactReader } from "../procedure.ts";
import type { Resource } from "../resources.ts";

import { readFlag } from "../running.ts";
import { listMaintenances, requireMaintenance } from "./owned.ts";

/** Whether users are kept out, and all that is known of it. */
export interface MaintenanceState {
  readonly isOn: boolean;
  readonly since: string | null;
  /** Null for what has no end that is known. */
  readonly until: string | null;
  /** Whoever switched it on; null when a run closed it for itself, or somebody by hand. */
  readonly by: string | null;
  readonly run: string | null;
  readonly reason: string;
  /** What the public address answers to /web/login; null: nothing does. */
  readonly publicStatus: number | null;
}

export async function readState(reader: FactReader): Promise<MaintenanceState> {
  const { stack, records } = reader;
  const asked = stack.odoo.loginPage(stack.odoo.publicAddress, 7);
  const [{ found }, open, status] = await Promise.all([
    readFlag(reader, requireMaintenance(stack)),
    listMaintenances(records, stack.name),
    reader.maybe(reader.read(asked, { from: "status", as: "number" })),
  ]);
  const run = found?.flag?.run ?? null;
  const owned = open.find((one) => one.run === run);
  return {
    isOn: found !== undefined,
    since: found?.since.toISOString() ?? null,
    until: owned?.expires ?? (found?.flag?.until || null),
    by: owned?.by ?? null,
    run,
    reason: reasonOf(owned),
    publicStatus: status === undefined ? null : Number(status),
  };
}

function reasonOf(owned: Resource | undefined): string {
  const reason = owned?.about["reason"];
  return typeof reason === "string" ? reason : "";
}
