import { Cron } from "croner";

/** Durations as people write them, with their unit. Undefined for what is none. */

const secondsPer: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90s`, `15m`, `4h`, `7d`, `2w` → seconds. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([smhdw])$/.exec(text.trim()) ?? [];
  const factor = secondsPer[unit];
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

const bytesPer: Readonly<Record<string, number>> = {
  ...{ KB: 1e3, MB: 1e6, GB: 1e9 },
  ...{ KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 },
};

/** `10MiB/s`, `500KB/s` → bytes per second. */
export function parseRate(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMG]i?B)\/s$/i.exec(text.trim()) ?? [];
  const factor = bytesPer[unit.toUpperCase()];
  return amount === undefined || factor === undefined || Number(amount) === 0 ? undefined : Number(amount) * factor;
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
