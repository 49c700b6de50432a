import type { Action, Output, Probe } from "./action.ts";
import { toCommand } from "./command.ts";
import { canonicalJson, hashPlan } from "./hash.ts";
import { parsePlace } from "./place.ts";
import {
  type Act,
  type Entry,
  type Plan,
  type ProcedureStep,
  riskOf,
  type Step,
  undoClassOf,
  type Wait,
  walk,
} from "./plan.ts";
import { jsonLibrary } from "./script-json.ts";
import { endInContainers, library, noteGroup, preamble, traps } from "./script-library.ts";
import { quote, renderAt, secretVariable, valuesOf, variableOf } from "./shell.ts";
import { listRefs, type Value } from "./value.ts";

/**
 * The plan as one plain bash script, for a person on the host when this program is not there. It does what the engine does with the
 * same plan: probe, act, verify; and when a step fails, it takes back what began, in reverse. Time limits of single acts are left
 * to the person who watches.
 */
export function renderScript(plan: Plan): string {
  const steps = new Definitions();
  const main = renderMain(plan, steps);
  if (steps.hosts.size > 1)
    throw new TypeError(`One script cannot run on several hosts: ${[...steps.hosts].join(", ")}`);
  return [
    renderHeader(plan, steps),
    preamble,
    ...requireProgramsAndSecrets(steps),
    `${rule("The steps, in order. After the act: what takes it back when a later one fails")}main() {\n${main.join("\n")}\n}\n`,
    ...steps.texts,
    rule("How the steps are carried out") + library,
    ...(steps.readsJson ? [jsonLibrary] : []),
    endInContainers(steps.containers),
    `${traps}\nmain\nending=succeeded\n`,
  ].join("\n");
}

function renderHeader(plan: Plan, { hosts }: Definitions): string {
  const undo = {
    instant: "undo is instant",
    restore: "undo is a restore from a backup",
    irreversible: "it cannot be taken back as a whole",
  };
  return [
    "#!/usr/bin/env bash",
    "#",
    ...comment(`${plan.title} (stack ${plan.stack})`),
    ...plan.notes.flatMap((note) => ["#", ...comment(note)]),
    "#",
    ...comment(`Risk: ${riskOf(plan)}; ${undo[undoClassOf(plan)]}.`),
    ...comment(`Plan ${hashPlan(plan)} of the procedure ${plan.procedure}, version ${plan.version}.`),
    "#",
    ...comment(`Run it as root on the stack's host (${[...hosts].join(", ") || "any"}): bash THIS_FILE`),
    "# It asks, acts and verifies step by step. When a step fails, and on Ctrl-C, it takes back what it did, the last step first.",
    "# It knows nothing of other runs: let nobody else change the stack meanwhile. It was made for the stack as it was when the",
    "# plan was made; when something changed since, make it anew. run_id=NAME names what it makes.",
    "#",
    "# Exit code: 0 succeeded; 3 failed, and everything was taken back; 4 failed with nothing changed, or a person must go on;",
    "# 5 cancelled, and everything was taken back.",
    "#",
    "# shellcheck disable=SC2016,SC2065,SC2217,SC2317,SC2329  # functions are called by name, and commands are as the plan has them",
    "",
  ].join("\n");
}

/** What is missing is said before anything begins. */
function requireProgramsAndSecrets({ readsJson, secrets }: Definitions): readonly string[] {
  const names = [...secrets].sort();
  return [
    ...(readsJson ? [`command -v jq >/dev/null || ${refuse("Install jq first.")}`] : []),
    ...names.map((name) => {
      const variable = secretVariable(name);
      return `[[ -n \${${variable}-} ]] || ${refuse(`Set ${variable} first: the secret ${name} of the configuration.`)}`;
    }),
  ];
}

function refuse(reason: string): string {
  return `{ printf '%s\\n' ${quote(reason)} >&2 && exit 4; }\n`;
}

/** The walk of the plan, a line for each leaf, with the containers that it is in as comments. */
function renderMain(plan: Plan, steps: Definitions): readonly string[] {
  const titles = containerTitles(plan.steps, "");
  let open: readonly string[] = [];
  return walk(plan).flatMap((entry) => {
    const containers = [...titles.keys()].filter((path) => entry.path.startsWith(`${path}/`));
    const entered = containers.filter((path) => !open.includes(path));
    open = containers;
    return [
      ...entered.map(
        (path) => `${"  ".repeat(1 + containers.indexOf(path))}${comment(titles.get(path) ?? "").join(" ")}`,
      ),
      `${"  ".repeat(1 + containers.length)}${renderEntry(entry, steps)}`,
    ];
  });
}

