import { meant } from "../../config/issues.ts";
import type { Act, Bracket, Parallel, ProcedureStep, Sequence, Step, Wait } from "../../runbook/plan.ts";
import type { AnyProcedure } from "../procedure.ts";
import { serving, startService, stopService } from "../steps.ts";
import { type Context, requireService, toAction, toProbe, toRecorded } from "./actions.ts";
import { findKind, steps as kinds } from "./kinds.ts";
import type { StepSpec, WaitSpec } from "./schema.ts";
import { hasReference, isWhole, type Path } from "./values.ts";

/** The steps of a file as steps of a plan, with the defaults of the built-in ones. */

export interface StepContext extends Context {
  /** Where in the file each step of the plan comes from. */
  readonly places: Map<string, Path>;
  /** Inputs and facts are made up, to see whether the file is right. */
  readonly isSample: boolean;
  readonly procedures: readonly AnyProcedure[];
}

/** `open` and `close` are those of a bracket. */
type Role = "body" | "open" | "close" | "undo" | "parallel";

export function compileSteps(context: StepContext, specs: readonly StepSpec[], path: Path, role: Role = "body") {
  return specs.flatMap((spec, index) => compileStep(context, spec, [...path, index], role));
}

function compileStep(context: StepContext, spec: StepSpec, path: Path, role: Role): readonly Step[] {
  const { complain, places } = context;
  const kind = findKind(spec, { kinds, common: ["id", "title", "when"], path, complain });
  const isTaken = places.has(spec.id);
  if (isTaken) complain([...path, "id"], `the id ${spec.id} is another step's too`);
  else places.set(spec.id, path);
  const condition = readCondition(context, spec, path);
  if (kind === undefined || isTaken || condition === "never") return [];
  const made = compileKind(context, spec, path, role, kind);
  for (const step of made) places.set(step.id, path);
  if (condition === undefined) return made;
  if (made.some((step) => step.kind !== "act"))
    complain([...path, "when"], `what a step recorded decides about a single act, and not about a ${kind}`);
  return made.map((step) => (step.kind === "act" ? { ...step, when: condition } : step));
}

/** What is known when the plan is made decides then; what a step records, while it runs. */
function readCondition({ values, complain }: StepContext, { when }: StepSpec, path: Path): Act["when"] | "never" {
  if (when === undefined) return undefined;
  const at = [...path, "when"];
  if (!isWhole(when)) complain(at, "must be one value as a whole, such as ${steps.ID.OUTPUT}");
  const found = isWhole(when) ? values.whole(when, at) : undefined;
  if (found === undefined) return undefined;
  if (!("known" in found)) return found;
  if (typeof found.known !== "boolean")
    complain(at, `is ${JSON.stringify(found.known)}, and so neither true nor false`);
  return found.known === false ? "never" : undefined;
}

function compileKind(context: StepContext, spec: StepSpec, path: Path, role: Role, kind: string): readonly Step[] {
  switch (kind) {
    case "start":
    case "stop":
      return toServices(context, spec, path, role);
    case "require":
      return [toRequirement(context, spec, path)];
    case "wait":
      return toWaits(context, spec, spec.wait ?? {}, path);
    case "bracket":
      return [toBracket(context, spec, path)];
    case "parallel":
      return [toParallel(context, spec, path)];
    case "procedure":
      return [toProcedure(context, spec, path)];
    case "pivot":
      return [{ kind: "pivot", id: spec.id, title: context.values.fixed(spec.pivot ?? "", [...path, "pivot"]) }];
    default:
      return [toAct(context, spec, path, role)];
  }
}

function titleOf({ values, complain }: StepContext, { title }: StepSpec, path: Path, usual?: string): string {
  if (title === undefined && usual === undefined) complain(path, "title is missing");
  return title === undefined ? (usual ?? "") : values.fixed(title, [...path, "title"]);
}

/** `among`: the name of one of several that one step of the file is. */
function titleOfOne(
  context: StepContext,
  spec: StepSpec,
  path: Path,
  usual: string,
  among: string | undefined,
): string {
  const title = titleOf(context, spec, path, usual);
  return among === undefined || spec.title === undefined ? title : `${title}: ${among}`;
}

function toAct(context: StepContext, spec: StepSpec, path: Path, role: Role): Act {
  const effect = spec.effect ?? (role === "parallel" ? "read" : "change");
  const reads = effect === "read";
  const title = titleOf(context, spec, path);
  const action = toAction(context, spec, path, reads);
  const outputs = Object.entries(spec.outputs ?? {}).map(([name, one]) => [name, toRecorded(one, action)]);
  const done = spec.done && toProbe(context, spec.done, [...path, "done"], `${title}: it is done`);
  return {
    kind: "act",
    id: spec.id,
    title,
    effect,
    action,
    ...(spec.outputs === undefined ? {} : { outputs: Object.fromEntries(outputs) }),
    ...(done === undefined ? {} : { done }),
    verify: toVerify(context, spec, path),
    undo: toUndo(context, spec, path, role, reads),
    ...policies(spec, role, reads),
    ...(spec.undoClass === undefined ? {} : { undoClass: spec.undoClass }),
    ...(spec.forecast === undefined ? {} : { forecastSeconds: spec.forecast }),
  };
}

