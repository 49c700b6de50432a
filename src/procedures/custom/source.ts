import { createHash } from "node:crypto";
import type { ConfigDocument } from "../../config/document.ts";
import { secretsOf } from "../../config/load.ts";
import { type Plan, riskOf } from "../../runbook/plan.ts";
import { findFaults } from "../../runbook/validate.ts";
import type { Json } from "../../runbook/value.ts";
import type { Stack } from "../../stack/stack.ts";
import type { AnyProcedure, Procedure } from "../procedure.ts";
import { toFact } from "./actions.ts";
import { compileSteps } from "./compile.ts";
import { type FileProblem, ProcedureInvalid } from "./errors.ts";
import { type Input, inputSchema, sampleFacts, sampleInput } from "./input.ts";
import type { Definition } from "./schema.ts";
import { type Complain, createValues, outline, type Path } from "./values.ts";

/** A file that could be read, and the procedure that it is. */

export interface Source {
  readonly file: string;
  readonly text: string;
  readonly document: ConfigDocument;
  readonly definition: Definition;
}

export interface Complaint {
  readonly path: Path;
  readonly message: string;
}

type Answers = Readonly<Record<string, Json>>;

/** `others`: every procedure that there is, when its steps are looked at. */
export function toProcedure(
  source: Source,
  stacks: readonly Stack[],
  others: () => readonly AnyProcedure[],
): AnyProcedure {
  const { name, chapter, title, summary, input, announce } = source.definition;
  const [first] = stacks;
  if (first === undefined) throw new TypeError("a configuration without a stack");
  const procedure: Procedure<Input, Answers> = {
    ...{ name, chapter, title: outline(title), summary, file: source.file, announceSeconds: announce },
    // What the file says decides, not a number that somebody may forget to raise: the plan is bound to it.
    version: 1,
    risk: riskOf(compilePlan(source, first, sampleOf(source.definition), []).plan),
    input: inputSchema(input, () => undefined),
    facts: async (reader, given) => {
      const { questions, complaints } = compileFacts(source, reader.stack, given);
      refuse(source, complaints);
      const answers = questions.map(async ([fact, { action, output }]) => [fact, await reader.read(action, output)]);
      return Object.fromEntries(await Promise.all(answers)) as Answers;
    },
    plan: (stack, given, facts) => {
      const { plan, complaints } = compilePlan(source, stack, { input: given, facts }, others());
      refuse(source, complaints);
      return plan;
    },
  };
  return procedure as unknown as AnyProcedure;
}

function refuse(source: Source, complaints: readonly Complaint[]): void {
  if (complaints.length > 0) throw ProcedureInvalid({ problems: toProblems(source, complaints) });
}

/** In the order of the file, each once. */
export function toProblems({ file, document }: Source, complaints: readonly Complaint[]): readonly FileProblem[] {
  const placed = complaints.map(({ path, message }) => ({ file, ...document.at(path, message) }));
  const texts = placed.map((one) => JSON.stringify(one));
  return inOrder(placed.filter((_, index) => texts.indexOf(texts[index] ?? "") === index));
}

export function inOrder(problems: readonly FileProblem[]): readonly FileProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** What is wrong with it on every stack, besides its input: on one alone it may lack what only that stack has not. */
export function judge(source: Source, stacks: readonly Stack[], others: readonly AnyProcedure[]): readonly Complaint[] {
  const ofInput: Complaint[] = [];
  inputSchema(source.definition.input, (path, message) => ofInput.push({ path, message }));
  const sample = sampleOf(source.definition);
  const [first = [], ...more] = stacks.map((stack) => [
    ...compileFacts(source, stack, sample.input).complaints,
    ...compilePlan(source, stack, sample, others, true).complaints,
  ]);
  const key = ({ path }: Complaint) => JSON.stringify(path);
  const isEverywhere = (complaint: Complaint) =>
    more.every((found) => found.some((other) => key(other) === key(complaint)));
  return [...ofInput, ...first.filter(isEverywhere)];
}

interface Given {
  readonly input: Input;
  readonly facts: Answers;
}

function sampleOf({ input, facts }: Definition): Given {
  return { input: sampleInput(input), facts: sampleFacts(facts) };
}

function compileFacts({ definition }: Source, stack: Stack, input: Input) {
  const { complain, complaints } = listen();
  const values = createValues({ ...namesOf(stack), input, facts: undefined }, complain);
  const questions = Object.entries(definition.facts).map(
    ([name, spec]) => [name, toFact({ stack, values, complain }, spec, ["facts", name])] as const,
  );
  return { questions, complaints };
}

function compilePlan(
  { definition, file, text }: Source,
  stack: Stack,
  { input, facts }: Given,
  procedures: readonly AnyProcedure[],
  isSample = false,
): { readonly plan: Plan; readonly complaints: readonly Complaint[] } {
  const { complain, complaints } = listen();
  const values = createValues({ ...namesOf(stack), input, facts }, complain);
  const places = new Map<string, Path>();
  const sha256 = createHash("sha256").update(text).digest("hex");
  const said = definition.notes.map((note, index) => values.fixed(note, ["notes", index]));
  const context = { stack, values, complain, places, isSample, procedures };
  const draft: Plan = {
    procedure: definition.name,
    version: 1,
    stack: stack.name,
    title: values.fixed(definition.title, ["title"]),
    input,
    facts: { definition: { file, sha256 }, answers: facts },
    lease: definition.lease ?? "none",
    notes: [...said, `Custom procedure: ${file} (SHA-256 ${sha256.slice(0, 12)}…)`],
    steps: compileSteps(context, definition.steps, ["steps"]),
  };
  const usualLease = riskOf(draft) === "read" ? "none" : "exclusive";
  const plan = { ...draft, lease: definition.lease ?? usualLease } as const;
  for (const fault of findFaults(plan)) complain(places.get(fault.step) ?? ["steps"], fault.text);
  return { plan, complaints };
}

function listen(): { readonly complain: Complain; readonly complaints: Complaint[] } {
  const complaints: Complaint[] = [];
  return { complaints, complain: (path, message) => complaints.push({ path, message }) };
}

function namesOf({ name, odoo, config }: Stack) {
  const { database, dataDirectory } = config.odoo;
  const { workDirectory, timezone, urls } = config;
  const filestore = String(odoo.filestoreOf(database));
  return {
    stack: { name, database, dataDirectory, filestore, workDirectory, timezone, url: urls.public },
    secrets: Object.keys(secretsOf(config)),
  };
}
