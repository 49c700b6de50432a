import type { Act, Sequence } from "../../runbook/plan.ts";
import {
  discardContainer,
  hasNoOtherContainer,
  type Images,
  type SourceImage,
  type UsedImage,
} from "../../stack/images.ts";
import { projectOf } from "../../stack/runtime/compose.ts";
import type { Stack } from "../../stack/stack.ts";
import { change, require, startService, stopService, takeBack } from "../steps.ts";
import { short } from "./code.ts";
import { isForCommands } from "./inputs.ts";

/** Images that a release changes: built before anything is stopped, so that one that cannot be built costs nothing. */

interface Move {
  readonly from: string;
  readonly to: string;
  readonly images: readonly SourceImage[];
}

/** Built, and asked for what modules need. `needs`: what to run in it, if anything. */
export function buildImages(
  stack: Stack,
  { to, images }: Omit<Move, "from">,
  needs: readonly string[] | undefined,
): readonly Act[] {
  return images.flatMap((image) => {
    const all = imagesOf(stack);
    const there = all.isThere(image, to);
    return [
      change(
        { id: `build ${nameIn(image)}`, title: `Build ${image.name} at ${short(to)}`, action: all.build(image, to) },
        { done: there, verify: [there], timeoutSeconds: 3600, forecastSeconds: 60 },
      ),
      ...(needs === undefined || !isForCommands(stack, [image]) ? [] : [hasPrograms(all, image, to, needs)]),
    ];
  });
}

/** What runs now is kept under its own commit, for the way back. */
export function keepImages(stack: Stack, { from, images }: Omit<Move, "to">): readonly Act[] {
  return images.map((image) => {
    const all = imagesOf(stack);
    return change(
      {
        id: `keep ${nameIn(image)}`,
        title: `Keep the ${image.name} that runs as that of ${short(from)}`,
        action: all.keep(image, from),
      },
      { verify: [all.isThere(image, from)], timeoutSeconds: 60 },
    );
  });
}

function hasPrograms(all: Images, image: SourceImage, to: string, argv: readonly string[]): Act {
  return require({
    id: `needs ${nameIn(image)}`,
    title: `${image.name} has what the modules need`,
    probe: {
      title: "nothing that they need is missing",
      action: all.ask(image, to, argv),
      output: { from: "stdout" },
      compare: "eq",
      with: "[]",
      code: "deploy.image_lacks",
    },
  });
}

/**
 * From here on containers are made of them. On the way back the old ones have their names again; `whileStopped`: and what was made of
 * the new ones is removed, which nobody else does then.
 */
export function useImages(stack: Stack, { from, to, images }: Move, whileStopped: boolean): Sequence {
  const all = images.length === 0 ? undefined : imagesOf(stack);
  if (all === undefined) return [];
  return images.flatMap((image) => [
    change(
      {
        id: `use ${nameIn(image)}`,
        title: `Containers are made of ${image.name} at ${short(to)}`,
        action: all.use(image, to),
      },
      {
        done: all.isUsed(image, to),
        verify: [all.isUsed(image, to)],
        timeoutSeconds: 60,
        undo: [
          takeBack(
            {
              id: `use ${nameIn(image)} before`,
              title: `Containers are made of ${image.name} at ${short(from)} again`,
              action: all.use(image, from),
            },
            { verify: [all.isUsed(image, from)], timeoutSeconds: 60 },
          ),
          ...(whileStopped ? again(renew(stack, image)) : []),
        ],
      },
    ),
    ...(whileStopped ? renew(stack, image) : []),
  ]);
}

/** Containers of stopped services are removed, and made anew when those are started; that of Odoo's commands is started here. */
export function renew(stack: Stack, image: UsedImage): Sequence {
  const { odooTools } = projectOf(stack.config);
  return image.services.flatMap((service) =>
    service === odooTools ? renewTools(stack, [image]) : discard(stack, service, [image]),
  );
}

/** The container in which Odoo's own commands run. */
export function renewTools(stack: Stack, images: readonly UsedImage[]): Sequence {
  if (!isForCommands(stack, images)) return [];
  const { odooTools } = projectOf(stack.config);
  const service = stack.runtime.service(odooTools);
  return [
    stopService(`stop ${odooTools}`, `Stop ${odooTools}`, service),
    ...discard(stack, odooTools, images),
    startService(`start ${odooTools}`, `Start ${odooTools}`, service),
  ];
}

/** Nothing, for a service that none of the images is for. */
export function discard(stack: Stack, service: string, images: readonly UsedImage[]): Sequence {
  const image = images.find(({ services }) => services.includes(service));
  if (image === undefined) return [];
  const project = projectOf(stack.config);
  const fit = hasNoOtherContainer(stack.host, project, service, image.name);
  return [
    change(
      {
        id: `remove ${service}`,
        title: `Remove the container of ${service} that is made of another image`,
        action: discardContainer(stack.host, project, service, image.name),
      },
      { done: fit, verify: [fit], timeoutSeconds: 60 },
    ),
  ];
}

/** The same steps on the way back. */
export function again(steps: Sequence): Sequence {
  return steps.map((step) => ({
    ...step,
    id: `${step.id} again`,
    ...(step.kind === "act" ? { attempts: 3 } : {}),
  }));
}

function imagesOf({ images, name }: Stack): Images {
  if (images === undefined) throw new TypeError(`${name} builds no images`);
  return images;
}

/** A step's id has no slash; a service is made of one image only. */
function nameIn({ services: [first = ""] }: SourceImage): string {
  return first;
}
