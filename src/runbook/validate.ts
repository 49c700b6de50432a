import { defineError } from "../errors/error.ts";
import type { Action, Probe } from "./action.ts";
import { toCommand } from "./command.ts";
import { type Act, type Entry, type Plan, walk } from "./plan.ts";
import { type Join, listRefs, type OutputRef, type RunRef, type Value } from "./value.ts";

/** Refuses a plan that could not run: a fault of the procedure that made it, found before anything is touched. */
export const MalformedPlan = defineError<{ procedure: string; fault: string }>("run.malformed_plan", {
  exitCode: 70,
  message: (d) => `The plan of ${d.procedure} is malformed: ${d.fault}. Nothing was started.`,
  hint: () => "This is a fault of the procedure, not of the stack. Please report it.",
});

export function validatePlan(plan: Plan): Plan {
  const entries = walk(plan);
  const faults = [...duplicateIds(entries), ...entries.flatMap(faultsOf(entries))];
  const fault = faults[0];
  if (fault !== undefined) throw MalformedPlan({ procedure: plan.procedure, fault });
  return plan;
}

function duplicateIds(entries: readonly Entry[]): readonly string[] {
  const seen = new Set<string>();
  return entries
    .map((entry) => entry.step.id)
    .filter((id) => seen.has(id) || !seen.add(id))
    .map((id) => `step ${id} occurs twice`);
}

function faultsOf(entries: readonly Entry[]): (entry: Entry, index: number) => readonly string[] {
  return (entry, index) => {
    const earlier = entries.slice(0, index).map((other) => other.step);
    const known = (ref: OutputRef, own: Act | undefined) =>
      [...earlier, ...(own === undefined ? [] : [own])].some(
        (step) => step.kind === "act" && step.id === ref.step && step.outputs?.[ref.name] !== undefined,
      );
    const { step } = entry;
    if (step.kind !== "act") return [];
    return [step, ...entry.undo].flatMap((act) => actFaults(act, known));
  };
}

function actFaults(act: Act, known: (ref: OutputRef, own: Act | undefined) => boolean): readonly string[] {
  const faults: string[] = [];
  const outputs = Object.keys(act.outputs ?? {});
  if (act.done !== undefined && outputs.length > 0)
    faults.push(`${act.id} has both outputs and a done probe: its outputs would be lost when it is already done`);
  if (act.effect !== "read" && act.verify.length === 0 && act.done === undefined && act.action.kind !== "call")
    faults.push(`${act.id} changes something and verifies nothing`);
  const own = refsOf(act.action).filter((ref) => !known(ref, undefined));
  const probes = [...(act.done === undefined ? [] : [act.done]), ...act.verify].flatMap(probeRefs);
  const unknown = [...own, ...probes.filter((ref) => !known(ref, act))];
  if (act.when !== undefined && !known(act.when, undefined)) unknown.push(act.when);
  return [
    ...faults,
    ...unknown.map((ref) => `${act.id} refers to ${ref.step}.${ref.name}, which no earlier step records`),
  ];
}

function probeRefs(probe: Probe): readonly OutputRef[] {
  const own = typeof probe.with === "object" ? listRefs(probe.with).filter((ref) => ref.ref === "output") : [];
  return [...refsOf(probe.action), ...own];
}

function refsOf(action: Action): readonly OutputRef[] {
  return valuesOf(action)
    .flatMap(listRefs)
    .filter((ref) => ref.ref === "output");
}

function valuesOf(action: Action): readonly Value[] {
  if (action.kind === "call")
    return Object.values(action.input).flatMap((value) => (isReference(value) ? [value] : []));
  return toCommand(action).pipeline.flatMap((part) => [
    ...part.argv,
    ...Object.values(part.env ?? {}),
    ...(part.stdin === undefined ? [] : [part.stdin]),
  ]);
}

function isReference(value: unknown): value is OutputRef | RunRef | Join {
  return typeof value === "object" && value !== null && ("ref" in value || "join" in value);
}
