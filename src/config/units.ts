import { Cron } from "croner";

/** Durations as people write them, with their unit. Undefined for what is none. */

const secondsPer: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90s`, `15m`, `4h`, `7d`, `2w` → seconds. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([smhdw])$/.exec(text.trim()) ?? [];
  const factor = secondsPer[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

/** Why this is no cron expression of five fields; undefined when it is one. */
export function findCronFault(text: string): string | undefined {
  try {
    new Cron(text, { mode: "5-part" });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^Cron\w*: /, "") : String(error);
  }
}
