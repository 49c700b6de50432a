import type { StackConfig } from "../config/schema.ts";
import { type CommandAction, command, type Probe } from "../runbook/action.ts";
import { availableScript } from "./odoo/available.ts";
import { createOdoo, type Odoo } from "./odoo/odoo.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { createImageSuccessor, type ImageSuccessor } from "./successor-image.ts";

/** The Odoo of another series, which lies beside the one that serves: a folder, or an image. */
export type Successor = LinkedSuccessor | ImageSuccessor;

/** What both are asked. */
export interface AnySuccessor {
  readonly series: string;
  /** The stack as it will be. */
  readonly config: StackConfig;
  /** Its Odoo, while another one serves. */
  readonly odoo: Odoo;
  /** A question of its Odoo, as it can be asked when nothing was made for it yet. */
  ask(question: CommandAction): CommandAction;
  /** A path as it will be. */
  relinked(path: string): string;
}

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

/** Undefined when the configuration names none of that series. */
export function findSuccessor(stack: StackConfig, runtime: Runtime, series: string): Successor | undefined {
  const { upgrade } = stack.odoo;
  if (upgrade === undefined) return undefined;
  if ("link" in upgrade) return createLinkedSuccessor(stack, runtime, series, upgrade);
  const variables = upgrade.to[series];
  return variables === undefined ? undefined : createImageSuccessor(stack, series, variables);
}

/** JSON lines for `parseAvailable`: every module that this Odoo would find, in its own folders and in these. */
export function available(
  { config, odoo }: AnySuccessor,
  folders: readonly string[],
  wanted: readonly string[],
): CommandAction {
  const about = JSON.stringify({ command: config.odoo.command, folders, wanted });
  return command(odoo.place, odoo.as(["/usr/bin/env", "python3", "-", about]), { stdin: availableScript });
}

/** With every path that goes by way of the link leading there already. */
function createLinkedSuccessor(
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
