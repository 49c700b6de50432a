import type { StackConfig } from "../../../config/schema.ts";
import { defineFinding } from "../../../errors/finding.ts";
import type { Finding, Status } from "../../monitoring/check.ts";
import type { Exposure } from "./exposure.ts";
import { roughly } from "./say.ts";

/** What of an exposure is not as it was promised. Pure. */

export interface Promises {
  readonly objectives: StackConfig["objectives"];
  readonly proof: Limits;
  readonly drill: Limits;
  /** How long the last set took to make, seconds: so much older than the objective the one before may become. */
  readonly setTookSeconds: number;
}

/** Seconds. */
interface Limits {
  readonly warn: number;
  readonly fail: number;
}

const proof = defineFinding("IPAI-BACKUP-006", {
  title: "Last proof of a backup",
  asks: "how long ago a backup that is there was restored and compared",
  warns: "never, or longer ago than `health.proof.warn`",
  fails: "longer ago than `health.proof.fail`, or the last verification has not ended well",
  first: "`ipai backup verify`; `ipai schedules history proof` says why there was none.",
});
const drill = defineFinding("IPAI-BACKUP-007", {
  title: "Last drill",
  asks: "how long ago a recovery was practised, or done",
  warns: "never, or longer ago than `health.drill.warn`",
  fails: "longer ago than `health.drill.fail`",
  first: "`ipai drill`.",
});
const offsite = defineFinding("IPAI-BACKUP-008", {
  title: "Backups on another machine",
  asks: "how old the newest backup is that the loss of this machine would leave",
  warns: "there is none, or it is older than `objectives.rpo` and the time that a backup takes",
  fails: "it is older than that by more than one and a half times `objectives.rpo`",
  first:
    "Name a repository elsewhere under `backup.copies`; `ipai backup copy` brings what is missing, or says why not.",
});
const risk = defineFinding("IPAI-BACKUP-009", {
  title: "Work that would be lost",
  asks: "how much work would be lost if the server died now",
  warns: "more than `objectives.rpo` allows",
  fails: "more than one and a half times `objectives.rpo`; or there is no backup that could be restored",
  first: "`ipai backup`; `ipai schedules history backup` says why the last set is so old.",
});
const recovery = defineFinding("IPAI-BACKUP-010", {
  title: "Time to recover",
  asks: "how long it would take, by what was measured in drills and proofs",
  warns: "more than 80 % of `objectives.rto`",
  fails: "more than `objectives.rto`",
  first: "`ipai drill` measures it; `ipai drill show` says which part takes long.",
});

/** What is well is no finding; what is not known never is well. */
export function judgeExposure(exposure: Exposure, promises: Promises): readonly Finding[] {
  return [
    judgeProof(exposure, promises.proof),
    judgeDrill(exposure, promises.drill),
    judgeOffsite(exposure, promises),
    judgeRisk(exposure, promises),
    judgeRecovery(exposure, promises),
  ].flat();
}

function finding(
  name: Pick<Finding, "code" | "title">,
  unit: string,
  { status, value, threshold, hint }: Pick<Finding, "status" | "value" | "threshold"> & { readonly hint: string },
): readonly Finding[] {
  return status === "ok" ? [] : [{ ...name, unit, status, value, threshold, hint, milliseconds: 0 }];
}

function statusOf(value: number, { warn, fail }: Limits): Status {
  if (value > fail) return "fail";
  return value > warn ? "warn" : "ok";
}

const days = (seconds: number) => Math.round(seconds / 86_400);

/** A verification takes hours at most; one that began yesterday and has no end failed, or was forgotten. */
const doubtDaysMax = 1;

function judgeProof({ proofAgeDays: value, doubtAgeDays, setSeconds }: Exposure, limits: Limits): readonly Finding[] {
  // Without a set there is nothing to prove: that is told as what it is.
  if (setSeconds === null) return [];
  const said = (status: Status, hint: string) =>
    finding(proof, "days ago", {
      ...{ status, value, threshold: days(limits.warn), hint },
    });
  if (doubtAgeDays !== null && doubtAgeDays >= doubtDaysMax)
    return said(
      "fail",
      "The last verification of a backup has not ended well: ipai backup list, ipai runs. Do not rely on that set.",
    );
  if (value === null)
    return said(
      "warn",
      "No backup that is there was ever restored and checked, so none is known to be good: ipai backup verify",
    );
  const status = statusOf(value * 86_400, limits);
  return said(
    status,
    "A backup counts with its proof: ipai backup verify. Why there was none: ipai schedules history proof",
  );
}

