import type { StackConfig } from "../config/schema.ts";
import { type SecretRef, secret } from "../runbook/value.ts";
import { createProgram, createReadable, environmentOf, type NamedRepository } from "./restic.ts";

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
  const secretOf = (path: string): SecretRef => secret(`${siblingPrefix(owner)}${path}`);
  const first = isBeside
    ? [
        {
          name: primary,
          repository: backup.repository,
          ...createReadable(
            owner,
            createProgram(
              stack,
              tools,
              environmentOf(backup, secret(`${siblingPrefix(owner)}backup.password`), "RESTIC_"),
            ),
          ),
        },
      ]
    : [];
  const copies = Object.entries(backup.copies)
    .filter(([, copy]) => isBeside || (!copy.repository.startsWith("/") && copy.passwordFile === undefined))
    .map(([name, copy]) => {
      const key = `backup.copies.${name}`;
      const variables = Object.keys(copy.environment).map(
        (one) => [one, secretOf(`${key}.environment.${one}`)] as const,
      );
      const env = {
        ...environmentOf(copy, secretOf(`${key}.password`), "RESTIC_"),
        ...Object.fromEntries(variables),
      };
      const { repository, options } = copy;
      return { name, repository, ...createReadable(owner, createProgram(stack, tools, env, options)) };
    });
  return [...first, ...copies];
}
