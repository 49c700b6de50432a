import type { FactReader } from "./procedure.ts";

/** Which services run now: a plan that stops them starts these again, and no others. */
export interface Running {
  readonly odoo: readonly string[];
  readonly proxy: string | undefined;
}

export async function readRunning(reader: FactReader): Promise<Running> {
  const { odoo, proxy } = reader.stack.config.services;
  const names = [...odoo.map(({ name }) => name), ...(proxy === undefined ? [] : [proxy.name])];
  const isRunning = async (name: string) =>
    (await reader.exitCode(reader.stack.runtime.service(name).isRunning.action)) === 0;
  const answers = await Promise.all(names.map(isRunning));
  const running = names.filter((_, index) => answers[index]);
  return {
    odoo: running.filter((name) => name !== proxy?.name),
    proxy: running.find((name) => name === proxy?.name),
  };
}
