import { seriesOfProgram } from "../../../stack/odoo/inventory.ts";
import type { LinkedSuccessor } from "../../../stack/successor/link.ts";
import type { FactReader } from "../../procedure.ts";
import { change, require, takeBack } from "../../steps.ts";
import { LinkElsewhere, WrongSuccessor } from "./errors.ts";
import type { Program } from "./exchange.ts";
import { requireFolder } from "./folder.ts";

/** A program that services find by way of a link. */
export interface PlannedLink {
  readonly kind: "linked";
  /** The folder that the link leads to now. */
  readonly at: string;
}

export async function readLink(reader: FactReader, successor: LinkedSuccessor): Promise<PlannedLink> {
  const at = await reader.text(successor.where);
  if (at === "") throw LinkElsewhere({ link: successor.link, found: at });
  await requireFolder(reader, successor, successor.folder);
  const printed = await reader.maybe(reader.text(successor.odoo.version()));
  const found = printed === undefined ? "none that starts" : seriesOfProgram(printed);
  if (found !== successor.series) throw WrongSuccessor({ where: successor.folder, found, wanted: successor.series });
  return { kind: "linked", at };
}

export function linkProgram({ link, folder, pointTo, leadsTo }: LinkedSuccessor, { at }: PlannedLink): Program {
  return {
    unmoved: [require({ id: "link", title: `${link} leads to ${at}, as it was planned`, probe: leadsTo(at) })],
    beside: (body) => body,
    exchange: ({ bring, seen }) => [
      ...bring,
      change(
        { id: "program", title: `${link} leads to ${folder}`, action: pointTo(folder) },
        {
          done: leadsTo(folder),
          verify: [leadsTo(folder), ...(seen?.verify ?? [])],
          undo: [
            takeBack(
              { id: "program before", title: `${link} leads to ${at} again`, action: pointTo(at) },
              { done: leadsTo(at), verify: [leadsTo(at)] },
            ),
          ],
        },
      ),
    ],
    served: () => [],
  };
}
