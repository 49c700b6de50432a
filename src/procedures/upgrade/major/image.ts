import type { CommandAction } from "../../../runbook/action.ts";
import type { Sequence } from "../../../runbook/plan.ts";
import { imagesOfProject, type UsedImage } from "../../../stack/images.ts";
import { seriesOfProgram } from "../../../stack/odoo/inventory.ts";
import { projectOf } from "../../../stack/runtime/compose.ts";
import type { Stack } from "../../../stack/stack.ts";
import { type ImageSuccessor, type Lines, type Made, parseLines, parseMade } from "../../../stack/successor/image.ts";
import { again, renew } from "../../deployment/image.ts";
import type { FactReader } from "../../procedure.ts";
import { change, require, takeBack, whileBeside } from "../../steps.ts";
import { ImageUnfit, WrongSuccessor } from "./errors.ts";
import type { Program } from "./exchange.ts";

/**
 * A program in an image that the project's variables name. Both images keep their names, so the way back needs nothing but the old lines of
 * `.env`: containers are made anew of what their names mean.
 */
export interface PlannedImages {
  readonly kind: "image";
  readonly images: readonly PlannedImage[];
  /** Lines of the project's `.env` as they are now. */
  readonly lines: Lines;
}

export interface PlannedImage {
  readonly service: string;
  /** Name and id of what it will be made of. */
  readonly image: string;
  readonly id: string;
  /** What it is made of now. */
  readonly before: string;
}

export async function readImages(reader: FactReader, successor: ImageSuccessor): Promise<PlannedImages> {
  const lines = parseLines(await reader.text(successor.lines), Object.keys(successor.wanted));
  const namesIn = async (project: CommandAction) =>
    imagesOfProject(await reader.json(project), projectOf(reader.stack.config));
  const names = await namesIn(successor.project);
  const made = parseMade(await reader.text(successor.made(names)));
  const nameless = (await reader.text(successor.nameless)).split("\n").filter((service) => service !== "");
  const reasons = [
    ...findUnfit(made, await namesIn(successor.presentProject)),
    ...nameless.map((service) => `${service} keeps data in a volume without a name`),
  ];
  if (reasons.length > 0) throw ImageUnfit({ series: successor.series, reasons: [...new Set(reasons)].join("; ") });
  await requireSeries(reader, successor, made);
  const images = made.flatMap(({ service, image, id, before }) =>
    id === undefined || before === undefined ? [] : [{ service, image, id, before: before.image }],
  );
  return { kind: "image", images, lines };
}

/**
 * What a service is made of now must have another name, be what that name means, and be what the project names: containers are made anew of
 * names, and the way back makes them of those that the project had. `present`: what it names now.
 */
export function findUnfit(made: readonly Made[], present: ReadonlyMap<string, string>): readonly string[] {
  return made.flatMap((one) => whyUnfit(one, made, present.get(one.service)) ?? []);
}

function whyUnfit(
  { service, image, id, before }: Made,
  all: readonly Made[],
  present: string | undefined,
): string | undefined {
  if (id === undefined) return `there is no image ${image}`;
  if (before === undefined) return `${service} has no container`;
  if (all.some((one) => one.before?.image === image)) return `${service} is made of ${image} already`;
  if (present !== before.image)
    return `${service} is made of ${before.image}, and the project names ${present ?? "none"}`;
  return before.id === before.meant ? undefined : `${service} is made of an older ${before.image} than there is now`;
}

async function requireSeries(reader: FactReader, successor: ImageSuccessor, made: readonly Made[]): Promise<void> {
  const { odooTools } = projectOf(reader.stack.config);
  const where = made.find(({ service }) => service === odooTools)?.image ?? odooTools;
  const printed = await reader.maybe(reader.text(successor.ask(successor.odoo.version())));
  const found = printed === undefined ? "none that starts" : seriesOfProgram(printed);
  if (found !== successor.series) throw WrongSuccessor({ where, found, wanted: successor.series });
}

export function imageProgram(stack: Stack, successor: ImageSuccessor, { images, lines }: PlannedImages): Program {
  return {
    unmoved: [
      require({
        id: "variables",
        title: "The project's variables are as they were planned",
        probe: successor.areWritten(lines),
      }, {
        verify: [successor.areWritten(lines), ...distinct(images).map(({ name, id }) => successor.isImage(name, id))],
      }),
    ],
    beside: (body) => [whileBeside(successor, `of Odoo ${successor.series}`, body)],
    exchange: ({ bring, seen }) => [
      nameImage(stack, successor, { images, lines }),
      // On the way back the project's own files are as they were before containers are made of them.
      ...bring,
      ...renewAll(stack, images, ({ image }) => image),
      ...(seen === undefined ? [] : [{ ...seen, id: "code seen" }]),
    ],
    served: (services) => isServed(successor, images, services),
  };
}

function distinct(images: readonly PlannedImage[]): readonly { readonly name: string; readonly id: string }[] {
  return [...new Map(images.map(({ image, id }) => [image, id]))].map(([name, id]) => ({ name, id }));
}

function nameImage(stack: Stack, successor: ImageSuccessor, { images, lines }: Omit<PlannedImages, "kind">) {
  const { wanted, write, areWritten } = successor;
  const names = distinct(images)
    .map(({ name }) => name)
    .join(", ");
  return change(
    { id: "program", title: `The project names ${names}`, action: write(wanted) },
    {
      done: areWritten(wanted),
      verify: [areWritten(wanted)],
      undo: [
        takeBack(
          { id: "program before", title: "The project names what it named before", action: write(lines) },
          { done: areWritten(lines), verify: [areWritten(lines)] },
        ),
        ...again(renewAll(stack, images, ({ before }) => before)),
      ],
    },
  );
}

/** Containers of stopped services are made anew when those are started; that of Odoo's commands is here. */
function renewAll(stack: Stack, images: readonly PlannedImage[], nameOf: (image: PlannedImage) => string): Sequence {
  const used = (name: string): UsedImage => ({
    name,
    services: images.filter((one) => nameOf(one) === name).map(({ service }) => service),
  });
  return [...new Set(images.map(nameOf))].flatMap((name) => renew(stack, used(name)));
}

/** A variable of the environment, or a file of the commit, may have said otherwise than `.env`. */
function isServed(successor: ImageSuccessor, images: readonly PlannedImage[], services: readonly string[]): Sequence {
  const [first, ...others] = images
    .filter(({ service }) => services.includes(service))
    .map(({ service, id }) => successor.isMadeOf(service, id));
  if (first === undefined) return [];
  const title = `Services are made of the image of Odoo ${successor.series}`;
  return [require({ id: "made", title, probe: first }, { verify: [first, ...others] })];
}
