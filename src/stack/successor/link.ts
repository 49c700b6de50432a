import type { StackConfig } from "../../config/schema.ts";
import { type CommandAction, command, type Probe } from "../../runbook/action.ts";
import { createOdoo } from "../odoo/odoo.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { AnySuccessor } from "./successor.ts";

/**
 * On a machine a link says which of the two serves: whoever starts a service finds its Odoo by way of it, so that nothing has to be written
 * into anybody's configuration.
 */
export interface LinkedSuccessor extends AnySuccessor {
  readonly kind: "linked";
  readonly link: string;
  /** The folder that the link will lead to. */
  readonly folder: string;
  /** Prints the folder that the link leads to, or nothing when it is no link. */
  readonly where: CommandAction;
  /** The link leads there from then on; there is no moment without one. */
  pointTo(folder: string): CommandAction;
  leadsTo(folder: string): Probe;
}

/** With every path that goes by way of the link leading there already. */
export function createLinkedSuccessor(
  stack: StackConfig,
  runtime: Runtime,
  series: string,
  { link, to }: { readonly link: string; readonly to: Readonly<Record<string, string>> },
): LinkedSuccessor | undefined {
  const folder = to[series];
  if (folder === undefined) return undefined;
  const { host, odoo } = stack;
  const relinked = (path: string) =>
    path === link || path.startsWith(`${link}/`) ? folder + path.slice(link.length) : path;
  // A variable may hold several, with colons in between.
  const each = (text: string) => text.split(":").map(relinked).join(":");
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
  const where = command(host, ["sh", "-c", whereScript, "where", link]);
  return {
    kind: "linked",
    series,
    link,
    folder,
    config,
    odoo: createOdoo(config, runtime),
    ask: (question) => question,
    where,
    relinked,
    pointTo: (at) => command(host, ["sh", "-c", pointScript, "point", link, at]),
    leadsTo: (at) => ({
      title: `${link} leads to ${at}`,
      action: where,
      output: { from: "stdout" },
      compare: "eq",
      with: at,
      code: "upgrade.link_moved",
    }),
  };
}

const whereScript = 'readlink -- "$1" || :';
const pointScript = 'ln -sfnT -- "$2" "$1.next" && mv -fT -- "$1.next" "$1"';
