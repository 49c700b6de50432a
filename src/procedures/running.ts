import { OutputUnreadable } from "../host/errors.ts";
import type { Json } from "../runbook/value.ts";
import { type Look, type Maintenance, parseLook } from "../stack/maintenance.ts";
import type { FactReader } from "./procedure.ts";

/** Which services run now: a plan that stops them starts these again, and no others. */
export interface Running {
  readonly odoo: readonly string[];
  readonly proxy: string | undefined;
  readonly mode?: Mode;
}

/** Whether users are kept out by a page; undefined where no maintenance mode is configured. */
export type Mode = "on" | "off" | undefined;

/** What a plan is bound to. */
export function boundTo({ odoo, proxy, mode }: Running): Readonly<Record<string, Json>> {
  return { odoo, proxy: proxy ?? null, ...(mode === "on" ? { maintenance: mode } : {}) };
}

export async function readRunning(reader: FactReader): Promise<Running> {
  const { odoo, proxy } = reader.stack.config.services;
  const names = [...odoo.map(({ name }) => name), ...(proxy === undefined ? [] : [proxy.name])];
  const isRunning = async (name: string) =>
    (await reader.exitCode(reader.stack.runtime.service(name).isRunning.action)) === 0;
  const [answers, mode] = await Promise.all([Promise.all(names.map(isRunning)), readMode(reader)]);
  const running = names.filter((_, index) => answers[index]);
  return {
    odoo: running.filter((name) => name !== proxy?.name),
    proxy: running.find((name) => name === proxy?.name),
    mode,
  };
}

async function readMode(reader: FactReader): Promise<Mode> {
  const { maintenance } = reader.stack;
  if (maintenance === undefined) return undefined;
  return (await readFlag(reader, maintenance)).found === undefined ? "off" : "on";
}

export async function readFlag(reader: FactReader, maintenance: Maintenance): Promise<Look> {
  return parseLook(await reader.text(maintenance.look));
}

/** The disk of the database server's data, as it is where the server runs. */
export async function readServerDisk({ stack, text }: FactReader): Promise<{ directory: string; freeBytes: number }> {
  const directory = await text(stack.postgres.query("postgres", "show data_directory;"));
  const { name } = stack.config.services.database;
  return {
    directory,
    freeBytes: availableBytes(await text(stack.runtime.beside(name, ["df", "-P", "-k", directory]))),
  };
}

/** Of what any `df -P -k` prints; the server's container need not have Debian's. */
function availableBytes(printed: string): number {
  const kilobytes = printed.trim().split("\n").at(-1)?.split(/\s+/)[3];
  const bytes = Number(kilobytes) * 1024;
  if (Number.isNaN(bytes)) throw OutputUnreadable({ from: "stdout", wanted: "what df prints", output: printed });
  return bytes;
}
