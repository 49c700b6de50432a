import type { ComposeProject } from "../../config/schema.ts";
import { defineFinding } from "../../errors/finding.ts";
import { OutputUnreadable } from "../../host/errors.ts";
import { quote } from "../../runbook/shell.ts";
import { composeWordsOf } from "../../stack/runtime/compose-program.ts";
import {
  type ContainerState,
  type ProjectState,
  parseState,
  readState,
  type ServiceState,
} from "../../stack/runtime/compose-state.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Answer, Check, Judgement } from "./check.ts";

/** Whether what runs is what the compose file says: the next `up` of anybody makes anew what is not, and stops it meanwhile. */

const threshold = 0;

const asDefined = defineFinding("IPAI-CMP-001", {
  title: "Containers are as their compose file says",
  asks: "whether the project's containers are what its compose file would make now, where the stack is a compose project",
  warns: "one differs, is missing, or belongs to no service of the file",
  first:
    "Decide which is right, file or container; the finding has the `docker compose up` that makes them as the file says, and stops each meanwhile.",
});

export function containers(stack: Stack, project: ComposeProject): Check {
  return {
    ...asDefined,
    unit: "differing",
    actions: [readState(stack.host, project)],
    judge: ([answer]) => judge(project, answer),
  };
}

/** Whatever kept it from being asked, or its answer from being read, says nothing about the containers. */
function judge(project: ComposeProject, answer: Answer | undefined): Judgement {
  const unknown = (hint: string) => ({ status: "unknown", value: null, threshold, hint }) as const;
  if (answer === undefined) return unknown("The check was not asked.");
  if (answer.error !== undefined) return unknown(`${answer.error.message} ${answer.error.hint}`);
  try {
    return judgeState(project, parseState(answer.result.stdout), answer.result.stderr);
  } catch (thrown) {
    const { message, hint } = OutputUnreadable({
      from: "stdout",
      wanted: "what Compose prints",
      output: String(thrown),
    });
    return unknown(`${message} ${hint}`);
  }
}

function judgeState(project: ComposeProject, state: ProjectState, said: string): Judgement {
  const definitionOf = ({ service }: ContainerState) => state.services.find(({ name }) => name === service);
  const strays = state.containers.filter((container) => definitionOf(container) === undefined);
  const faults = [
    ...state.containers.flatMap((container) => faultsOf(state, container, definitionOf(container))),
    ...state.services
      .filter((service) => isMissing(state, service))
      .map(({ name }) => ({ name, fault: "no container." })),
  ];
  const differing = [...new Set(faults.map(({ name }) => name))].sort();
  const value = differing.length + strays.length;
  if (value === 0) return { status: "ok", value, threshold };
  const hints = [
    ...describe(faults),
    ...(differing.length === 0 ? [] : [remakeHint(project, differing, said)]),
    ...(strays.length === 0 ? [] : [strayHint(strays)]),
  ];
  return { status: "warn", value, threshold, hint: hints.join(" ") };
}

function isMissing(state: ProjectState, { name, isActive, isIdle }: ServiceState): boolean {
  return isActive && !isIdle && state.containers.every(({ service }) => service !== name);
}

interface Fault {
  /** The service. */
  readonly name: string;
  /** The end of a sentence that begins with its name. */
  readonly fault: string;
}

function faultsOf(state: ProjectState, container: ContainerState, service: ServiceState | undefined): readonly Fault[] {
  if (service === undefined) return [];
  const { name } = service;
  const id = state.images.get(container.image);
  const isOtherImage = id !== container.imageId;
  const isLike = container.hash !== undefined && service.hashes.includes(container.hash);
  // Version 1 counts the image as a part of the definition: then nothing is known of the rest.
  const isOtherDefinition = !isLike && !(isOtherImage && isFirst(container.version ?? ""));
  const image =
    id === undefined ? `the image ${container.image} is gone.` : `the image ${container.image} is another one by now.`;
  return [
    ...(isOtherDefinition ? [{ name, fault: definitionFault(state.version, container) }] : []),
    ...(isOtherImage ? [{ name, fault: image }] : []),
  ];
}

/** Versions 1 and 2 note definitions in different ways, and each makes anew what the other has made. */
function definitionFault(asked: string | undefined, { version: made }: ContainerState): string {
  const isComparable = made === undefined || asked === undefined || isFirst(made) === isFirst(asked);
  return isComparable
    ? "made from another definition than the file has now."
    : `made by Compose ${made}, which notes definitions in another way than ${asked}.`;
}

/** There never was a 3 or 4, and 5 goes on where 2 ended. */
function isFirst(version: string): boolean {
  return version.startsWith("1.");
}

/** Services with the same fault are told together. */
function describe(faults: readonly Fault[]): readonly string[] {
  const kinds = [...new Set(faults.map(({ fault }) => fault))];
  return kinds.map((kind) => {
    const names = faults.filter(({ fault }) => fault === kind).map(({ name }) => name);
    return `${[...new Set(names)].sort().join(", ")}: ${kind}`;
  });
}

function remakeHint(project: ComposeProject, services: readonly string[], said: string): string {
  const up = composeWordsOf(project, "up", "--detach", ...services)
    .map(quote)
    .join(" ");
  return `\`${up}\` makes them as the file says, and stops each meanwhile. Or is it the file that is wrong?${unsetHint(said)}`;
}

/** A variable that was set when the containers were made, and is not now, makes another definition too. */
function unsetHint(said: string): string {
  const names = [...said.matchAll(/The \W*(\w+)\W* variable is not set/g)].map(([, name]) => name);
  return names.length === 0 ? "" : ` Compose found no value for ${[...new Set(names)].join(", ")}: does .env lack it?`;
}

function strayHint(strays: readonly ContainerState[]): string {
  const names = strays.map(({ name }) => name).sort();
  return `Of no service of the file: ${names.join(", ")}. \`docker rm --force ${names.join(" ")}\`, if nobody needs it.`;
}
