import { command } from "../../../runbook/action.ts";
import type { AnySuccessor } from "../../../stack/successor/successor.ts";
import type { FactReader } from "../../procedure.ts";
import { FolderMissing } from "./errors.ts";

/** Where the Odoo of the other series would look for it. */
export async function requireFolder(reader: FactReader, successor: AnySuccessor, folder: string): Promise<void> {
  const test = command(successor.odoo.place, ["test", "-d", folder], { okExitCodes: [0, 1] });
  if ((await reader.exitCode(successor.ask(test))) !== 0) throw FolderMissing({ folder });
}