function containerTitles(list: readonly Step[], prefix: string): ReadonlyMap<string, string> {
  return new Map(
    list.flatMap((step): (readonly [string, string])[] => {
      const path = prefix + step.id;
      if (step.kind === "bracket") return [[path, step.title], ...containerTitles(step.body, `${path}/`)];
      return step.kind === "parallel" ? [[path, step.title]] : [];
    }),
  );
}

function renderEntry({ step, undo }: Entry, steps: Definitions): string {
  switch (step.kind) {
    case "act": {
      const effect = step.undo === "irreversible" ? step.undo : step.effect;
      // The edge of a bracket: what takes it back is not its own.
      const verb = undo.length > 0 && undo !== step.undo ? "take_edge" : "take_step";
      return [verb, effect, ...[step, ...undo].map((one) => steps.define(one))].join(" ");
    }
    case "wait":
      return `take_step read ${steps.define(step)}`;
    case "procedure":
      return ["take_step", step.mandate.risk, ...steps.procedure(step)].join(" ");
    case "pivot":
      return `pass_pivot ${quote(step.title)}`;
  }
}

/** The functions of a script, each defined once however often it is used. */
class Definitions {
  readonly texts: string[] = [];
  readonly secrets = new Set<string>();
  readonly hosts = new Set<string>();
  readonly containers = new Set<string>();
  readsJson = false;
  readonly #steps = new Map<string, string>();
  readonly #questions = new Map<string, string>();
  readonly #names = new Set<string>();

  /** Defines an act or a wait if it is not yet, and gives its function. */
  define(step: Act | Wait): string {
    return this.#once(this.#steps, canonicalJson(step), step.id, (name) =>
      step.kind === "act" ? this.#renderAct(step, name) : this.#renderWait(step, name),
    );
  }

  /** Its facts exist only when it is reached: it is a plan and a script of its own. Gives the act and what takes it back. */
  procedure({ id, title, name, input }: ProcedureStep): readonly string[] {
    const [forth, back] = [this.#nameOf(id), this.#nameOf(`${id} back`)];
    const what = `the procedure ${name} with ${canonicalJson(input)}`;
    const line = (words: string) => `do_by_hand ${quote(words)}`;
    this.texts.push(
      define(title, `do_${forth}`, [thisIs(title), line(`Run ${what} by its own script.`)]),
      define(`Take back: ${title}`, `do_${back}`, [thisIs(`Take back: ${title}`), line(`Take ${what} back.`)]),
    );
    return [`do_${forth}`, `do_${back}`];
  }

  #renderAct(act: Act, name: string): string {
    const { action, done, verify, when } = act;
    const outputs = Object.entries(act.outputs ?? {}).filter(([, output]) => output.from !== "result");
    const lines = [
      thisIs(act.title, act.attempts, act.onFail),
      ...(when === undefined ? [] : [`only_if ${variableOf(when)}`]),
      ...(done === undefined ? [] : [`unless_done ${this.#question(done)} ${quote(done.title)}`]),
      action.kind === "call"
        ? `leave_to_ipai ${quote(action.name)}`
        : `${outputs.length === 0 ? "perform_it" : "perform_and_keep"} ${okExitCodes(action)} command_of_${name}`,
      ...outputs.map(([key, output]) => this.#note(variableOf({ ref: "output", step: act.id, name: key }), output)),
      ...verify.map((probe) => `must_be ${this.#question(probe)} ${quote(probe.title)}`),
    ];
    const definition = action.kind === "call" ? "" : this.#command(`command_of_${name}`, action);
    return `${rule(`${act.title}${act.effect === "read" ? "" : ` [${act.effect}]`}`)}${definition}${functionOf(`do_${name}`, lines)}`;
  }

  #renderWait({ title, until, timeoutSeconds, onTimeout }: Wait, name: string): string {
    const seconds = String(Math.ceil(timeoutSeconds));
    const how =
      "probe" in until
        ? ["wait_until", seconds, this.#question(until.probe)]
        : "instant" in until
          ? ["wait_for_instant", seconds, String(Math.ceil(Date.parse(until.instant) / 1000))]
          : ["wait_for_person", seconds, quote(until.signal)];
    return define(title, `do_${name}`, [thisIs(title, 1, onTimeout), how.join(" ")]);
  }

  #note(variable: string, output: Output): string {
    const as = readAs(output);
    if (as === "text" || as === "number") return `note_value ${variable} ${as} ${output.from}`;
    this.readsJson = true;
    return `note_json ${variable} ${as} ${output.from} ${quote(JSON.stringify(output.pick ?? []))}`;
  }

  #question(probe: Probe): string {
    const key = canonicalJson({ ...probe, title: "", code: "" });
    return this.#once(this.#questions, key, probe.title, (name) => this.#renderQuestion(probe, name));
  }

  #renderQuestion(probe: Probe, name: string): string {
    const { action } = probe;
    const title = comment(probe.title).join("\n");
    if (action.kind === "call")
      return `${title}\n${functionOf(`ask_${name}`, ["printf 'only ipai can answer this'", "exit 2"])}`;
    const expected = typeof probe.with === "object" ? [probe.with] : [];
    const lines = [
      ...needs(expected, "exit 2"),
      `ask_for ${okExitCodes(action)} query_${name}`,
      this.#comparison(probe),
    ];
    return `${title}\n${this.#command(`query_${name}`, action)}${functionOf(`ask_${name}`, lines)}`;
  }

  #comparison({ compare, output, with: expected }: Probe): string {
    const as = readAs(output);
    const word = typeof expected === "object" ? quote(expected) : quote(asText(expected));
    const isNumeric = as === "number" || typeof expected === "number";
    if (as === "text" || as === "number")
      return `answer_is ${compare === "eq" && isNumeric ? "eqNumber" : compare} ${word} ${as} ${output.from}`;
    this.readsJson = true;
    const path = quote(JSON.stringify(output.pick ?? []));
    return `json_is ${compare} ${word} ${isNumeric ? "yes" : "no"} ${as} ${output.from} ${path}`;
  }

  #command(name: string, action: Exclude<Action, { kind: "call" }>): string {
    const { host, pipeline } = toCommand(action);
    const values = pipeline.flatMap(valuesOf);
    const place = parsePlace(host);
    this.hosts.add(place.host);
    if (place.container !== undefined) this.containers.add(place.container);
    for (const ref of values.flatMap(listRefs)) if (ref.ref === "secret") this.secrets.add(ref.name);
    return functionOf(name, [...needs(values, "return 125"), renderAt(host, pipeline, noteGroup)]);
  }

  #once(known: Map<string, string>, key: string, title: string, render: (name: string) => string): string {
    const found = known.get(key);
    if (found !== undefined) return found;
    const name = this.#nameOf(title);
    const called = `${known === this.#steps ? "do" : "ask"}_${name}`;
    known.set(key, called);
    this.texts.push(render(name));
    return called;
  }

  /** A title as a part of a function's name that no other has. */
  #nameOf(title: string): string {
    const base =
      title
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "_")
        .replaceAll(/^_|_$/g, "")
        .slice(0, 40) || "it";
    let name = base;
    for (let count = 2; this.#names.has(name); count++) name = `${base}_${count}`;
    this.#names.add(name);
    return name;
  }
}

