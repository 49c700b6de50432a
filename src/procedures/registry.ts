import type { Message } from "../engine/message.ts";
import type { Records } from "../engine/records.ts";
import type { CallFunction, CallRegistry } from "../host/perform.ts";
import { backup } from "./backup/backup.ts";
import { forgetBackups, recordBackup, recordDoubt, recordInventory, recordProof } from "./backup/calls.ts";
import { pruneBackups } from "./backup/prune.ts";
import { verifyBackup } from "./backup/verify.ts";
import type { HealthReport } from "./monitoring/check.ts";
import { keepHealth, watch } from "./monitoring/watch.ts";
import type { AnyProcedure } from "./procedure.ts";
import { composeFill } from "./sandbox/compose-fill.ts";
import { composeUp } from "./sandbox/compose-up.ts";
import { sandboxDown } from "./sandbox/down.ts";
import { sandboxUp } from "./sandbox/up.ts";
import { upgrade } from "./upgrade/upgrade.ts";
import "./backup/errors.ts";
import "./upgrade/errors.ts";

/** Every procedure that can change a stack. A new one is a file in its chapter and a line here. */
export const procedures: readonly AnyProcedure[] = [
  backup,
  verifyBackup,
  pruneBackups,
  upgrade,
  watch,
  sandboxUp,
  composeUp,
  composeFill,
  sandboxDown,
] as unknown as readonly AnyProcedure[];

/** The functions that plans may call, by name and version. A version stays as long as a run may still name it. */
export function createCallRegistry(
  records: Records,
  checkHealth: (stack: string) => Promise<HealthReport>,
  tell: (message: Message) => Promise<void>,
): CallRegistry {
  const calls = new Map<string, CallFunction>([
    ["backup.record@1", recordBackup(records)],
    ["backup.record_doubt@1", recordDoubt(records)],
    ["backup.record_proof@1", recordProof(records)],
    ["backup.record_inventory@1", recordInventory(records)],
    ["backup.forget_all@1", forgetBackups(records)],
    ["monitoring.watch@1", keepHealth(records, checkHealth, tell)],
  ]);
  return { get: (name, version) => calls.get(`${name}@${version}`) };
}
