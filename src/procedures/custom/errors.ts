import type { Problem } from "../../config/errors.ts";
import { defineError } from "../../errors/error.ts";

/** What can be wrong with a procedure of the user's own. */

export interface FileProblem extends Problem {
  readonly file: string;
}

export const ProcedureInvalid = defineError<{ problems: readonly FileProblem[] }>("procedure.invalid", {
  exitCode: 11,
  message: (d) =>
    d.problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join("\n"),
  hint: () => "Nothing was started. `ipai procedures schema` prints every key with its meaning; editors can use it.",
});
