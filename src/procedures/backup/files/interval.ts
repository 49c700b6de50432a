import type { StackConfig } from "../../../config/schema.ts";

/** How often new files are stored by themselves, seconds; undefined where there is nothing that they would have to keep up with. */
export function shippingSeconds({ backup }: Pick<StackConfig, "backup">): number | undefined {
  if (backup === undefined) return undefined;
  const { filesEvery, wal, copies } = backup;
  if (filesEvery !== undefined) return filesEvery;
  // At least as often as the archive takes changes: an attachment's row is worth nothing without its file.
  if (wal !== undefined) return 60 * (divisors.find((minutes) => minutes * 60 <= wal.archiveTimeout) ?? 1);
  return Object.keys(copies).length === 0 ? undefined : 300;
}

/** Minutes that divide an hour, so that crontab can say them. */
const divisors = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2];

/** As crontab says it. */
export function shippingCron(seconds: number): string {
  const minutes = seconds / 60;
  if (minutes === 60) return "0 * * * *";
  return minutes === 1 ? "* * * * *" : `*/${minutes} * * * *`;
}
