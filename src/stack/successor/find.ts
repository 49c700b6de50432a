import type { StackConfig } from "../../config/schema.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createImageSuccessor, type ImageSuccessor } from "./image.ts";
import { createLinkedSuccessor, type LinkedSuccessor } from "./link.ts";

export type Successor = LinkedSuccessor | ImageSuccessor;

/** Undefined when the configuration names none of that series. */
export function findSuccessor(stack: StackConfig, runtime: Runtime, series: string): Successor | undefined {
  const { upgrade } = stack.odoo;
  if (upgrade === undefined) return undefined;
  if ("link" in upgrade) return createLinkedSuccessor(stack, runtime, series, upgrade);
  const variables = upgrade.to[series];
  return variables === undefined ? undefined : createImageSuccessor(stack, series, variables);
}
