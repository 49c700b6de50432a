import type { StackConfig } from "../../../config/schema.ts";
import type { Exposure } from "./exposure.ts";

/** An exposure as one sentence, for whoever is woken by it. Pure. */

type Context = Pick<StackConfig, "timezone" | "objectives">;

/** For machines: the figures, null where there is no repository, and the sentence for whoever reads them. */
export function exposureJson(exposure: Exposure | undefined, context: Context) {
  const { rpoSeconds, rtoSeconds } = context.objectives;
  return { text: sayExposure(exposure, context), rpoSeconds, rtoSeconds, exposure: exposure ?? null };
}

/** Undefined: the configuration names no repository. */
export function sayExposure(exposure: Exposure | undefined, context: Context): string {
  if (exposure === undefined)
    return "If the server died now: everything would be lost. No repository is configured (backup in ipai.yaml).";
  const { dataAtRiskSeconds } = exposure;
  if (dataAtRiskSeconds === null)
    return "If the server died now: everything would be lost. There is no backup that could be restored: ipai backup";
  const parts = [
    `${sayRisk(exposure, dataAtRiskSeconds)}${beyond(dataAtRiskSeconds, context.objectives.rpoSeconds)}`,
    sayRecovery(exposure, context),
    ...sayProof(exposure),
    sayOffsite(exposure),
  ];
  return `If the server died now: ${parts.join(", ")}.`;
}

function sayRisk({ cause, archiveSeconds, filesSeconds }: Exposure, seconds: number): string {
  const why =
    archiveSeconds === null || filesSeconds === null || cause === "set"
      ? "since the last backup"
      : `changes ${roughly(archiveSeconds)}, files ${roughly(filesSeconds)}`;
  return `at most ${roughly(seconds)} of work lost (${why})`;
}

function beyond(seconds: number, objectiveSeconds: number): string {
  return seconds > objectiveSeconds ? `, more than the ${roughly(objectiveSeconds)} promised` : "";
}

function sayRecovery({ recoverSeconds, recoverBy }: Exposure, { timezone, objectives }: Context): string {
  if (recoverSeconds === null || recoverBy === null) return "back nobody knows when (no drill, no proof)";
  const { by, what, at, factor } = recoverBy;
  const scaled = factor === 1 ? "" : `, scaled by ${factor}`;
  const whole = what === "server" ? "" : " of the database";
  const source = {
    drill: `drill${whole} of ${dayOf(at, timezone)}`,
    recovery: `recovery${whole} of ${dayOf(at, timezone)}`,
    proof: `proof of ${dayOf(at, timezone)}; no drill was ever made`,
  }[by];
  return `back in about ${roughly(recoverSeconds)} (${source}${scaled})${beyond(recoverSeconds, objectives.rtoSeconds)}`;
}

function sayProof({ proofAgeDays, doubtAgeDays, recoverBy }: Exposure): readonly string[] {
  if (doubtAgeDays !== null && doubtAgeDays > 0) return ["the last verification did not end well"];
  // Without a drill that was said already.
  if (proofAgeDays === null) return recoverBy === null ? [] : ["no proof"];
  if (proofAgeDays === 0) return ["last proof today"];
  return [`last proof ${proofAgeDays === 1 ? "1 day" : `${proofAgeDays} days`} ago`];
}

function sayOffsite({ offsiteSeconds, isOnSameDisk }: Exposure): string {
  if (offsiteSeconds !== null) return `off-site ${roughly(offsiteSeconds)} ago`;
  return isOnSameDisk === true ? "nothing off-site, all on the server's own disk" : "nothing off-site";
}

/** As much as somebody needs to know: `37 s`, `4 min`, `7 h`, `3 days`. Rounded up, so that less is never promised than is. */
export function roughly(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.ceil(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.ceil(seconds / 3600)} h`;
  return `${Math.ceil(seconds / 86_400)} days`;
}

/** `12 Nov 2026`, in the zone. */
function dayOf(at: string, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone }).format(
    new Date(at),
  );
}
