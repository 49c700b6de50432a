import { type FileHandle, open, rm } from "node:fs/promises";
import type { CopyConfig } from "../../config/schema.ts";
import { inTransaction, record } from "../../engine/audit.ts";
import { defineError } from "../../errors/error.ts";
import { NoRepository } from "../../procedures/backup/errors.ts";
import { command } from "../../runbook/action.ts";
import { quote } from "../../runbook/shell.ts";
import { primary } from "../../stack/sources.ts";
import type { Stack } from "../../stack/stack.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";

/** What opens the repositories on another machine. Whoever loses it has lost the backups; whoever else has it can read them. */

export const KeyFileExists = defineError<{ file: string }>("backup.key_file_exists", {
  exitCode: 14,
  message: (d) => `There is a file ${d.file} already. It was not replaced, and nothing was written.`,
  hint: () => "Name another one: an older key may be all that opens older backups.",
});

interface Key {
  readonly name: string;
  /** Variables of restic's environment. */
  readonly variables: Readonly<Record<string, string>>;
}

export async function exportKey(context: Context, options: { output?: string; json?: boolean }): Promise<number> {
  await using app = await context.openApp();
  const stack = app.stack(context.globals.stack);
  const keys = await readKeys(app, stack);
  const text = options.json === true ? `${JSON.stringify(keys, null, 2)}\n` : renderKeys(stack, keys);
  const { terminal } = context;
  const { output } = options;
  await using file = output === undefined ? undefined : await create(output);
  const detail = { repositories: keys.map(({ name }) => name), to: output ?? "standard output" };
  const told = { actor: app.actor, action: "key.exported", stack: stack.name, subject: stack.name, detail };
  // Recorded before anybody has the key: what cannot be recorded is not handed out.
  try {
    await inTransaction(app.control.db, (tx) => record(tx, told, new Date()));
  } catch (error) {
    if (output !== undefined) await rm(output, { force: true });
    throw error;
  }
  if (file === undefined) terminal.out(text.trimEnd());
  else {
    await file.writeFile(text);
    await file.sync();
  }
  terminal.err(
    file === undefined
      ? "This opens every backup. Keep it away from the repositories, and out of logs and histories."
      : `Written to ${output}, for this user alone. Keep a copy away from this machine and from the repositories.`,
  );
  return 0;
}

async function readKeys(app: App, stack: Stack): Promise<readonly Key[]> {
  const { backup } = stack.config;
  if (backup === undefined) throw NoRepository({ stack: stack.name });
  const key = async (
    name: string,
    { repository, passwordFile, environment }: Pick<CopyConfig, "repository" | "passwordFile" | "environment">,
    path: string,
  ): Promise<Key> => ({
    name,
    variables: {
      RESTIC_REPOSITORY: repository,
      RESTIC_PASSWORD:
        passwordFile === undefined
          ? stack.secret(`${path}.password`).reveal()
          : await readFileOf(app, stack, passwordFile),
      ...Object.fromEntries(Object.entries(environment).map(([variable, value]) => [variable, value.reveal()])),
    },
  });
  const copies = Object.entries(backup.copies).map(([name, copy]) => key(name, copy, `backup.copies.${name}`));
  return Promise.all([key(primary, backup, "backup"), ...copies]);
}

/** restic takes the file without the line's end. */
async function readFileOf(app: App, stack: Stack, path: string): Promise<string> {
  const scope = {
    run: { id: "key", startedAt: "" },
    output: () => undefined,
    secret: (name: string) => stack.secret(name),
  };
  const signal = AbortSignal.timeout(30_000);
  const { stdout } = await app.performer.perform(command(stack.tools, ["cat", "--", path]), scope, {
    signal,
    timeoutMs: 30_000,
  });
  return stdout.replace(/\r?\n$/, "");
}

/** To be sourced by a shell: each repository in a function of its own. */
function renderKeys(stack: Stack, keys: readonly Key[]): string {
  const functions = keys.map(({ name, variables }) => {
    const lines = Object.entries(variables).map(([variable, value]) => `  export ${variable}=${quote(value)}`);
    return `${name.replaceAll("-", "_")}() {\n${lines.join("\n")}\n}`;
  });
  return [
    `# Opens the backups of ${stack.name}: source this file, call ${keys.map(({ name }) => name.replaceAll("-", "_")).join(" or ")}, then: restic snapshots`,
    ...functions,
    "",
  ].join("\n\n");
}

/** An empty file for this user alone. */
function create(path: string): Promise<FileHandle> {
  return open(path, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EEXIST" ? KeyFileExists({ file: path }) : error;
  });
}
