import { ConfigNotFound } from "../config/errors.ts";
import { ipaiHome, usualControlBackups } from "../config/home.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { ControlOptions } from "../engine/server.ts";
import { toIpaiError } from "../errors/error.ts";
import type { Executor } from "../host/executor.ts";
import { routesOf } from "./notify.ts";

/** Where the control database is, for the program and for those commands that need nothing else of it. */
export function controlOptions(
  config: Pick<Config, "control"> | undefined,
  environment: NodeJS.ProcessEnv,
  executor: Executor,
): ControlOptions {
  const url = environment["IPAI_DATABASE_URL"] ?? config?.control.url?.reveal();
  return { home: ipaiHome(environment), url, executor };
}

export interface BackupSettings {
  readonly directory: string;
  readonly keep: number;
  readonly isOff: boolean;
}

const usualKeep = 14;

export function backupSettings(
  config: Pick<Config, "control"> | undefined,
  environment: NodeJS.ProcessEnv,
): BackupSettings {
  const given = config?.control.backup ?? "off";
  const usual = usualControlBackups(environment);
  if (given === "off") return { directory: usual, keep: usualKeep, isOff: true };
  return { directory: given.directory ?? usual, keep: given.keep, isOff: false };
}

interface Caller {
  readonly globals: { readonly config?: string };
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
}

/** A new machine has no configuration yet, and its control database is the first thing that comes back. */
export async function findConfig({ globals, environment, directory }: Caller): Promise<Config | undefined> {
  try {
    return await loadConfig({
      environment,
      directory,
      ...(globals.config === undefined ? {} : { path: globals.config }),
    });
  } catch (error) {
    if (toIpaiError(error).code === ConfigNotFound.code) return undefined;
    throw error;
  }
}

export const routesOrNone = (config: Config | undefined) => (config === undefined ? [] : routesOf(config));
