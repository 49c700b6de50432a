import { ipaiHome } from "../../config/home.ts";
import { embeddedAddress, isEmbeddedRunning, stopEmbedded } from "../../engine/embedded.ts";
import { whereOf } from "../../engine/server.ts";
import { LocalExecutor } from "../../host/local.ts";
import type { Context } from "../context.ts";
import { controlOptions, findConfig } from "../control.ts";

export async function controlStatus(context: Context): Promise<number> {
  const { home, url, executor } = controlOptions(await findConfig(context), context.environment, new LocalExecutor());
  if (url !== undefined) {
    context.terminal.out(`The control database is the PostgreSQL at ${whereOf(url)}.`);
    return 0;
  }
  const isRunning = await isEmbeddedRunning(home, executor);
  context.terminal.out(
    `The embedded control database (${embeddedAddress(home).socket}) ${isRunning ? "runs" : "does not run; the next command that needs it starts it"}.`,
  );
  return 0;
}

export async function controlStop(context: Context): Promise<number> {
  const wasRunning = await stopEmbedded(ipaiHome(context.environment), new LocalExecutor());
  context.terminal.out(wasRunning ? "The control database is stopped." : "The control database was not running.");
  return 0;
}
