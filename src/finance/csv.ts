/** CSV as RFC 4180 has it. */

/** Rows of fields, or where it stops being CSV. Both ends of line are taken, and a byte order mark. */
export function parseCsv(text: string): readonly (readonly string[])[] | { readonly brokenAtRow: number } {
  const rows: string[][] = [];
  const source = text.replace(/^\uFEFF/, "");
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  let row: string[] = [];
  while (field.lastIndex < source.length || row.length > 0) {
    const found = field.exec(source);
    if (found === null) return { brokenAtRow: rows.length + 1 };
    row.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

export function toCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(quote).join(",")}\r\n`).join("");
}

/**
 * What begins like a formula is a text, as in the spreadsheets that this program writes itself: what people typed is never computed. A number
 * stays one.
 */
function quote(given: string): string {
  const field = /^[=+\-@]/.test(given) && !/^[+-]?\d+(?:\.\d+)?$/.test(given) ? `'${given}` : given;
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