/** What opens, closes or takes back may be repeated by the rules of the language, and what says itself whether it is done. */
function policies(spec: StepSpec, role: Role, reads: boolean) {
  const isRepeatable = reads || spec.done !== undefined || role !== "body";
  return {
    onFail: spec.onFail ?? "undo",
    onInterrupt: spec.onInterrupt ?? (isRepeatable ? "again" : "ask"),
    timeoutSeconds: spec.timeout ?? (reads ? 120 : 300),
    attempts: spec.attempts ?? (role === "undo" || role === "close" ? 3 : 1),
  };
}

function toVerify(context: StepContext, { verify = [] }: StepSpec, path: Path): Act["verify"] {
  return verify.map((probe, index) => {
    const at = [...path, "verify", index];
    if (probe.title === undefined) context.complain(at, "title is missing: it says what should have been true");
    return toProbe(context, probe, at, "");
  });
}

/** Whoever changes something says how it is taken back. */
function toUndo(context: StepContext, spec: StepSpec, path: Path, role: Role, reads: boolean): Act["undo"] {
  const { undo } = spec;
  if (undo === undefined) {
    if (role === "body" && !reads)
      context.complain(path, "does not say how it is taken back: undo: a list of steps, nothing, or irreversible");
    return "nothing";
  }
  if (typeof undo === "string") return undo;
  if (role === "undo") context.complain([...path, "undo"], "takes something back, and is not taken back itself");
  return toSequence(context, undo, [...path, "undo"], "undo");
}

function toSequence(context: StepContext, specs: readonly StepSpec[], path: Path, role: Role): Sequence {
  return compileSteps(context, specs, path, role).flatMap((step) => {
    if (step.kind === "act" || step.kind === "wait") return [step];
    const at = context.places.get(step.id) ?? path;
    context.complain(at, `only acts and waits may ${role === "undo" ? "take something back" : `${role} a bracket`}`);
    return [];
  });
}

/** Taken back by its opposite; in a bracket that is the bracket's own business. */
function toServices(context: StepContext, spec: StepSpec, path: Path, role: Role): readonly Act[] {
  const { runtime } = context.stack;
  const verb = spec.start === undefined ? "stop" : "start";
  const names = servicesOf(context, spec[verb] ?? "", [...path, verb]);
  if (names.length === 0) return [];
  const all = names.join(", ");
  const single = names.length === 1 ? names[0] : undefined;
  const together = single === undefined ? runtime.together(names) : runtime.service(single);
  const starts = (id: (name: string) => string) =>
    names.map((name) => startService(id(name), `Start ${name}`, runtime.service(name)));
  const isTakenBack = role === "body" && spec.undo === undefined;
  const own = isTakenBack ? undefined : toUndo(context, spec, path, role, true);
  const options = {
    ...(spec.onFail === undefined ? {} : { onFail: spec.onFail }),
    ...(spec.timeout === undefined ? {} : { timeoutSeconds: spec.timeout }),
  };
  if (verb === "stop") {
    const title = titleOf(context, spec, path, `Stop ${all}`);
    const undo = own ?? [...starts((name) => `start ${name}`), ...servingsOf(context, names)];
    return [{ ...stopService(spec.id, title, together), undo, ...options }];
  }
  return starts((name) => (single === undefined ? `${spec.id} ${name}` : spec.id)).map((act, index) => ({
    ...act,
    title: titleOfOne(context, spec, path, act.title, single === undefined ? names[index] : undefined),
    undo: own ?? [stopOne(context, names[index] ?? "")],
    ...options,
  }));
}

function stopOne({ stack }: StepContext, name: string): Act {
  return stopService(`stop ${name}`, `Stop ${name}`, stack.runtime.service(name));
}

/** Those of them that are Odoo are back when they serve. */
function servingsOf({ stack }: StepContext, names: readonly string[]): readonly Wait[] {
  const known = stack.config.services.odoo.filter(({ name }) => names.includes(name));
  return known.map((service) => serving(stack, service.name, stack.odoo.addressOf(service)));
}

/** A service by its name, or by what it is for. */
function servicesOf({ stack, complain }: StepContext, name: string, path: Path): readonly string[] {
  const { odoo, database, cache, proxy } = stack.config.services;
  const roles = new Map<string, readonly (string | undefined)[]>([
    ["odoo", odoo.map((service) => service.name)],
    ["database", [database.name]],
    ["cache", [cache?.name]],
    ["proxy", [proxy?.name]],
  ]);
  const named = roles.get(name);
  if (named === undefined) return requireService({ stack, complain }, name, path, [...roles.keys()]) ? [name] : [];
  const found = named.filter((one) => one !== undefined);
  if (found.length === 0) complain(path, `${stack.name} has no ${name}`);
  return found;
}

