import { z } from "zod";
import { command } from "../../runbook/action.ts";
import type { Act, Plan, Step } from "../../runbook/plan.ts";
import { concat, join, runId, suffixed, type Text } from "../../runbook/value.ts";
import { createBeside } from "../../stack/beside.ts";
import { pathExists } from "../../stack/files.ts";
import { type SourceImage, tagOf } from "../../stack/images.ts";
import type { Odoo } from "../../stack/odoo/odoo.ts";
import { createScratchCluster } from "../../stack/scratch.ts";
import type { Stack } from "../../stack/stack.ts";
import { unpackIn } from "../../stack/transfer.ts";
import { copyName } from "../backup/copy.ts";
import { type ProofFacts, readProofFacts } from "../backup/facts.ts";
import { onCopy } from "../backup/on-copy.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { change, whileBeside } from "../steps.ts";
import { successCriteria } from "../upgrade/criteria.ts";
import { workDirectory } from "../upgrade/upgrade.ts";
import { short } from "./code.ts";
import { boundTo, notesOf, wordsOf } from "./deploy.ts";
import { compareStates, copyIn, found, noteActiveCrons, noteState, type Rehearsed } from "./effects.ts";
import { NothingToRehearse, RehearsalWithoutBackup } from "./errors.ts";
import { type DeployFacts, inSource, readDeployFacts, requireGit } from "./facts.ts";
import { buildImages } from "./image.ts";
import { isForCommands } from "./inputs.ts";
import { noteSize, size } from "./release.ts";

const input = z.object({
  to: z.string().nullable().default(null).describe("Branch, tag or commit; the source's branch when absent"),
  install: z.array(z.string()).default([]).describe("New modules of the release to install"),
  backup: z.string().default("latest").describe("Id of the backup to rehearse on, or latest"),
});
type RehearseInput = z.infer<typeof input>;

export interface RehearseFacts {
  readonly release: DeployFacts;
  readonly set: ProofFacts;
  /** Odoo's folders of modules, as its configuration names them. */
  readonly addonsPath: readonly string[];
}

export const rehearse: Procedure<RehearseInput, RehearseFacts> = {
  name: "rehearse",
  chapter: "deployment",
  version: 1,
  risk: "change",
  title: "Rehearsal",
  summary:
    "Does the update of a release on a copy: the latest backup on a throw-away PostgreSQL, silenced, with the release's code in a folder of " +
    "its own. Says how long it takes, what it changes in the structure and in the number of rows, and what Odoo says on the way. The stack " +
    "keeps serving and is not touched.",
  done: { title: "Rehearsed", line: "What it found: ipai rehearsals" },
  input,
  facts: readRehearseFacts,
  plan: planRehearsal,
};

async function readRehearseFacts(reader: FactReader, { to, install, backup }: RehearseInput): Promise<RehearseFacts> {
  const { stack } = reader;
  const release = await readDeployFacts(reader, { to, install });
  if (release.updates.length + release.installs.length === 0) throw NothingToRehearse({ commit: short(release.to) });
  const set = await readProofFacts(reader, backup);
  const { odoo } = stack.config;
  const conf = await reader.text(command(stack.odoo.place, ["cat", "--", odoo.config]));
  return { release, set, addonsPath: addonsPathOf(conf) };
}

/** A value may go on in the next lines, which then begin with a space. */
export function addonsPathOf(conf: string): readonly string[] {
  const found = /^addons_path\s*=\s*(.*(?:\n[ \t]+.*)*)/m.exec(conf)?.[1] ?? "";
  return found
    .split(/[,\n]/)
    .map((path) => path.trim())
    .filter((path) => path !== "");
}

function planRehearsal(stack: Stack, given: RehearseInput, facts: RehearseFacts): Plan {
  const { release, set } = facts;
  return {
    procedure: rehearse.name,
    version: rehearse.version,
    stack: stack.name,
    title: `Rehearse ${short(release.to)}`,
    input: { ...given, to: release.to },
    facts: { release: boundTo(release), backup: set.backup },
    lease: "shared",
    notes: [
      ...notesOf(stack, { backup: false }, release).filter((line) => !/^(Users are|Built anew)/.test(line)),
      ...noteImages(stack, release),
      `It is done on backup ${set.backup}, on a PostgreSQL of its own; the stack keeps serving and is not touched.`,
    ],
    steps: rehearsal(stack, facts),
  };
}

