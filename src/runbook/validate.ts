import { defineError } from "../errors/error.ts";
import type { Action, Output, Probe } from "./action.ts";
import { toCommand } from "./command.ts";
import { type Act, type Entry, type Plan, type Step, type Wait, walk } from "./plan.ts";
import { renderShell, valuesOf, variableOf } from "./shell.ts";
import { type Join, listRefs, type OutputRef, type RunRef, runId, type SecretRef, type Value } from "./value.ts";

/** Refuses a plan that could not run: a fault of the procedure that made it, found before anything is touched. */
export const MalformedPlan = defineError<{ procedure: string; fault: string }>("run.malformed_plan", {
  exitCode: 70,
  message: (d) => `The plan of ${d.procedure} is malformed: ${d.fault}. Nothing was started.`,
  hint: () => "This is a fault of the procedure, not of the stack. Please report it.",
});

export function validatePlan(plan: Plan): Plan {
  const fault = findFaults(plan)[0];
  if (fault !== undefined) throw MalformedPlan({ procedure: plan.procedure, fault: fault.text });
  return plan;
}

export interface Fault {
  /** Id of the step, of whatever kind, that has it. */
  readonly step: string;
  readonly text: string;
}

/** Everything that is wrong with a plan, in the order of its steps. */
export function findFaults(plan: Plan): readonly Fault[] {
  const entries = walk(plan);
  return [
    ...duplicateIds(entries),
    ...duplicateVariables(entries),
    ...plan.steps.flatMap(structureFaults),
    ...entries.flatMap(entryFaults(plan, entries)),
  ];
}

/** What is said of one step. */
function of(step: string, texts: readonly string[]): readonly Fault[] {
  return texts.map((text) => ({ step, text }));
}

function duplicateIds(entries: readonly Entry[]): readonly Fault[] {
  return [
    ...repeated(entries.map((entry) => entry.step.id)).map((id) => ({ step: id, text: `step ${id} occurs twice` })),
    ...entries.flatMap(({ step, undo }) =>
      of(
        step.id,
        repeated(undo.map((act) => act.id)).map((id) => `step ${step.id} is taken back twice by ${id}`),
      ),
    ),
  ];
}

/** In an exported script, every output is a variable. */
function duplicateVariables(entries: readonly Entry[]): readonly Fault[] {
  const refs = entries.flatMap(({ step }) =>
    step.kind === "act"
      ? Object.keys(step.outputs ?? {}).map((name) => ({ ref: "output", step: step.id, name }) as const)
      : [],
  );
  const taken = [runId, { ref: "run", field: "startedAt" } as const, ...refs];
  const names = taken.map(variableOf);
  return taken.flatMap((ref, index) => {
    const name = variableOf(ref);
    if (ref.ref !== "output" || names.indexOf(name) === index) return [];
    return [{ step: ref.step, text: `two values would be the variable ${name} of an exported script` }];
  });
}

function repeated(names: readonly string[]): readonly string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}

/**
 * The walk takes an opening back by closing, and what is done at the same time not at all: what such an act says about its undo would not be
 * heeded.
 */
function structureFaults(step: Step): readonly Fault[] {
  switch (step.kind) {
    case "bracket":
      return [
        ...[...step.open, ...step.close]
          .filter((inner) => inner.kind === "act" && Array.isArray(inner.undo))
          .map(({ id }) => ({ step: id, text: `${id} opens or closes ${step.id}, so its own undo would not be used` })),
        ...step.body.flatMap(structureFaults),
      ];
    case "parallel":
      return step.acts
        .filter((act) => act.effect === "destroy" || act.undo !== "nothing")
        .map(({ id }) => ({
          step: id,
          text: `${id} is done at the same time as others but destroys or is taken back`,
        }));
    default:
      return [];
  }
}

type Known = (ref: OutputRef) => Output | undefined;

function entryFaults(plan: Plan, entries: readonly Entry[]): (entry: Entry, index: number) => readonly Fault[] {
  return (entry, index) => {
    // What is done at the same time has recorded nothing yet.
    const earlier = entries
      .slice(0, index)
      .filter((other) => other.parallel === undefined || other.parallel !== entry.parallel)
      .map((other) => other.step);
    const known = (own?: Act) => findOutput([...earlier, ...(own === undefined ? [] : [own])]);
    const { step } = entry;
    const own = step.kind === "act" || step.kind === "wait" ? [step] : [];
    return [
      ...of(step.id, idFaults(step.id)),
      ...[...own, ...entry.undo].flatMap((one) =>
        of(
          one.id,
          one.kind === "wait"
            ? waitFaults(one, known())
            : [
                ...actFaults(one, known(), known(one)),
                ...(plan.lease === "none" && changesStack(one) ? [`${one.id} changes something without a lease`] : []),
              ],
        ),
      ),
    ];
  };
}

function findOutput(steps: readonly Entry["step"][]): Known {
  return (ref) => {
    const step = steps.find(
      (one) => one.kind === "act" && one.id === ref.step && Object.hasOwn(one.outputs ?? {}, ref.name),
    );
    return step?.kind === "act" ? step.outputs?.[ref.name] : undefined;
  };
}

