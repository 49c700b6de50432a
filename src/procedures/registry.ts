import type { NamedFile } from "../config/file.ts";
import type { Message } from "../engine/message.ts";
import type { Records } from "../engine/records.ts";
import type { CallFunction, CallRegistry } from "../host/perform.ts";
import type { Stack } from "../stack/stack.ts";
import { backup } from "./backup/backup.ts";
import { forgetBackups, judgeClock, recordBackup, recordDoubt, recordInventory, recordProof } from "./backup/calls.ts";
import { certify, certifyFailure, type Notary, requestProof } from "./backup/certificate/calls.ts";
import { checkBackups, copyBackups } from "./backup/copies.ts";
import { exportBackup, recordExport } from "./backup/exchange/export.ts";
import { restoreFile } from "./backup/exchange/restore-file.ts";
import { expireResources } from "./backup/expire.ts";
import { shipFiles } from "./backup/files/files.ts";
import { recordFiles } from "./backup/files/notes.ts";
import { thinFiles } from "./backup/files/thin.ts";
import { closePast } from "./backup/past/close.ts";
import { extractFromPast } from "./backup/past/extract.ts";
import { findInPast } from "./backup/past/find.ts";
import { lookAtPast } from "./backup/past/look.ts";
import { openPast } from "./backup/past/open.ts";
import { pruneBackups } from "./backup/prune.ts";
import { recordCheck, recordCopy } from "./backup/repositories.ts";
import { forgetKept } from "./backup/restore/forget.ts";
import { restore } from "./backup/restore/restore.ts";
import { restoreSet } from "./backup/restore/restore-set.ts";
import { restoreCopy } from "./backup/staging/make.ts";
import { removeStaging } from "./backup/staging/remove.ts";
import { serveStaging, stopStaging } from "./backup/staging/serve.ts";
import { verifyBackup } from "./backup/verify.ts";
import { walBackup } from "./backup/wal/backup.ts";
import { walRemove } from "./backup/wal/remove.ts";
import { walSetup } from "./backup/wal/setup.ts";
import { walVerify } from "./backup/wal/verify.ts";
import { type BrokenFile, readCustom } from "./custom/custom.ts";
import { ProcedureInvalid } from "./custom/errors.ts";
import { askMoment } from "./deployment/checklist-facts.ts";
import { deploy } from "./deployment/deploy.ts";
import { hotfix } from "./deployment/hotfix.ts";
import { pruneImages } from "./deployment/prune-images.ts";
import { recordRehearsal } from "./deployment/rehearsal.ts";
import { rehearse } from "./deployment/rehearse.ts";
import { recordRelease } from "./deployment/release.ts";
import { rollback } from "./deployment/rollback.ts";
import { databaseCheck } from "./maintenance/database-check.ts";
import { recordIntegrity } from "./maintenance/integrity.ts";
import { maintenanceOff } from "./maintenance/off.ts";
import { maintenanceOn } from "./maintenance/on.ts";
import type { HealthReport } from "./monitoring/check.ts";
import { syncWorkflows } from "./monitoring/flows/sync.ts";
import { keepHealth, watch } from "./monitoring/watch.ts";
import type { AnyProcedure, FactReader } from "./procedure.ts";
import { recoverDatabase } from "./recovery/database.ts";
import { drill } from "./recovery/drill.ts";
import { forgetDamaged } from "./recovery/forget.ts";
import type { RunTimes } from "./recovery/phases.ts";
import { beginDrill, recordRecovery } from "./recovery/record.ts";
import { recoverServer } from "./recovery/server.ts";
import { closeResource, countAttempt, openResource } from "./resources.ts";
import { composeFill } from "./sandbox/compose-fill.ts";
import { composeUp } from "./sandbox/compose-up.ts";
import { sandboxDown } from "./sandbox/down.ts";
import { sandboxUp } from "./sandbox/up.ts";
import { upgradeMajor } from "./upgrade/major/major.ts";
import { recordMajor } from "./upgrade/major/record.ts";
import { rehearseMajor } from "./upgrade/major/rehearsal.ts";
import { upgrade } from "./upgrade/upgrade.ts";
import "./backup/errors.ts";
import "./backup/past/errors.ts";
import "./backup/restore/errors.ts";
import "./backup/automation/errors.ts";
import "./backup/certificate/errors.ts";
import "./backup/exchange/errors.ts";
import "./backup/staging/errors.ts";
import "./backup/wal/errors.ts";
import "./deployment/errors.ts";
import "./maintenance/errors.ts";
import "./monitoring/flows/errors.ts";
import "./recovery/errors.ts";
import "./upgrade/errors.ts";
import "./upgrade/major/errors.ts";

