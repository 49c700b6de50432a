/** JSON as PostgreSQL takes it: programs print NUL characters, and a text cut off in the middle of one ends with half a character. */
export function toJsonb(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "string" ? clean(member) : withCleanKeys(member),
  );
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

function withCleanKeys(member: unknown): unknown {
  if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
  const isClean = Object.keys(member).every((key) => clean(key) === key);
  return isClean ? member : Object.fromEntries(Object.entries(member).map(([key, one]) => [clean(key), one]));
}
