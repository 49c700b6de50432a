import { z } from "zod";
import { command } from "../../../runbook/action.ts";
import type { FactReader } from "../../procedure.ts";
import { findResource, getResource, type Resource, ResourceUnknown } from "../../resources.ts";
import { CopyNameTaken } from "./errors.ts";

/** The name of a copy is one of a database, of a folder, and of a resource. */
export const nameOfCopy = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,39}$/)
  .describe("Name of the copy, which is its database's: a-z, 0-9 and _");

export async function requireFreeName(reader: FactReader, name: string): Promise<void> {
  const { stack, records } = reader;
  const { database } = stack.config.odoo;
  const taken = (what: string) => CopyNameTaken({ name, what });
  if (name === database || name.startsWith(`${database}_before_`) || name.startsWith(`${database}_past_`))
    throw taken("a database of the stack's own");
  if ((await reader.number(stack.postgres.databaseExists(name).action)) > 0) throw taken("a database");
  const files = command(stack.tools, ["test", "-e", stack.odoo.filestoreOf(name)], { okExitCodes: [0, 1] });
  if ((await reader.exitCode(files)) === 0) throw taken("a filestore");
  const open = await findResource(records, stack.name, name);
  if (open !== undefined && open.closed === null) throw taken("an open copy");
}

/** One that is open. */
export async function getCopy({ records, stack }: FactReader, id: string): Promise<Resource> {
  const found = await getResource(records, stack.name, id);
  if (found.kind !== "copy") throw ResourceUnknown({ id });
  return found;
}
