/** Length is what makes a password hard to guess. What it may not be is what is guessed first. */

export const passwordLengthMin = 12;
export const passwordLengthMax = 128;
const differentMin = 6;

/** `own`: names and addresses of whoever sets it. */
export function findPasswordFault(password: string, own: readonly string[]): string | undefined {
  const characters = [...password];
  if (characters.length < passwordLengthMin) return `A password has at least ${passwordLengthMin} characters.`;
  if (password.length > passwordLengthMax) return `A password has at most ${passwordLengthMax} characters.`;
  if (new Set(characters).size < differentMin) return `A password has at least ${differentMin} different characters.`;
  const lower = password.toLowerCase();
  const words = own.map((word) => word.split("@")[0] ?? "").filter((word) => word.length >= 4);
  if (words.some((word) => lower.includes(word))) return "A password does not contain its owner's name.";
  return undefined;
}
