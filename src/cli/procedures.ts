import { z } from "zod";
import type { Subject } from "../access/rights.ts";
import type { RunKind } from "../api/ports.ts";
import { readNamed } from "../config/file.ts";
import { meant } from "../config/issues.ts";
import type { Config } from "../config/schema.ts";
import { defineError } from "../errors/error.ts";
import { ProcedureInvalid } from "../procedures/custom/errors.ts";
import type { AnyProcedure } from "../procedures/procedure.ts";
import { createProcedures, type Procedures } from "../procedures/registry.ts";
import type { UndoClass } from "../runbook/plan.ts";
import type { Json } from "../runbook/value.ts";
import { createStack } from "../stack/stack.ts";

/** The procedures of a configuration, and what a person says to one. */

export const NoSuchProcedure = defineError<{ name: string; meant: string }>("usage.no_procedure", {
  exitCode: 14,
  message: (d) => `There is no procedure ${d.name}${d.meant}${d.meant === "" ? "." : ""} Nothing was started.`,
  hint: () => "`ipai procedures` lists what there is. Is its file named under procedures in ipai.yaml?",
});

export const BadInput = defineError<{ procedure: string; reason: string }>("usage.bad_input", {
  exitCode: 14,
  message: (d) =>
    `This is no input for ${d.procedure}: ${d.reason}${d.reason.endsWith("?") ? "" : "."} Nothing was started.`,
  hint: (d) => `\`ipai procedures show "${d.procedure}"\` says what it takes.`,
});

/** Somebody has chosen the hour: much later it is not what was wanted any more. */
export const oneOffGraceSeconds = 3600;

export async function loadProcedures(config: Config): Promise<Procedures> {
  const files = await readNamed(config.file, config.procedures);
  const stacks = Object.values(config.stacks);
  return createProcedures(
    files,
    stacks.map((one) => createStack(one, stacks)),
  );
}

/** The procedures of a configuration. Files of the user's may change while the program runs, so they are read anew each time. */
export class ProcedureLoader {
  readonly #config: Config;
  #chapters: ReadonlyMap<string, string> = new Map();

  constructor(config: Config) {
    this.#config = config;
  }

  async load(): Promise<Procedures> {
    const loaded = await loadProcedures(this.#config);
    this.#chapters = new Map(loaded.all.map(({ name, chapter }) => [name, chapter]));
    return loaded;
  }

  /** What a right to a run, or to a plan, is a right to, by what was loaded last. Of a file that is gone the chapter is not known. */
  subjectOf({ stack, procedure: name, undo_class }: RunKind): Subject {
    const undoClass = undo_class === undefined ? {} : { undoClass: undo_class as UndoClass };
    return { stack, procedure: { name, chapter: this.#chapters.get(name) ?? "custom", ...undoClass } };
  }
}

/** One that a person may run; the practice stack's have commands of their own. */
export function getProcedure(procedures: Procedures, name: string): AnyProcedure {
  const found = procedures.find(name);
  if (found !== undefined && found.chapter !== "sandbox") return found;
  throw NoSuchProcedure({
    name,
    meant: meant(
      name,
      listRunnable(procedures).map((one) => one.name),
    ),
  });
}

/** Throws what is wrong with any file. */
export function requireWhole({ broken }: Procedures): void {
  if (broken.length > 0) throw ProcedureInvalid({ problems: broken.flatMap(({ problems }) => problems) });
}

export function listRunnable({ all }: Procedures): readonly AnyProcedure[] {
  return all.filter(({ chapter }) => chapter !== "sandbox");
}

/** The input as it was given, once the procedure has taken it. */
export function requireInput(procedure: AnyProcedure, given: unknown): Json {
  const { error } = procedure.input.safeParse(given);
  if (error === undefined) return given as Json;
  const reason = error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
  throw BadInput({ procedure: procedure.name, reason });
}

/** `NAME=VALUE`, each: a text, or JSON where the procedure takes no text. */
export function parseWords(procedure: AnyProcedure, words: readonly string[]): Json {
  const given = words.map((word) => splitWord(procedure, word));
  const texts = Object.fromEntries(given);
  const refused = procedure.input.safeParse(texts).error?.issues.map(({ path }) => String(path[0])) ?? [];
  const converted = given.map(([name, text]) => [name, refused.includes(name) ? fromJson(text) : text]);
  return requireInput(procedure, Object.fromEntries(converted));
}

function splitWord(procedure: AnyProcedure, word: string): readonly [name: string, text: string] {
  const at = word.indexOf("=");
  const name = word.slice(0, Math.max(0, at));
  const known = inputsOf(procedure).map((one) => one.name);
  const refuse = (reason: string) => BadInput({ procedure: procedure.name, reason });
  if (at < 1) throw refuse(`${word} is not of the form NAME=VALUE`);
  if (!known.includes(name)) throw refuse(`it takes no ${name}${meant(name, known)}`);
  return [name, word.slice(at + 1)];
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface InputLine {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly isRequired: boolean;
  readonly default?: unknown;
}

interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly description?: string;
  readonly default?: unknown;
}

/** What a procedure takes, for people. */
export function inputsOf({ input }: AnyProcedure): readonly InputLine[] {
  const schema = z.toJSONSchema(input, { io: "input" });
  const properties = Object.entries((schema.properties ?? {}) as Readonly<Record<string, Property>>);
  return properties.map(([name, property]) => ({
    name,
    type: typeOf(property),
    description: property.description ?? "",
    isRequired: schema.required?.includes(name) === true,
    ...("default" in property ? { default: property.default } : {}),
  }));
}

function typeOf({ type, enum: choices, pattern }: Property): string {
  if (choices !== undefined) return choices.join(" or ");
  if (type === "boolean") return "true or false";
  if (type === "string") return pattern === undefined ? "text" : `text, ${pattern.replace(/^\^\(\?:(.*)\)\$$/, "$1")}`;
  return type === "number" || type === "integer" ? "number" : "JSON";
}