function toRequirement(context: StepContext, spec: StepSpec, path: Path): Act {
  const title = titleOf(context, spec, path);
  const probe = toProbe(context, spec.require ?? {}, [...path, "require"], title);
  return {
    ...{ kind: "act", id: spec.id, title, effect: "read", action: probe.action, verify: [probe], undo: "nothing" },
    ...{ onFail: spec.onFail ?? "undo", onInterrupt: "again" },
    ...{ timeoutSeconds: spec.timeout ?? 120, attempts: spec.attempts ?? 1 },
  };
}

function toWaits(context: StepContext, spec: StepSpec, given: WaitSpec, path: Path): readonly Wait[] {
  const { serving: served, until, signal, ...probe } = given;
  const at = [...path, "wait"];
  const limits = {
    ...(spec.timeout === undefined ? {} : { timeoutSeconds: spec.timeout }),
    ...(spec.onTimeout === undefined ? {} : { onTimeout: spec.onTimeout }),
    ...(spec.forecast === undefined ? {} : { forecastSeconds: spec.forecast }),
  };
  const asks = Object.values(probe).some((value) => value !== undefined) ? [probe] : [];
  if ([served, until, signal, ...asks].filter((form) => form !== undefined).length !== 1) {
    context.complain(at, "waits for one thing: serving, until, signal, or the answer to a question");
    return [];
  }
  if (served !== undefined) return toServings(context, spec, served, path).map((wait) => ({ ...wait, ...limits }));
  const title = titleOf(context, spec, path);
  const wait = (what: Wait["until"]): readonly Wait[] => [
    { ...{ kind: "wait", id: spec.id, title, until: what, timeoutSeconds: 300, onTimeout: "undo" }, ...limits },
  ];
  if (until !== undefined) return wait({ instant: context.values.fixed(until, [...at, "until"]) });
  if (signal !== undefined) return wait({ signal: context.values.fixed(signal, [...at, "signal"]) });
  return wait({ probe: toProbe(context, probe, at, title) });
}

function toServings(context: StepContext, spec: StepSpec, served: string, path: Path): readonly Wait[] {
  const { stack, complain } = context;
  const { odoo } = stack.config.services;
  const pages = [
    ...odoo.map((service) => ({ name: service.name, address: stack.odoo.addressOf(service) })),
    { name: "public", address: stack.odoo.publicAddress },
  ];
  const wanted = pages.filter(({ name }) => name === served || (served === "odoo" && name !== "public"));
  const known = ["odoo", ...pages.map(({ name }) => name)];
  if (wanted.length === 0)
    complain([...path, "wait", "serving"], `${stack.name} has no Odoo service ${served}${meant(served, known)}`);
  return wanted.map(({ name, address }) => {
    const said = name === "public" ? "the public address" : name;
    const wait = serving(stack, said, address);
    const only = wanted.length === 1;
    const title = titleOfOne(context, spec, path, wait.title, only ? undefined : name);
    return { ...wait, id: only ? spec.id : `${spec.id} ${name}`, title };
  });
}

function toBracket(context: StepContext, spec: StepSpec, path: Path): Bracket {
  const at = [...path, "bracket"];
  const { open = [], body = [], close = [] } = spec.bracket ?? {};
  const edge = (specs: readonly StepSpec[], role: "open" | "close") => {
    const made = toSequence(context, specs, [...at, role], role);
    if (made[0]?.kind !== "act")
      context.complain([...at, role], `must begin with an act: the walk back does it at its first`);
    return made as Bracket["open"];
  };
  return {
    ...{ kind: "bracket", id: spec.id, title: titleOf(context, spec, path) },
    open: edge(open, "open"),
    body: compileSteps(context, body, [...at, "body"]),
    close: edge(close, "close"),
  };
}

function toParallel(context: StepContext, spec: StepSpec, path: Path): Parallel {
  const at = [...path, "parallel"];
  const acts = compileSteps(context, spec.parallel ?? [], at, "parallel").flatMap((step) => {
    if (step.kind === "act" && step.effect === "read") return [step];
    context.complain(context.places.get(step.id) ?? at, "only acts that read are done at the same time");
    return [];
  });
  return { kind: "parallel", id: spec.id, title: titleOf(context, spec, path), acts };
}

function toProcedure(context: StepContext, spec: StepSpec, path: Path): ProcedureStep {
  const { values, complain, procedures, isSample } = context;
  const name = spec.procedure ?? "";
  const found = procedures.find((one) => one.name === name && one.chapter !== "sandbox");
  const known = procedures.flatMap((one) => (one.chapter === "sandbox" ? [] : [one.name]));
  if (found === undefined) complain([...path, "procedure"], `there is no procedure ${name}${meant(name, known)}`);
  const at = [...path, "input"];
  const input = values.json(spec.input ?? {}, at);
  // What is made up need not be what the other procedure takes.
  const isReal = !isSample || !hasReference(JSON.stringify(spec.input ?? {}));
  const issues = isReal ? (found?.input.safeParse(input).error?.issues ?? []) : [];
  for (const issue of issues)
    complain([...at, ...(issue.path as Path)], `${name} does not take this: ${issue.message}`);
  const { risk = "change", undo = "instant" } = spec.mandate ?? {};
  const title = titleOf(context, spec, path, found?.title ?? name);
  return { kind: "procedure", id: spec.id, title, name, input, mandate: { risk, undoClass: undo } };
}
