import { defineError } from "../errors/error.ts";
import { findNearest } from "./nearest.ts";

export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export const ConfigNotFound = defineError<{ looked: readonly string[] }>("config.not_found", {
  exitCode: 10,
  message: (d) => `There is no configuration (looked for ${d.looked.join(", ")}).`,
  hint: () =>
    "`ipai demo` makes a practice stack with one; for your own, write ipai.yaml (docs/configuration.md) or name it with --config.",
});

export const ConfigUnreadable = defineError<{ file: string; reason: string }>("config.unreadable", {
  exitCode: 10,
  message: (d) => `${d.file} cannot be read: ${d.reason}.`,
  hint: () => "Does the file exist, and may this user read it?",
});

export const ConfigInvalid = defineError<{ file: string; problems: readonly Problem[] }>("config.invalid", {
  exitCode: 11,
  message: (d) =>
    d.problems.map((problem) => `${d.file}:${problem.line}:${problem.column}: ${problem.message}`).join("\n"),
  hint: () => "`ipai config schema` prints every key with its meaning; editors can use it.",
});

export const UnknownStack = defineError<{ name: string | undefined; known: readonly string[] }>(
  "config.unknown_stack",
  {
    exitCode: 12,
    message: (d) =>
      d.name === undefined
        ? `There are several stacks: ${d.known.join(", ")}.`
        : `There is no stack ${d.name}; there is ${d.known.join(", ")}.${suggestion(d.name, d.known)}`,
    hint: () => "Choose one with --stack.",
  },
);

function suggestion(name: string, known: readonly string[]): string {
  const near = findNearest(name, known);
  return near === undefined ? "" : ` Did you mean ${near}?`;
}
