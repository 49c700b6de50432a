import type { Json } from "../../../runbook/value.ts";
import type { Stack } from "../../../stack/stack.ts";
import type { Successor } from "../../../stack/successor/find.ts";
import type { FactReader } from "../../procedure.ts";
import { NoSuccessor } from "./errors.ts";
import type { Program } from "./exchange.ts";
import { imageProgram, type PlannedImages, readImages } from "./image.ts";
import { linkProgram, type PlannedLink, readLink } from "./link.ts";

/** The program of another series, by the way in which this stack has it. */
export type PlannedProgram = PlannedLink | PlannedImages;

export function requireSuccessor(stack: Stack, series: string): Successor {
  const successor = stack.successor(series);
  if (successor === undefined)
    throw NoSuccessor({ series, known: Object.keys(stack.config.odoo.upgrade?.to ?? {}).join(", ") });
  return successor;
}

export function readProgram(reader: FactReader, successor: Successor): Promise<PlannedProgram> {
  return successor.kind === "linked" ? readLink(reader, successor) : readImages(reader, successor);
}

export function programOf(
  stack: Stack,
  { to, program }: { readonly to: string; readonly program: PlannedProgram },
): Program {
  const successor = requireSuccessor(stack, to);
  if (successor.kind === "linked" && program.kind === "linked") return linkProgram(successor, program);
  if (successor.kind === "image" && program.kind === "image") return imageProgram(stack, successor, program);
  throw new TypeError(`the program of ${stack.name} is found in another way than it was planned`);
}

/** What a plan is bound to. */
export function programFacts(program: PlannedProgram): Readonly<Record<string, Json>> {
  if (program.kind === "linked") return { at: program.at };
  return { images: program.images.map((one) => ({ ...one })), lines: { ...program.lines } };
}
