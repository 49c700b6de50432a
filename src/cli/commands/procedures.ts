import { z } from "zod";
import { fileSchema } from "../../procedures/custom/schema.ts";
import type { AnyProcedure } from "../../procedures/procedure.ts";
import type { Context } from "../context.ts";
import {
  getProcedure,
  type InputLine,
  inputsOf,
  listRunnable,
  loadProcedures,
  parseWords,
  requireWhole,
} from "../procedures.ts";
import { table } from "../render/text.ts";
import { load } from "./config.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** What can be run: the program's procedures and the user's own. None of this needs a stack or the control database. */

interface Options {
  readonly json?: boolean;
}

export async function listProcedures(context: Context, options: Options): Promise<number> {
  const procedures = await loadProcedures(await load(context));
  const { terminal } = context;
  const runnable = listRunnable(procedures);
  if (options.json === true) {
    terminal.out(JSON.stringify({ procedures: runnable.map(toJson), broken: procedures.broken }, null, 2));
    return 0;
  }
  const rows = runnable.map(({ name, chapter, risk, title, file }) => [name, chapter, risk, title, file ?? "built in"]);
  terminal.out(table([["NAME", "CHAPTER", "RISK", "TITLE", "FILE"], ...rows]));
  const wrong = procedures.broken.map(({ file, problems }) => `${file}: ${problems.length} wrong`);
  if (wrong.length > 0)
    terminal.err(`\nNot to be run:\n${wrong.join("\n")}\nipai procedures check says what is wrong.`);
  return 0;
}

export async function checkProcedures(context: Context): Promise<number> {
  const config = await load(context);
  const procedures = await loadProcedures(config);
  requireWhole(procedures);
  const own = procedures.all.flatMap(({ name, file }) => (file === undefined ? [] : [`${file}: good; ${name}`]));
  context.terminal.out(own.length === 0 ? `${config.file} names no procedures of your own.` : own.join("\n"));
  return 0;
}

export async function showProcedure(context: Context, words: readonly string[], options: Options): Promise<number> {
  const procedure = getProcedure(await loadProcedures(await load(context)), words.join(" "));
  const { name, chapter, risk, title, summary, file } = procedure;
  if (options.json === true) {
    context.terminal.out(JSON.stringify(toJson(procedure), null, 2));
    return 0;
  }
  const inputs = inputsOf(procedure);
  const example = inputs.filter(({ isRequired }) => isRequired).map((one) => ` ${one.name}=…`);
  context.terminal.out(
    [
      `${name}: ${title}`,
      `chapter: ${chapter} · risk: ${risk} · ${file ?? "built in"}`,
      "",
      summary.trimEnd(),
      "",
      ...(inputs.length === 0 ? ["It takes no input."] : [table(inputs.map(inputRow))]),
      "",
      `ipai run ${name}${example.join("")} --plan`,
    ].join("\n"),
  );
  return 0;
}

function inputRow({ name, type, description, isRequired, ...rest }: InputLine): readonly string[] {
  const usual = "default" in rest ? `usually ${JSON.stringify(rest.default)}` : isRequired ? "required" : "";
  return [`  ${name}`, type, usual, description];
}

function toJson(procedure: AnyProcedure) {
  const { name, chapter, risk, title, summary, file } = procedure;
  return { name, chapter, risk, title, summary, file: file ?? null, input: inputsOf(procedure) };
}

export async function printSchema(context: Context): Promise<number> {
  context.terminal.out(JSON.stringify(z.toJSONSchema(fileSchema, { io: "input" }), null, 2));
  return 0;
}

/** `ipai run NAME… [KEY=VALUE…]`: a name of several words needs no quotes. */
export async function runNamed(context: Context, words: readonly string[], options: RunOptions): Promise<number> {
  const at = words.findIndex((word) => word.includes("="));
  const [name, given] = at === -1 ? [words, []] : [words.slice(0, at), words.slice(at)];
  const procedure = getProcedure(await loadProcedures(await load(context)), name.join(" "));
  return runProcedure(context, procedure.name, parseWords(procedure, given), options);
}