/** One attempt, and undo on failure, go without saying. */
function thisIs(title: string, attempts = 1, onFail: Act["onFail"] = "undo"): string {
  const words = onFail === "undo" ? (attempts === 1 ? [] : [attempts]) : [attempts, onFail];
  return ["this_is", quote(title), ...words].join(" ");
}

/** How an answer is read when nothing is said: an exit code and an HTTP status are numbers, everything else is text. */
function readAs({ as, from }: Output): NonNullable<Output["as"]> {
  return as ?? (from === "exitCode" || from === "status" ? "number" : "text");
}

function asText(value: string | number | boolean): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function okExitCodes(action: Action): string {
  return quote((action.kind === "command" ? (action.okExitCodes ?? [0]) : [0]).join(" "));
}

/** A missing value would end the subshell with 1, which may be an answer. */
function needs(values: readonly Value[], otherwise: string): readonly string[] {
  const refs = values.flatMap(listRefs).filter((ref) => ref.ref === "output");
  const names = [...new Set(refs.map(variableOf))];
  return names.length === 0 ? [] : [`needs_values ${names.join(" ")} || ${otherwise}`];
}

function define(title: string, name: string, lines: readonly string[]): string {
  return rule(title) + functionOf(name, lines);
}

/** Only the first line of each is indented: a here-document and a quoted text keep theirs. */
function functionOf(name: string, lines: readonly string[]): string {
  return `${name}() {\n${lines.map((line) => `  ${line}\n`).join("")}}\n`;
}

function rule(title: string): string {
  return `${comment(`── ${title} ──`).join("\n")}\n`;
}

/** Text as a comment, whatever is in it. */
function comment(text: string): readonly string[] {
  return text.split("\n").map((line) => `# ${line.replaceAll(/\p{Cc}/gu, " ")}`.trimEnd());
}