function judgeDrill({ drillAgeDays: value, setSeconds }: Exposure, limits: Limits): readonly Finding[] {
  if (setSeconds === null) return [];
  const said = (status: Status, hint: string) =>
    finding(drill, "days ago", { status, value, threshold: days(limits.warn), hint });
  if (value === null)
    return said(
      "warn",
      "A recovery was never tried, so nobody knows whether it works and how long it takes: ipai drill",
    );
  return said(statusOf(value * 86_400, limits), "What was measured then may not hold any more: ipai drill");
}

function judgeOffsite(exposure: Exposure, { objectives, setTookSeconds }: Promises): readonly Finding[] {
  const { offsiteSeconds, setSeconds, isOnSameDisk } = exposure;
  if (setSeconds === null) return [];
  const warn = objectives.rpoSeconds + patienceSeconds(setTookSeconds);
  const said = (status: Status, value: number | null, hint: string) =>
    finding(offsite, "hours old", {
      ...{ status, value, threshold: Math.round(objectives.rpoSeconds / 3600), hint },
    });
  if (offsiteSeconds === null) {
    const where = isOnSameDisk === true ? "They lie on the very disk of what they keep. " : "";
    return said(
      "warn",
      null,
      `No backup is on another machine: a fire, a thief or whoever gets in here takes all. ${where}Name a repository elsewhere under backup.copies, or say backup.offsite: true of one that is.`,
    );
  }
  const status = statusOf(offsiteSeconds, { warn, fail: 1.5 * objectives.rpoSeconds + warn });
  return said(
    status,
    Math.round(offsiteSeconds / 3600),
    "Less is safe from the loss of the machine than was promised: ipai backup copy brings what is missing, or says why not.",
  );
}

/** A night's set is on its way while the last one passes the objective: that is no finding. */
function patienceSeconds(setTookSeconds: number): number {
  return Math.max(900, 3 * setTookSeconds);
}

function judgeRisk(exposure: Exposure, { objectives, setTookSeconds }: Promises): readonly Finding[] {
  const { dataAtRiskSeconds: value, cause } = exposure;
  const said = (status: Status, hint: string) =>
    finding(risk, "s", {
      ...{ status, value, threshold: objectives.rpoSeconds, hint },
    });
  if (value === null)
    return said("fail", "There is no backup that could be restored, so everything would be lost: ipai backup");
  const own = cause === "set" ? patienceSeconds(setTookSeconds) : 0;
  const warn = objectives.rpoSeconds + own;
  const why = {
    set: "The last set is too old: ipai schedules history backup says why there is none.",
    archive: "Changes do not reach the archive fast enough: see IPAI-WAL-001.",
    files: "New files do not reach the repository fast enough: see IPAI-BACKUP-005.",
    everything: "",
  }[cause];
  return said(
    statusOf(value, { warn, fail: 1.5 * objectives.rpoSeconds }),
    `If the server died now, ${roughly(value)} of work would be lost; ${roughly(objectives.rpoSeconds)} is what objectives.rpo allows. ${why}`,
  );
}

function judgeRecovery(exposure: Exposure, { objectives }: Promises): readonly Finding[] {
  const { recoverSeconds: value, setSeconds, dataAtRiskSeconds } = exposure;
  if (setSeconds === null && dataAtRiskSeconds === null) return [];
  const said = (status: Status, hint: string) =>
    finding(recovery, "s", {
      ...{ status, value, threshold: objectives.rtoSeconds, hint },
    });
  if (value === null)
    return said(
      "unknown",
      "Neither a drill nor a proof was ever measured: ipai backup verify is a begin, ipai drill is the answer.",
    );
  return said(
    statusOf(value, { warn: 0.8 * objectives.rtoSeconds, fail: objectives.rtoSeconds }),
    `It would take about ${roughly(value)}; ${roughly(objectives.rtoSeconds)} is what objectives.rto allows. Which part takes long: the last drill.`,
  );
}