function rehearsal(stack: Stack, facts: RehearseFacts): readonly Step[] {
  const { release, set } = facts;
  const { restic } = stack;
  if (restic === undefined) throw RehearsalWithoutBackup({ stack: stack.name });
  const folder = join(`${stack.config.workDirectory}/rehearsal/`, runId);
  const cluster = createScratchCluster(stack.config, stack.runtime, folder);
  const { odoo, build, beside } = releasedOdoo(stack, release);
  const on: Rehearsed = { stack, odoo: stack.odoo, cluster, folder };
  const released: Rehearsed = { ...on, odoo };
  const modules = release.updates.map(({ name }) => name);
  const own = cluster.odooOptions;
  const options = [...own, addonsOption(stack, folder, facts.addonsPath)];
  const copy = { repository: restic, set, cluster, folder, what: "rehearsal" };
  return [
    workDirectory(stack),
    noteSize(stack),
    onCopy(stack, copy, {
      first: [...build, takeCode(stack, folder, release.to)],
      // Silencing switches them off.
      restored: [noteActiveCrons(on)],
      silenced: [
        ...noteState(on, { when: "before", modules, options: own }),
        ...beside([update(released, facts, options), ...noteState(released, { when: "after", modules, options })]),
      ],
      last: [compareStates(on)],
    }),
    noteRehearsal(stack, facts),
  ];
}

/** The Odoo that the release will have. */
interface ReleasedOdoo {
  readonly odoo: Odoo;
  readonly build: readonly Step[];
  beside(body: readonly Step[]): readonly Step[];
}

/** Where the release builds the image of Odoo's commands otherwise, it is built as for the deployment, which finds it then. */
function releasedOdoo(stack: Stack, { to, images, needs }: DeployFacts): ReleasedOdoo {
  const image = imageOfCommands(stack, images);
  if (image === undefined) return { odoo: stack.odoo, build: [], beside: (body) => body };
  const beside = createBeside(stack.config, "rehearsal", { image: tagOf(image, to) });
  return {
    odoo: beside.odoo,
    build: buildImages(stack, { to, images: [image] }, wordsOf({ needs })),
    beside: (body) => [whileBeside(beside, `of ${image.name} at ${short(to)}`, body)],
  };
}

function imageOfCommands(stack: Stack, images: readonly SourceImage[]): SourceImage | undefined {
  return images.find((image) => isForCommands(stack, [image]));
}

function noteImages(stack: Stack, { images }: DeployFacts): readonly string[] {
  const image = imageOfCommands(stack, images);
  return images.map((one) =>
    one === image
      ? `${one.name} is built as for the deployment, which finds it then; the update is done in a container of it.`
      : `${one.name} is not built: Odoo's commands run in another image.`,
  );
}

export function takeCode(stack: Stack, folder: Text, commit: string): Act {
  const git = requireGit(stack);
  const code = suffixed(folder, "/code");
  const archive = git.as(["git", "archive", "--format=tar", commit]);
  return change(
    {
      id: "code",
      title: "Put the release's code in a folder of its own",
      action: unpackIn(stack.config, archive, code),
    },
    { verify: [pathExists(stack.tools, code, "the code is there")], timeoutSeconds: 600 },
  );
}

/** As the update of a deployment, with the same judgement; only what it is done on is another. */
function update(
  { stack, odoo, cluster, folder }: Rehearsed,
  { release }: RehearseFacts,
  options: readonly Text[],
): Act {
  const { updates, installs } = release;
  const log = join(`${stack.config.workDirectory}/runs/`, runId, "/update.log");
  const names = (of: DeployFacts["updates"]) => of.map(({ name }) => name);
  const action = odoo.bring({ update: names(updates), install: names(installs) }, log, copyIn(folder, options));
  const verify = successCriteria(stack, { changes: updates, installs }, (text, values) =>
    cluster.query(copyName, text, values),
  );
  return change(
    { id: "update", title: "Update the copy", action },
    {
      verify,
      onInterrupt: "undo",
      timeoutSeconds: 4 * 3600,
      forecastSeconds: 5 + 2 * (updates.length + installs.length),
    },
  );
}

/** Odoo's own folders as they are, or where `elsewhere` says that they lie; those of the source from the release's code. */
export function addonsOption(
  stack: Stack,
  folder: Text,
  addonsPath: readonly string[],
  elsewhere = (path: string) => path,
): Text {
  const inRelease = inSource(stack);
  const paths = addonsPath.map((path): Text => {
    const below = inRelease(path);
    return below === undefined ? elsewhere(path) : suffixed(folder, below === "." ? "/code" : `/code/${below}`);
  });
  return paths.reduce<Text>((all, path, index) => concat(all, index === 0 ? "" : ",", path), "--addons-path=");
}

function noteRehearsal(stack: Stack, { release, set }: RehearseFacts): Act {
  const modules = Object.fromEntries([...release.updates, ...release.installs].map(({ name, to }) => [name, to]));
  const input = {
    stack: stack.name,
    from: release.from,
    commit: release.to,
    backup: set.backup,
    modules,
    databaseBytes: size,
    found,
  };
  return change(
    {
      id: "note",
      title: "Note what the rehearsal found",
      action: { kind: "call", name: "deployment.record_rehearsal", version: 1, input },
    },
    { timeoutSeconds: 60, attempts: 3 },
  );
}
