import { writeFile } from "node:fs/promises";
import { defineError } from "../../errors/error.ts";
import { type Drill, listDrills, type Recovery } from "../../procedures/recovery/record.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Context } from "../context.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** Drills: carried out, listed, and their evidence for whoever asks. */

export const DrillWhat = defineError<{ given: string }>("usage.drill_what", {
  exitCode: 14,
  message: (d) => `There is no drill for "${d.given}".`,
  hint: () => "There is one for the server and one for the database; without a word both are done.",
});

export const NoDrill = defineError<{ run: string }>("recovery.no_drill", {
  exitCode: 26,
  message: (d) => (d.run === "" ? "There was no drill yet." : `The run ${d.run} is no drill.`),
  hint: () => "`ipai drill list` shows drills; `ipai drill` makes one.",
});

interface DrillOptions extends RunOptions {
  readonly repository?: string;
}

/** One after the other; the first that does not pass ends it. */
export async function runDrill(context: Context, what: string | undefined, options: DrillOptions): Promise<number> {
  const kinds = ["server", "database"] as const;
  const wanted = kinds.filter((kind) => what === undefined || what === kind);
  if (wanted.length === 0) throw DrillWhat({ given: what ?? "" });
  for (const kind of wanted) {
    const code = await runProcedure(context, "drill", { what: kind, repository: options.repository ?? "" }, options);
    if (code !== 0) return code;
  }
  const isTold = options.plan !== true && options.script !== true && options.json !== true;
  return isTold ? listAll(context, {}) : 0;
}

export async function listAll(context: Context, { json }: { readonly json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const drills = await listDrills(app.records, stack.name);
  if (json === true) context.terminal.out(JSON.stringify(drills, null, 2));
  else if (drills.length === 0) context.terminal.out("No drill yet. Make one with: ipai drill");
  else
    context.terminal.out(
      table([["RUN", "LOST", "BEGUN", "BACK AFTER", "WORK LOST"], ...drills.map((one) => rowOf(stack, one))]),
    );
  return 0;
}

function rowOf({ config }: Stack, { run, what, begunAt, evidence }: Drill): readonly string[] {
  const took =
    evidence === undefined
      ? ["did not pass, or not yet", ""]
      : [duration(evidence.seconds), duration(evidence.lossSeconds)];
  return [run, what, instant(begunAt, config.timezone), ...took];
}

interface ShowOptions {
  readonly json?: boolean;
  readonly output?: string;
}

/** The evidence of one, or of the last, as Markdown: for an auditor's file. */
export async function showDrill(context: Context, run: string | undefined, options: ShowOptions): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const drills = await listDrills(app.records, stack.name);
  const found = run === undefined ? drills[0] : drills.find((one) => one.run === run);
  if (found === undefined) throw NoDrill({ run: run ?? "" });
  const text = options.json === true ? JSON.stringify(found, null, 2) : renderEvidence(stack, found);
  if (options.output === undefined) context.terminal.out(text);
  else await writeFile(options.output, `${text}\n`, { flag: "wx" });
  return 0;
}

export function renderEvidence({ name, config }: Pick<Stack, "name" | "config">, drill: Drill): string {
  const { run, what, begunAt, evidence } = drill;
  const head = [
    `# Recovery drill: the ${what} of ${name}`,
    "",
    `Run ${run}, begun ${instant(begunAt, config.timezone)}.`,
  ];
  if (evidence === undefined)
    return [...head, "", `It did not pass, or has not ended yet. Where it stands: \`ipai runs show ${run}\`.`].join(
      "\n",
    );
  return [
    ...head,
    "",
    ...judged(evidence, config.objectives),
    "",
    ...phasesOf(evidence),
    "",
    ...countsOf(evidence, config.timezone),
  ].join("\n");
}

function judged(
  { seconds, lossSeconds }: Recovery,
  { rtoSeconds, rpoSeconds }: Stack["config"]["objectives"],
): readonly string[] {
  const word = (isMet: boolean) => (isMet ? "met" : "**missed**");
  return [
    "| objective | allowed | measured | |",
    "| --- | --- | --- | --- |",
    `| back after (RTO) | ${duration(rtoSeconds)} | ${duration(seconds)} | ${word(seconds <= rtoSeconds)} |`,
    `| work lost (RPO) | ${duration(rpoSeconds)} | ${duration(lossSeconds)} | ${word(lossSeconds <= rpoSeconds)} |`,
  ];
}

function phasesOf({ phases }: Recovery): readonly string[] {
  return [
    "| phase | took |",
    "| --- | --- |",
    ...phases.map((phase) => `| ${phase.name} | ${duration(phase.seconds)} |`),
  ];
}

function countsOf(
  { set, takenAt, databaseBytes, filestoreBytes, counts, at }: Recovery,
  zone: string,
): readonly string[] {
  return [
    `- ${set === null ? "From the archive" : `From set ${set}`}, as of ${instant(takenAt, zone)}`,
    `- database ${bytes(databaseBytes)}, attachments ${bytes(filestoreBytes)}`,
    ...Object.entries(counts).map(([name, value]) => `- ${name}: ${value}`),
    `- every table and every attachment was compared; evidence filed ${instant(at, zone)}`,
  ];
}
