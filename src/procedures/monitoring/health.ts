import type { Stack } from "../../stack/stack.ts";
import { shippingSeconds } from "../backup/files/interval.ts";
import { maintenanceMode } from "../maintenance/watchdog.ts";
import { automationChecks } from "./automation.ts";
import type { Check } from "./check.ts";
import { containers } from "./containers.ts";
import { crons, database } from "./database.ts";
import { storedFiles } from "./files.ts";
import { disk, memory } from "./machine.ts";
import { cache, http, processes } from "./services.ts";
import { archivedWal } from "./wal.ts";

/**
 * The seven checks of the runbook, done for what they are for, and more where a compose file says what should run, or an archive or n8n is
 * configured. Pure: says what is asked and how answers are judged.
 */
export function healthChecks(stack: Stack): readonly Check[] {
  const { redis, automation, pgbackrest, fileSnapshots, maintenance } = stack;
  const { runtime } = stack.config;
  const everySeconds = shippingSeconds(stack.config);
  return [
    processes(stack),
    database(stack),
    disk(stack),
    memory(stack),
    http(stack),
    ...(redis === undefined ? [] : [cache(stack, redis)]),
    crons(stack),
    ...(automation === undefined ? [] : automationChecks(stack, automation)),
    ...(maintenance === undefined ? [] : [maintenanceMode(stack, maintenance)]),
    ...(pgbackrest === undefined ? [] : [archivedWal(stack, pgbackrest)]),
    ...(fileSnapshots === undefined || everySeconds === undefined
      ? []
      : [storedFiles(stack, fileSnapshots, everySeconds)]),
    ...("compose" in runtime ? [containers(stack, runtime.compose)] : []),
  ];
}