/** Every procedure of the program itself. A new one is a file in its chapter and a line here. */
export const builtIn: readonly AnyProcedure[] = [
  backup,
  verifyBackup,
  pruneBackups,
  copyBackups,
  checkBackups,
  shipFiles,
  thinFiles,
  restore,
  restoreSet,
  forgetKept,
  exportBackup,
  restoreFile,
  restoreCopy,
  serveStaging,
  stopStaging,
  removeStaging,
  walSetup,
  walBackup,
  walVerify,
  walRemove,
  openPast,
  lookAtPast,
  extractFromPast,
  findInPast,
  closePast,
  expireResources,
  deploy,
  hotfix,
  rehearse,
  rollback,
  pruneImages,
  upgrade,
  upgradeMajor,
  rehearseMajor,
  databaseCheck,
  maintenanceOn,
  maintenanceOff,
  recoverServer,
  recoverDatabase,
  forgetDamaged,
  drill,
  watch,
  syncWorkflows,
  sandboxUp,
  composeUp,
  composeFill,
  sandboxDown,
] as unknown as readonly AnyProcedure[];

/** Every procedure that a configuration has: the program's and the user's own. */
export interface Procedures {
  readonly all: readonly AnyProcedure[];
  /** Files of the user's that are wrong. */
  readonly broken: readonly BrokenFile[];
  /** Undefined: there is none. Throws `procedure.invalid` for one whose file is wrong. */
  find(name: string, version?: number): AnyProcedure | undefined;
}

export function createProcedures(files: readonly NamedFile[], stacks: readonly Stack[]): Procedures {
  const { procedures, broken } = readCustom(files, stacks, builtIn);
  const all = [...builtIn, ...procedures];
  return {
    all,
    broken,
    find: (name, version) => {
      const found = all.find((one) => one.name === name && (version === undefined || one.version === version));
      const wrong = broken.find((file) => file.name === name);
      if (found === undefined && wrong !== undefined) throw ProcedureInvalid({ problems: wrong.problems });
      return found;
    },
  };
}

/** What calls need besides their records. */
export interface CallPorts {
  readonly checkHealth: (stack: string) => Promise<HealthReport>;
  readonly readerOf: (stack: string) => FactReader;
  readonly tell: (message: Message) => Promise<void>;
  readonly timesOf: (run: string) => Promise<RunTimes>;
  readonly notary: Notary;
}

/** The functions that plans may call, by name and version. A version stays as long as a run may still name it. */
export function createCallRegistry(records: Records, ports: CallPorts): CallRegistry {
  const { checkHealth, readerOf, tell, timesOf, notary } = ports;
  const calls = new Map<string, CallFunction>([
    ["backup.record@1", recordBackup(records)],
    ["backup.judge_clock@1", judgeClock(records)],
    ["backup.record_doubt@1", recordDoubt(records)],
    ["backup.record_proof@1", recordProof(records)],
    ["backup.request_proof@1", requestProof(notary)],
    ["backup.certify@1", certify(records, notary)],
    ["backup.certify_failure@1", certifyFailure(records, notary)],
    ["backup.record_inventory@1", recordInventory(records)],
    ["backup.record_copy@1", recordCopy(records)],
    ["backup.record_check@1", recordCheck(records)],
    ["backup.record_files@1", recordFiles(records)],
    ["backup.record_export@1", recordExport(records)],
    ["backup.forget_all@1", forgetBackups(records)],
    ["resource.open@1", openResource(records)],
    ["resource.close@1", closeResource(records)],
    ["resource.attempt@1", countAttempt(records)],
    ["deployment.ask_again@1", askMoment(readerOf)],
    ["deployment.record@1", recordRelease(records, timesOf)],
    ["deployment.record_rehearsal@1", recordRehearsal(records, timesOf)],
    ["upgrade.record_major@1", recordMajor(records, timesOf)],
    ["maintenance.record_integrity@1", recordIntegrity(records)],
    ["monitoring.watch@1", keepHealth(records, checkHealth, tell)],
    ["recovery.begin_drill@1", beginDrill(records)],
    ["recovery.record@1", recordRecovery(records, timesOf, tell)],
  ]);
  return { get: (name, version) => calls.get(`${name}@${version}`) };
}
