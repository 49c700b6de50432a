import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { availableScript } from "./odoo/available.ts";
import { createOdoo, type Odoo } from "./odoo/odoo.ts";
import type { Runtime } from "./runtime/runtime.ts";

/**
 * The Odoo of another series, which lies beside the one that serves. A link says which of the two that is: whoever starts a service finds
 * its Odoo by way of it, so that nothing has to be written into anybody's configuration.
 */
export interface Successor {
  readonly series: string;
  readonly link: string;
  /** The folder that the link will lead to. */
  readonly folder: string;
  /** The same with every path that goes by way of the link leading there already. */
  readonly config: StackConfig;
  /** Its Odoo, while another one serves. */
  readonly odoo: Odoo;
  /** Prints the folder that the link leads to, or nothing when it is no link. */
  readonly where: CommandAction;
  /** A path as it will be. */
  relinked(path: string): string;
  /** JSON lines for `parseAvailable`: every module that its Odoo would find, in its own folders and in these. */
  available(folders: readonly string[], wanted: readonly string[]): CommandAction;
  /** The link leads there from then on; there is no moment without one. */
  pointTo(folder: string): CommandAction;
  leadsTo(folder: string): Probe;
}

/** Undefined when the configuration names none of that series. */
export function findSuccessor(stack: StackConfig, runtime: Runtime, series: string): Successor | undefined {
  const folder = stack.odoo.upgrade?.to[series];
  if (stack.odoo.upgrade === undefined || folder === undefined) return undefined;
  const { link } = stack.odoo.upgrade;
  const { host } = stack;
  const relinked = (path: string) =>
    path === link || path.startsWith(`${link}/`) ? folder + path.slice(link.length) : path;
  // A variable may hold several, with colons in between.
  const each = (text: string) => text.split(":").map(relinked).join(":");
  const { odoo } = stack;
  const config: StackConfig = {
    ...stack,
    odoo: {
      ...odoo,
      command: odoo.command.map(relinked),
      environment: Object.fromEntries(Object.entries(odoo.environment).map(([name, value]) => [name, each(value)])),
      config: relinked(odoo.config),
      addons: odoo.addons.map(relinked),
    },
  };
  const own = createOdoo(config, runtime);
  const where = command(host, ["sh", "-c", whereScript, "where", link]);
  return {
    series,
    link,
    folder,
    config,
    odoo: own,
    where,
    relinked,
    available: (folders, wanted) =>
      command(
        own.place,
        own.as(["/usr/bin/env", "python3", "-", JSON.stringify({ command: config.odoo.command, folders, wanted })]),
        { stdin: availableScript },
      ),
    pointTo: (to) => command(host, ["sh", "-c", pointScript, "point", link, to]),
    leadsTo: (to) => ({
      title: `${link} leads to ${to}`,
      action: where,
      output: { from: "stdout" },
      compare: "eq",
      with: to,
      code: "upgrade.link_moved",
    }),
  };
}

const whereScript = 'readlink -- "$1" || :';
const pointScript = 'ln -sfnT -- "$2" "$1.next" && mv -fT -- "$1.next" "$1"';
