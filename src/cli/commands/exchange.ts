import { resolve } from "node:path";
import { defineError } from "../../errors/error.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { type RunOptions, runProcedure } from "./run.ts";

/** Backups that leave as files, files that come, and copies for staging: what a person says becomes a procedure's input. */

export const FilePathNotWhole = defineError<{ file: string; host: string }>("usage.file_path", {
  exitCode: 14,
  message: (d) => `${d.file} is not the whole path of a file on ${d.host}. Nothing was started.`,
  hint: () => "A stack on another machine reads and writes files there: begin the path with /.",
});

export const CopyNeedsDays = defineError<{ given: string }>("usage.copy_days", {
  exitCode: 14,
  message: (d) => `${d.given} is no number of days between 1 and 90. Nothing was started.`,
  hint: () => "`ipai resources extend NAME --days N` lets a copy live longer later.",
});

/** `SET FILE`, or the file alone for the latest. */
export async function exportBackup(
  context: Context,
  first: string,
  second: string | undefined,
  options: RunOptions & { readonly format?: string },
): Promise<number> {
  const [backup, given] = second === undefined ? ["latest", first] : [first, second];
  const file = await wholePath(context, given);
  const format = options.format ?? (/\.sql(\.gz)?$/.test(file) ? "sql.gz" : "zip");
  return runProcedure(context, "backup export", { backup, file, format }, options);
}

/** A set has an id; whatever has a folder or an ending is a file. */
export function isFile(given: string): boolean {
  return given.includes("/") || /\.(zip|dump|sql|gz)$/.test(given);
}

export async function restoreFile(context: Context, given: string, options: RunOptions): Promise<number> {
  return runProcedure(context, "restore file", { file: await wholePath(context, given) }, options);
}

export async function restoreCopy(
  context: Context,
  given: string | undefined,
  options: RunOptions & { readonly as: string; readonly days?: string },
): Promise<number> {
  const days = Number(options.days ?? "7");
  if (!Number.isInteger(days) || days < 1 || days > 90) throw CopyNeedsDays({ given: options.days ?? "" });
  const from = given === undefined ? "latest" : isFile(given) ? await wholePath(context, given) : given;
  return runProcedure(context, "restore copy", { from, name: options.as, days }, options);
}

/** Where the command is typed is where the stack is, or the path has to say all of it. */
async function wholePath(context: Context, given: string): Promise<string> {
  if (given.startsWith("/")) return given;
  await using app: App = await context.openApp();
  const { host } = app.stack(context.globals.stack);
  if (host !== "local") throw FilePathNotWhole({ file: given, host });
  return resolve(given);
}