/** Paths in the journal are ids joined by these. */
function idFaults(id: string): readonly string[] {
  return /^[^/~\p{Cc}]+$/u.test(id) ? [] : [`the id ${JSON.stringify(id)} is empty or has a character that paths use`];
}

function waitFaults({ id, until }: Wait, known: Known): readonly string[] {
  if ("instant" in until)
    return Number.isNaN(Date.parse(until.instant)) ? [`${id} waits for ${until.instant}, which is no instant`] : [];
  return "probe" in until ? probeFaults(id, until.probe, known) : [];
}

function actFaults(act: Act, known: Known, knownAfter: Known): readonly string[] {
  const { id, done, verify, when } = act;
  const outputs = Object.entries(act.outputs ?? {});
  const faults: string[] = [...actionFaults(id, act.action, known)];
  if (!(act.attempts >= 1 && act.timeoutSeconds > 0)) faults.push(`${id} is given no attempt or no time`);
  if (done !== undefined && outputs.length > 0)
    faults.push(`${id} has both outputs and a done probe: its outputs would be lost when it is already done`);
  if (changesStack(act) && verify.length === 0 && done === undefined)
    faults.push(`${id} changes something and verifies nothing`);
  if (when !== undefined) faults.push(...whenFaults(id, when, known));
  return [
    ...faults,
    ...outputs.flatMap(([, output]) => outputFaults(id, act.action, output)),
    ...(done === undefined ? [] : probeFaults(id, done, known)),
    ...verify.flatMap((probe) => probeFaults(id, probe, knownAfter)),
  ];
}

function changesStack(act: Act): boolean {
  return act.effect !== "read" && act.action.kind !== "call";
}

function whenFaults(id: string, when: OutputRef, known: Known): readonly string[] {
  const output = known(when);
  if (output === undefined) return [unknownOutput(id, when)];
  const canBeTrue = output.from === "result" || output.as === "json" || output.as === "jsonLines";
  return canBeTrue ? [] : [`${id} depends on ${when.step}.${when.name}, which is a text or a number and so never true`];
}

function probeFaults(id: string, probe: Probe, known: Known): readonly string[] {
  const expected = typeof probe.with === "object" ? [probe.with] : [];
  return [
    ...actionFaults(id, probe.action, known),
    ...outputFaults(id, probe.action, probe.output),
    ...expected.flatMap((value) => textFaults(id, value, known)),
  ];
}

function outputFaults(id: string, action: Action, { from, as, pick }: Output): readonly string[] {
  const owner = from === "result" ? "call" : from === "status" || from === "body" ? "http" : action.kind;
  if (owner !== action.kind) return [`${id} reads the ${from} of something that has none`];
  const isStructured = as === "json" || as === "jsonLines" || (from === "result" && as === undefined);
  return pick === undefined || isStructured ? [] : [`${id} picks from an answer that is not read as JSON`];
}

function actionFaults(id: string, action: Action, known: Known): readonly string[] {
  if (action.kind === "call") return Object.values(action.input).flatMap((value) => inputFaults(id, value, known));
  try {
    const rendered = toCommand(action);
    const { pipeline } = rendered;
    // Whoever lists the processes of the host reads every argument.
    const shown = pipeline.flatMap((part) => part.argv.flatMap(listRefs)).filter((ref) => ref.ref === "secret");
    const used = pipeline.flatMap(valuesOf).flatMap(listRefs);
    renderShell(rendered);
    return [...shown.map((ref) => shownSecret(id, ref)), ...unknownOutputs(id, used, known)];
  } catch (thrown) {
    if (thrown instanceof TypeError) return [`${id} cannot be performed: ${thrown.message}`];
    throw thrown;
  }
}

function inputFaults(id: string, value: unknown, known: Known): readonly string[] {
  if (isReference(value)) return textFaults(id, value, known);
  return hasReference(value) ? [`${id} hides a reference inside of JSON, where it would not be replaced`] : [];
}

/** A value that is shown may not be a secret. */
function textFaults(id: string, value: Value, known: Known): readonly string[] {
  const refs = listRefs(value);
  const secrets = refs.filter((ref) => ref.ref === "secret");
  return [...secrets.map((ref) => shownSecret(id, ref)), ...unknownOutputs(id, refs, known)];
}

function unknownOutputs(id: string, refs: readonly Ref[], known: Known): readonly string[] {
  return refs
    .filter((ref) => ref.ref === "output")
    .filter((ref) => known(ref) === undefined)
    .map((ref) => unknownOutput(id, ref));
}

function unknownOutput(id: string, ref: OutputRef): string {
  return `${id} refers to ${ref.step}.${ref.name}, which no earlier step records`;
}

function shownSecret(id: string, ref: SecretRef): string {
  return `${id} would show the secret ${ref.name}`;
}

type Ref = OutputRef | RunRef | SecretRef;

function isReference(value: unknown): value is Ref | Join {
  if (typeof value !== "object" || value === null) return false;
  // Every list has a `join` of its own kind.
  return Object.hasOwn(value, "join") || ("ref" in value && ["output", "run", "secret"].includes(String(value.ref)));
}

function hasReference(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isReference(value) || Object.values(value).some(hasReference);
}
