import { median } from "../median.ts";
import { copyBytesPerSecond } from "../upgrade/snapshot.ts";
import type { Rehearsal } from "./rehearsal.ts";
import type { Release } from "./release.ts";

/**
 * Seconds that stopping, checking, starting and asking take where no deployment measured it yet: some, and some for each service: 6 s for the
 * three of the practice stack, which on two quiet processors took 3.0 to 5.4 s (docs/tested.md).
 */
const usualSeconds = (services: number) => 3 + services;
/** So many of the last deployments tell what it takes here. */
const consideredMax = 5;

/**
 * How long users will be out, seconds: the update as the rehearsal measured it, the copy of the database at the speed that was measured, and
 * what everything else took the last times, in the median.
 */
export function forecastDowntime(
  { updateSeconds }: Pick<Rehearsal, "updateSeconds">,
  releases: readonly Pick<Release, "kind" | "downtimeSeconds" | "updateSeconds" | "copySeconds" | "databaseBytes">[],
  { databaseBytes, services }: { readonly databaseBytes: number; readonly services: number },
): number {
  const known = releases.filter(({ kind }) => kind === "database").slice(0, consideredMax);
  const rest = known.map((one) => one.downtimeSeconds - one.updateSeconds - one.copySeconds);
  const speeds = known.filter(({ copySeconds }) => copySeconds > 0).map((one) => one.databaseBytes / one.copySeconds);
  const copySeconds = databaseBytes / (median(speeds) ?? copyBytesPerSecond);
  return Math.round(10 * (updateSeconds + copySeconds + (median(rest) ?? usualSeconds(services)))) / 10;
}

/** By how much of what came the forecast was too long, or (negative) too short; undefined where nothing was forecast or nobody was out. */
export function forecastError({
  forecastSeconds,
  downtimeSeconds,
}: Pick<Release, "forecastSeconds" | "downtimeSeconds">): number | undefined {
  if (forecastSeconds === null || downtimeSeconds === 0) return undefined;
  return (forecastSeconds - downtimeSeconds) / downtimeSeconds;
}
