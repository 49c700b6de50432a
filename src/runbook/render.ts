import type { Action, Probe } from "./action.ts";
import { toCommand } from "./command.ts";
import { hashPlan } from "./hash.ts";
import { type Act, type Override, type Plan, riskOf, type Step, undoClassOf, type Wait, walk } from "./plan.ts";
import { renderShell } from "./shell.ts";

/** Plans as text and as JSON for people and machines. The commands shown are the commands that run. */

export interface RenderOptions {
  /** Shows verifications and undo steps too, and every command to its end. */
  readonly detail: boolean;
}

export function renderPlan(plan: Plan, options: RenderOptions): string {
  const head = [
    `${plan.title} (stack ${plan.stack})`,
    `risk: ${riskOf(plan)} · undo: ${undoClassOf(plan)} · lease: ${plan.lease} · forecast: ${forecastOf(plan)} s · plan ${hashPlan(plan).slice(0, 12)}`,
    ...plan.notes.map((note) => `  ${note}`),
    ...(plan.seen ?? []).map((line) => `  ${line}`),
    ...(plan.override === undefined ? [] : [`  ${sayOverride(plan.override)}`]),
    ...awayOf(plan),
  ];
  const numbers = { next: 1 };
  return [...head, "", ...plan.steps.flatMap((step) => renderStep(step, 0, numbers, options))].join("\n");
}

function sayOverride({ reason, findings }: Override): string {
  return `In spite of ${findings.join(", ")}, because: ${reason}. Two people have to consent.`;
}

function awayOf({ awaySeconds }: Plan): readonly string[] {
  if (awaySeconds === undefined || awaySeconds === 0) return [];
  return awaySeconds === null
    ? ["  For how long users are out nobody has measured."]
    : [`  Users are out for about ${Math.ceil(awaySeconds)} s.`];
}

/** Seconds that the plan's steps are expected to take; steps without a forecast count as half a second. */
export function forecastOf(plan: Plan): number {
  return Math.ceil(
    walk(plan).reduce((sum, { step }) => sum + ("forecastSeconds" in step ? (step.forecastSeconds ?? 0.5) : 0.5), 0),
  );
}

/** The plan for machines: the data itself, with its identity and what follows from it. */
export function planJson(plan: Plan) {
  return {
    hash: hashPlan(plan),
    risk: riskOf(plan),
    undoClass: undoClassOf(plan),
    forecastSeconds: forecastOf(plan),
    plan,
  };
}

interface Numbers {
  next: number;
}

function renderStep(step: Step, depth: number, numbers: Numbers, options: RenderOptions): readonly string[] {
  const pad = "  ".repeat(depth);
  switch (step.kind) {
    case "bracket":
      return [
        `${pad}${step.title}:`,
        ...step.open.flatMap((inner) => renderStep(inner, depth + 1, numbers, options)),
        ...step.body.flatMap((inner) => renderStep(inner, depth + 1, numbers, options)),
        ...step.close.flatMap((inner) => renderStep(inner, depth + 1, numbers, options)),
      ];
    case "parallel":
      return [
        `${pad}${step.title}, at the same time:`,
        ...step.acts.flatMap((act) => renderAct(act, depth + 1, numbers, options)),
      ];
    case "act":
      return renderAct(step, depth, numbers, options);
    case "wait":
      return [
        `${pad}${number(numbers)} ${step.title} (${waited(step)}at most ${step.timeoutSeconds} s)`,
        ...indent(shorten(renderAsked(step), options), depth),
      ];
    case "procedure":
      return [`${pad}${number(numbers)} ${step.title} (procedure ${step.name}, planned when it is reached)`];
    case "pivot":
      return [`${pad}── ${step.title}`];
  }
}

function renderAct(act: Act, depth: number, numbers: Numbers, options: RenderOptions): readonly string[] {
  const pad = "  ".repeat(depth);
  const lines = [
    `${pad}${number(numbers)} ${act.title}${tags(act)}`,
    ...(act.when === undefined ? [] : [`${pad}     only if: ${act.when.step} noted ${act.when.name}`]),
    ...indent(shorten(renderAction(act.action), options), depth),
  ];
  if (!options.detail) return lines;
  const undo = typeof act.undo === "string" ? [] : act.undo;
  return [
    ...lines,
    ...(act.done === undefined ? [] : renderProbe("not needed if", act.done, depth)),
    ...act.verify.flatMap((probe) => renderProbe("verify", probe, depth)),
    ...undo.flatMap((back) => [`${pad}     undo: ${back.title}`, ...indent(renderAsked(back), depth + 1)]),
    ...(act.onFail === "undo"
      ? []
      : [`${pad}     if it fails: ${act.onFail === "ask" ? "a person decides" : "go on"}`]),
  ];
}

function tags(act: Act): string {
  const words = [
    ...(act.effect === "read" ? [] : [act.effect]),
    ...(act.undo === "irreversible" ? ["cannot be taken back"] : []),
  ];
  return words.length === 0 ? "" : ` [${words.join(", ")}]`;
}

function renderProbe(label: string, probe: Probe, depth: number): readonly string[] {
  return [
    `${"  ".repeat(depth)}     ${label}: ${probe.title} (${expectation(probe)})`,
    ...indent(renderAction(probe.action), depth + 1),
  ];
}

function waited({ until }: Wait): string {
  if ("instant" in until) return `until ${until.instant}, `;
  return "signal" in until ? `until somebody gives the signal ${until.signal}, ` : "";
}

function number(numbers: Numbers): string {
  return `${String(numbers.next++).padStart(2)}.`;
}

function renderAction(action: Action): readonly string[] {
  if (action.kind === "call") return [`# ipai enters this in its catalogue (${action.name})`];
  return renderShell(toCommand(action)).split("\n");
}

/** The overview shows how a long command begins; whoever wants to read all of it asks for the detail. */
function shorten(lines: readonly string[], options: RenderOptions): readonly string[] {
  if (options.detail || lines.length <= linesMax) return lines;
  const shown = lines.slice(0, linesMax - 2);
  return [...shown, `… ${lines.length - shown.length} more lines, shown with --detail`];
}

const linesMax = 8;

/** The command of an act, or the question of a wait that asks one. */
function renderAsked(step: Act | Wait): readonly string[] {
  if (step.kind === "act") return renderAction(step.action);
  return "probe" in step.until ? renderAction(step.until.probe.action) : [];
}

function indent(lines: readonly string[], depth: number): readonly string[] {
  const pad = "  ".repeat(depth);
  return lines.map((line, index) => `${pad}    ${index === 0 ? "$ " : "  "}${line}`);
}

function expectation(probe: Probe): string {
  const value = typeof probe.with === "object" ? "what was noted before" : JSON.stringify(probe.with);
  const words = {
    eq: "is",
    le: "at most",
    ge: "at least",
    has: "contains",
    absent: probe.with === "" ? "is empty" : "does not contain",
  };
  return probe.compare === "absent" && probe.with === "" ? words.absent : `${words[probe.compare]} ${value}`;
}
