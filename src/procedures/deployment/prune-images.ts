import { z } from "zod";
import type { Act, Plan } from "../../runbook/plan.ts";
import {
  type CommitImage,
  commitOf,
  isRemoved,
  listCommitImages,
  parseCommitImages,
  removeCommitImage,
} from "../../stack/commit-images.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { listResources, type Resource } from "../resources.ts";
import { change } from "../steps.ts";
import { keptHours } from "./deploy.ts";
import { NoImages } from "./errors.ts";
import { requireGit } from "./facts.ts";
import { listRehearsals, type Rehearsal } from "./rehearsal.ts";
import { listReleases, type Release } from "./release.ts";

const input = z.object({});
type PruneInput = z.infer<typeof input>;

/** Undefined: Compose cannot say what the project builds, as its version 1 cannot. */
export interface ImageFacts {
  readonly images: readonly Judged[] | undefined;
}

/** Why it is needed; nothing where nobody does. */
export interface Judged {
  readonly tag: string;
  readonly grounds: readonly string[];
}

export const pruneImages: Procedure<PruneInput, ImageFacts> = {
  name: "images prune",
  chapter: "deployment",
  version: 1,
  risk: "destroy",
  title: "Retention of images",
  summary:
    "Removes the images that releases of a project were built into and that none needs any more. What a container is made of stays, and so does what a " +
    "rollback would go to while the database of then is kept. The plan names every image, and why it is kept.",
  input,
  facts: readImageFacts,
  plan: planPrune,
};

async function readImageFacts(reader: FactReader): Promise<ImageFacts> {
  const { stack, records } = reader;
  const { images } = stack;
  if (images === undefined) throw NoImages({ stack: stack.name });
  const project = await reader.maybe(reader.json(images.project));
  if (project === undefined) return { images: undefined };
  const built = images.parse(project);
  if (built.length === 0) return { images: [] };
  const there = parseCommitImages(await reader.text(listCommitImages(stack.config.host, built)));
  const known = {
    present: await reader.text(requireGit(stack).head()),
    releases: await listReleases(records, stack.name),
    rehearsals: await listRehearsals(records, stack.name),
    open: await listResources(records, stack.name),
  };
  return { images: judgeImages(there, known, reader.now()) };
}

export interface Known {
  /** The commit that the source is at. */
  readonly present: string;
  /** Newest first. */
  readonly releases: readonly Pick<Release, "id" | "kind" | "from" | "at" | "undone">[];
  readonly rehearsals: readonly Pick<Rehearsal, "id" | "commit" | "at">[];
  readonly open: readonly Pick<Resource, "id">[];
}

/** Pure. An image that is needed and not there is built anew, so what is in doubt may go; what runs may not. */
export function judgeImages(there: readonly CommitImage[], known: Known, now: Date): readonly Judged[] {
  const needed = [
    { commit: known.present, ground: "the source is at its commit" },
    ...wayBack(known, now),
    ...known.rehearsals
      .filter(({ at }) => isYoung(at, now))
      .map(({ id, commit }) => ({ commit, ground: `the rehearsal ${id} was done in it` })),
  ];
  return there.map((image) => ({
    tag: image.tag,
    grounds: [
      ...image.containers.map((name) => `${name} is made of it`),
      ...needed.filter(({ commit }) => commit.startsWith(commitOf(image))).map(({ ground }) => ground),
    ],
  }));
}

/** What was there before a release is needed for as long as the database of then, and before the last one that stands always. */
function wayBack(
  { releases, open }: Known,
  now: Date,
): readonly { readonly commit: string; readonly ground: string }[] {
  const isTakenBack = (id: string) => releases.some(({ undone }) => undone.includes(id));
  const last = releases.find(({ id, kind }) => kind !== "rollback" && !isTakenBack(id));
  const isKept = ({ id, at }: (typeof releases)[number]) => isYoung(at, now) || open.some((one) => one.id === id);
  return releases
    .filter((release) => release === last || isKept(release))
    .map(({ id, from }) => ({ commit: from, ground: `it ran before the release ${id}` }));
}

function isYoung(at: string, now: Date): boolean {
  return now.getTime() - Date.parse(at) < keptHours * 3_600_000;
}

function planPrune(stack: Stack, _: PruneInput, { images }: ImageFacts): Plan {
  const all = images ?? [];
  const removed = all.filter(({ grounds }) => grounds.length === 0).map(({ tag }) => tag);
  const kept = all.filter(({ grounds }) => grounds.length > 0);
  return {
    procedure: pruneImages.name,
    version: pruneImages.version,
    stack: stack.name,
    title: removed.length > 0 ? `Remove ${count(removed.length)}` : `Remove no image: ${whyNone(images)}`,
    input: {},
    facts: { removed },
    // While a release is brought nobody can say which it needs.
    lease: removed.length === 0 ? "none" : "exclusive",
    notes: removed.length === 0 ? [] : ["Whoever goes to a commit whose image is not there has it built anew."],
    // Containers come and go.
    seen: kept.map(({ tag, grounds }) => `Kept: ${tag}: ${grounds.join(", ")}`),
    steps: removed.map((tag) => remove(stack, tag)),
  };
}

function whyNone(images: ImageFacts["images"]): string {
  if (images === undefined) return "Compose cannot say which the project builds";
  return images.length === 0 ? "there is none of a release" : "every one is needed";
}

function remove({ config: { host } }: Stack, tag: string): Act {
  const gone = isRemoved(host, tag);
  return change(
    // A step's id has no slash.
    { id: `remove ${tag.replaceAll("/", " ")}`, title: `Remove ${tag}`, action: removeCommitImage(host, tag) },
    { effect: "destroy", undo: "irreversible", done: gone, verify: [gone], timeoutSeconds: 600 },
  );
}

function count(images: number): string {
  return images === 1 ? "1 image" : `${images} images`;
}
