import { z } from "zod";
import { listSteps } from "../../engine/journal.ts";
import { defineError } from "../../errors/error.ts";
import { type Candidate, candidate } from "../../procedures/backup/past/find.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { parseInstant } from "../instant.ts";
import { clip, instant, table } from "../render/text.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** The instant before something happened to a record: searched for by a run, shown, and chosen where several are meant. */

export const BadBefore = defineError<{ given: string }>("usage.bad_before", {
  exitCode: 14,
  message: (d) => `It is not clear what shall not have happened yet: ${d.given}. Nothing was changed.`,
  hint: () =>
    'Write a model, a record by its name or id, and deleted or changed: "account.move INV/2026/00042 deleted".',
});

export const SeveralCandidates = defineError<{ count: number; given: string }>("usage.several_candidates", {
  exitCode: 26,
  message: (d) =>
    `${d.count} transactions may be meant${d.given === "" ? "" : `, and none of them is ${d.given}`}. Nothing was changed.`,
  hint: () => "They are listed above, the first one with the number 1. Choose one: --candidate NUMBER.",
});

interface BeforeOptions extends RunOptions {
  readonly since?: string;
  readonly candidate?: string;
}

/** Without a choice: with what the command ends. */
export async function findBefore(
  context: Context,
  given: string,
  options: BeforeOptions,
): Promise<{ readonly at: string } | { readonly exitCode: number }> {
  const [, model = "", record = "", what = ""] =
    /^([a-z0-9_.]+)\s+(\S.*?)\s+(deleted|changed)$/.exec(given.trim()) ?? [];
  if (what === "") throw BadBefore({ given });
  const timezone = await zoneOf(context);
  const since = options.since === undefined ? {} : { since: parseInstant(options.since, timezone).toISOString() };
  let found: readonly Candidate[] = [];
  const show = async (app: App, { id }: { readonly id: string }) => {
    const step = (await listSteps(app.control, id)).find(({ step: name }) => name === "search");
    found = z.array(candidate).parse(step?.outputs?.["candidates"]);
    return { json: { candidates: found }, text: "" };
  };
  const search = { ...options, show, isPart: true };
  const exitCode = await runProcedure(context, "past find", { model, record, what, ...since }, search);
  if (exitCode !== 0 || found.length === 0) return { exitCode };
  context.terminal.err(renderCandidates(found, timezone));
  return choose(context, found, options.candidate);
}

async function zoneOf(context: Context): Promise<string> {
  await using app = await context.openApp();
  return app.stack(context.globals.stack).config.timezone;
}

export function renderCandidates(found: readonly Candidate[], timezone: string): string {
  const rows = found.map((one, index) => [
    String(index + 1),
    instant(one.committedAt, timezone),
    one.by.login ?? "unknown",
    `${clip(one.name ?? "", 30)} [${one.id}]`,
    one.columns.map(({ column, before, after }) => `${column}: ${short(before)} → ${short(after)}`).join(", "),
    one.at,
  ]);
  return table([["", "WHEN", "BY", "RECORD", "CHANGED", "LAST INSTANT BEFORE"], ...rows]);
}

function short(value: unknown): string {
  return clip(JSON.stringify(value), 24);
}

async function choose(
  context: Context,
  found: readonly Candidate[],
  given: string | undefined,
): Promise<{ at: string }> {
  const [first, second] = found;
  const chosen = given === undefined ? undefined : found[Number(given) - 1];
  if (chosen !== undefined) return { at: chosen.at };
  if (given === undefined && first !== undefined && second === undefined) return { at: first.at };
  if (given === undefined && context.terminal.isInteractive) {
    const { select, isCancel } = await import("@clack/prompts");
    const options = found.map(({ at }, index) => ({ value: at, label: `${index + 1}: ${at}` }));
    const answer = await select({ message: "Which one?", options });
    if (!isCancel(answer)) return { at: answer };
  }
  throw SeveralCandidates({ count: found.length, given: given ?? "" });
}
