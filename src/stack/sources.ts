import type { StackConfig } from "../config/schema.ts";
import { createProgram, createReadable, environmentOf, isFolder, type NamedRepository } from "./restic.ts";

/** The repositories that a stack's sets can be taken from for a restore: its own, or another stack's of the same configuration. */

/** How the first repository of a stack is called. */
export const primary = "primary";

/** Secrets of another stack, by this prefix and their own path. */
export function siblingPrefix(name: string): string {
  return `stacks.${name}.`;
}

/**
 * Of another stack, read from this one's machine. A folder is reached only where both stacks have their files at the same place; what
 * restic reaches by an address, also from elsewhere, if its password does not lie in a file over there.
 */
export function createSiblingSources(
  stack: StackConfig,
  tools: string,
  sibling: { readonly config: StackConfig; readonly tools: string },
): readonly NamedRepository[] {
  const { name: owner, backup } = sibling.config;
  if (backup === undefined) return [];
  const isBeside = sibling.tools === tools;
  const own = { name: primary, ...backup, path: "backup" };
  const copies = Object.entries(backup.copies).map(([name, copy]) => ({
    name,
    ...copy,
    path: `backup.copies.${name}`,
  }));
  return [own, ...copies]
    .filter((one) => isBeside || (!isFolder(one.repository) && one.passwordFile === undefined))
    .map((one) => {
      const env = environmentOf(one, `${siblingPrefix(owner)}${one.path}`);
      const { name, repository, options } = one;
      return { name, repository, ...createReadable(owner, createProgram(stack, tools, env, options)) };
    });
}
