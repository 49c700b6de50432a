import type { StackConfig } from "../../config/schema.ts";
import { type CommandAction, command } from "../../runbook/action.ts";
import { availableScript } from "../odoo/available.ts";
import type { Odoo } from "../odoo/odoo.ts";

/** The Odoo of another series, which lies beside the one that serves: a folder, or an image. What both are asked. */
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

/** JSON lines for `parseAvailable`: every module that this Odoo would find, in its own folders and in these. */
export function available(
  { config, odoo }: AnySuccessor,
  folders: readonly string[],
  wanted: readonly string[],
): CommandAction {
  const about = JSON.stringify({ command: config.odoo.command, folders, wanted });
  return command(odoo.place, odoo.as(["/usr/bin/env", "python3", "-", about]), { stdin: availableScript });
}
