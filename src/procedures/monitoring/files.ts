import { z } from "zod";
import { defineFinding } from "../../errors/finding.ts";
import type { FileSnapshots } from "../../stack/restic-files.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Check, type Judgement, judgeAnswer } from "./check.ts";

/** How old the oldest file of the filestore is that a dead server would take with it. */

const row = z.object({
  filestore: z.boolean(),
  noted: z.boolean().default(false),
  notedSeconds: z.number().default(0),
  /** Null: that takes its password, so it was not asked. */
  isInRepository: z.boolean().nullable().default(null),
  waiting: z.number().default(0),
  waitingSeconds: z.number().nullable().default(null),
});
type Row = z.infer<typeof row>;

export const filesNotStored = defineFinding("IPAI-BACKUP-005", {
  title: "Files not stored",
  asks: "how old the oldest file of the filestore is that no repository has yet, where there is an archive or a second repository",
  warns: "no new files were stored yet, or some wait for longer than ten minutes and five times `backup.filesEvery`",
  fails: "one is older than `objectives.rpo`, or the repository does not hold the snapshot with the latest",
  first: "`ipai schedules history files` says why; does a worker run? `ipai backup files` stores them now.",
});

/** `everySeconds`: how often new files are stored. */
export function storedFiles(stack: Stack, files: FileSnapshots, everySeconds: number): Check {
  const { rpoSeconds } = stack.config.objectives;
  return {
    ...filesNotStored,
    unit: "s of work",
    actions: [files.ask()],
    judge: ([answer]) =>
      judgeAnswer(answer, rpoSeconds, "The filestore could not be looked at.", (result) =>
        judge(row.parse(JSON.parse(result.stdout)), everySeconds, rpoSeconds),
      ),
  };
}

/** So many times may be late before it is a finding: one may have waited for a prune, or for the first upload of much. */
const lateFactor = 5;

function judge(given: Row, everySeconds: number, rpoSeconds: number): Judgement {
  const value = given.waitingSeconds ?? 0;
  const isLate = given.waiting > 0 && given.notedSeconds > Math.max(600, lateFactor * everySeconds);
  const late = `${given.waiting} files wait, and the last time that all were stored was ${Math.round(given.notedSeconds / 60)} minutes ago. Why: ipai schedules history files`;
  const unknown = { value: null, threshold: rpoSeconds } as const;
  if (!given.filestore)
    return {
      ...unknown,
      status: "unknown",
      hint: "The filestore is not there. Is its disk mounted? odoo.dataDirectory says where it should be.",
    };
  if (!given.noted)
    return {
      ...unknown,
      status: "warn",
      hint: "No new files were stored yet beside the nightly sets: ipai backup files. Does a worker run?",
    };
  if (given.isInRepository === false)
    return {
      ...unknown,
      status: "fail",
      hint: "The repository does not hold the snapshot with the latest files. Is its disk mounted? `ipai backup files` stores them anew.",
    };
  if (value > rpoSeconds) return { status: "fail", value, threshold: rpoSeconds, hint: late };
  return { status: isLate ? "warn" : "ok", value, threshold: rpoSeconds, ...(isLate ? { hint: late } : {}) };
}
