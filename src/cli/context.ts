import { withEnvironmentFile } from "../config/environment.ts";
import type { App } from "./app.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

export interface GlobalOptions {
  readonly config?: string;
  readonly stack?: string;
  readonly debug?: boolean;
}

/** What every command gets: where to write, what was asked, and the program itself when it needs it. */
export interface Context {
  readonly terminal: Terminal;
  readonly globals: GlobalOptions;
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
  openApp(): Promise<App>;
}

export function createContext(globals: GlobalOptions): Context {
  const environment = withEnvironmentFile(process.env);
  const directory = process.cwd();
  return {
    terminal: createTerminal(),
    globals,
    environment,
    directory,
    openApp: async () => (await import("./app.ts")).openApp({ config: globals.config, environment, directory }),
  };
}
