import { ConfigDocument } from "../../config/document.ts";
import type { NamedFile } from "../../config/file.ts";
import { describeIssue } from "../../config/issues.ts";
import type { Stack } from "../../stack/stack.ts";
import type { AnyProcedure } from "../procedure.ts";
import type { FileProblem } from "./errors.ts";
import { fileSchema, type StepSpec } from "./schema.ts";
import { type Complaint, inOrder, judge, type Source, toProblems, toProcedure } from "./source.ts";
import type { Path } from "./values.ts";

/**
 * Procedures of the user's own: a file each. What is wrong with one is found when it is read, by making its plan for every stack with
 * made-up input and facts. A file that is wrong keeps nothing but itself from being run.
 */

export interface CustomProcedures {
  readonly procedures: readonly AnyProcedure[];
  readonly broken: readonly BrokenFile[];
}

export interface BrokenFile {
  readonly file: string;
  /** Undefined when not even that can be told. */
  readonly name: string | undefined;
  readonly problems: readonly FileProblem[];
}

export function readCustom(
  files: readonly NamedFile[],
  stacks: readonly Stack[],
  builtIn: readonly AnyProcedure[],
): CustomProcedures {
  const parsed = files.map(parseFile);
  const sources = parsed.filter((one) => "definition" in one);
  const all: AnyProcedure[] = [...builtIn];
  all.push(...sources.map((source) => toProcedure(source, stacks, () => all)));
  const judged = sources.map((source, index) => {
    const complaints = [
      ...nameFaults(source, builtIn, sources.slice(0, index)),
      ...circleFaults(source, sources),
      ...judge(source, stacks, all),
    ];
    return { procedure: all[builtIn.length + index], problems: toProblems(source, complaints), source };
  });
  return {
    procedures: judged.flatMap(({ procedure, problems }) => (procedure && problems.length === 0 ? [procedure] : [])),
    broken: [
      ...parsed.filter((one) => "problems" in one),
      ...judged.flatMap(({ source: { file, definition }, problems }) =>
        problems.length === 0 ? [] : [{ file, name: definition.name, problems }],
      ),
    ],
  };
}

function parseFile({ name: file, text }: NamedFile): Source | BrokenFile {
  if (typeof text !== "string")
    return { file, name: undefined, problems: [{ file, line: 1, column: 1, message: text.unreadable }] };
  const document = new ConfigDocument(text);
  const { value, faults } = document;
  const parsed = fileSchema.safeParse(value ?? {});
  if (parsed.success && faults.length === 0) return { file, text, document, definition: parsed.data };
  const issues = parsed.error?.issues ?? [];
  const problems = faults.length > 0 ? faults : issues.flatMap((issue) => describeIssue(issue, document, fileSchema));
  const name = typeof value === "object" && value !== null && "name" in value ? String(value.name) : undefined;
  return { file, name, problems: inOrder(problems.map((problem) => ({ file, ...problem }))) };
}

function nameFaults(
  { definition: { name } }: Source,
  builtIn: readonly AnyProcedure[],
  earlier: readonly Source[],
): readonly Complaint[] {
  const path = ["name"];
  const other = earlier.find(({ definition }) => definition.name === name);
  return [
    ...(builtIn.some((one) => one.name === name) ? [{ path, message: `${name} is a built-in procedure` }] : []),
    ...(other === undefined ? [] : [{ path, message: `${name} is defined in ${other.file} too` }]),
  ];
}

/** A procedure inside itself would be planned without end. */
function circleFaults(source: Source, sources: readonly Source[]): readonly Complaint[] {
  return callsOf(source).flatMap(({ path, name }) =>
    reaches(name, source.definition.name, sources, [])
      ? [{ path, message: `${name} leads back to this procedure` }]
      : [],
  );
}

function reaches(from: string, wanted: string, sources: readonly Source[], seen: readonly string[]): boolean {
  if (from === wanted) return true;
  if (seen.includes(from)) return false;
  const found = sources.filter(({ definition }) => definition.name === from).flatMap(callsOf);
  return found.some(({ name }) => reaches(name, wanted, sources, [...seen, from]));
}

interface Call {
  readonly path: Path;
  readonly name: string;
}

function callsOf({ definition }: Source): readonly Call[] {
  return definition.steps.flatMap((step, index) => callsIn(step, ["steps", index]));
}

/** Procedures stand in bodies only. */
function callsIn({ procedure, bracket }: StepSpec, path: Path): readonly Call[] {
  const own = procedure === undefined ? [] : [{ path: [...path, "procedure"], name: procedure }];
  const inner = bracket?.body ?? [];
  return [...own, ...inner.flatMap((step, index) => callsIn(step, [...path, "bracket", "body", index]))];
}
