/** Small pieces of text that several screens share. */

export { duration } from "../../engine/duration.ts";

/** Bytes in decimal units, as disks are sold and df -H says. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, count < 1 ? 0 : Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}

/** An instant in the stack's zone, with the zone's name: an operator should not have to convert. */
export function instant(date: Date | string, timeZone: string): string {
  const text = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone }).format(
    new Date(date),
  );
  return `${text} ${timeZone}`;
}

/**
 * Columns as wide as their widest cell; the last one is not padded. With `columns`, the width of the terminal, the last one is broken
 * between words below itself.
 */
export function table(rows: readonly (readonly string[])[], columns?: number): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, visibleLength(cell));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0);
  const fold = (cell: string) => {
    if (columns === undefined) return cell;
    const room = Math.max(narrowest, Math.min(columns, columnsMax) - before);
    return wrap(cell, room).replaceAll("\n", `\n${" ".repeat(before)}`);
  };
  return rows
    .map((row) =>
      row
        .map((cell, index) =>
          index === widths.length - 1 ? fold(cell) : cell + " ".repeat((widths[index] ?? 0) - visibleLength(cell)),
        )
        .join(gap)
        .trimEnd(),
    )
    .join("\n");
}

const gap = "  ";

/** Characters that a broken column has at least. */
const narrowest = 30;

export function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with the escape character.
  return text.replaceAll(/\u001b\[[0-9;]*m/g, "").length;
}

/** Cut to fit, the end marked. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** At most this wide, whatever the terminal: a longer line is hard to follow. */
const columnsMax = 100;

/** Broken between words to fit, but not between `ipai` and what it is asked to do; every line but the first is indented. */
export function wrap(text: string, columns: number, indent = ""): string {
  const width = Math.min(columns, columnsMax);
  const lines: string[] = [];
  let line = "";
  for (const word of text.replaceAll(/\bipai (?=[a-z])/g, "ipai\u00a0").split(/[ \t]+/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    const room = width - (lines.length === 0 ? 0 : indent.length);
    if (line !== "" && visibleLength(longer) > room) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  const all = [...lines, line].map((one, index) => (index === 0 ? one : `${indent}${one}`));
  return all.join("\n").replaceAll("\u00a0", " ");
}

export function indented(text: string, indent: string): string {
  return text.replaceAll(/^/gm, indent);
}
