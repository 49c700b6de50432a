import { z } from "zod";
import type { CommandAction } from "../../runbook/action.ts";
import type { Text } from "../../runbook/value.ts";
import type { Git } from "../git.ts";
import { contentHashScript } from "./content-hash.ts";
import { accessScript } from "./release/access.ts";
import { addonsScript } from "./release/addons.ts";
import { answerScript } from "./release/answer.ts";
import { signatureScript } from "./release/signature.ts";
import { treesScript } from "./release/trees.ts";

/**
 * What would change if the work tree went from one commit to another. Read from git's objects alone: nothing is checked out, no code of
 * the release is run. A deployment is chosen by the answer, and "code only" is the one that must never be wrong: what cannot be
 * judged counts as what would need most.
 */

/** What Odoo must do: nothing; be restarted; update the module; update it in a window, with tables or the registry changed. In this order. */
export const releaseKinds = ["none", "code", "data", "schema"] as const;
export type ReleaseKind = (typeof releaseKinds)[number];

export interface ScanInput {
  /** Full hashes. */
  readonly from: Text;
  readonly to: Text;
  /** Folders with modules, relative to the repository; "." is the repository itself. Of two modules with one name the first counts. */
  readonly addons: readonly string[];
  /**
   * Patterns of paths: without a slash a name in any folder, with one a path from the top; `*` stays in a folder, `**` does not, and a
   * slash at the end means all that is below.
   */
  readonly image: readonly string[];
  readonly configuration: readonly string[];
}

/** Files that images are usually built from, and that services are usually configured by. */
export const usualImageFiles = [
  "Dockerfile*",
  "*.Dockerfile",
  "Containerfile*",
  ".dockerignore",
  "requirements*.txt",
  "constraints*.txt",
] as const;
export const usualConfigurationFiles = [
  "docker-compose*.yml",
  "docker-compose*.yaml",
  "compose*.yml",
  "compose*.yaml",
  "*.conf",
  ".env*",
] as const;

/** JSON lines for `parseReleaseScan`. */
export function scanRelease(git: Git, { from, to, addons, image, configuration }: ScanInput): CommandAction {
  const given = { addons, image, configuration };
  return git.as(["/usr/bin/python3", "-", from, to, JSON.stringify(given)], { stdin: script });
}

const script = `import ast, csv, hashlib, io, json, os, posixpath, re, subprocess, sys
import xml.etree.ElementTree as ElementTree
${contentHashScript}${treesScript}${signatureScript}${accessScript}${addonsScript}${answerScript}`;

const reason = z.object({ file: z.string(), kind: z.enum(releaseKinds), why: z.string() });
const programs = z.object({ python: z.array(z.string()), bin: z.array(z.string()) });
const addon = z.object({
  name: z.string(),
  path: z.string(),
  /** `new` and `removed` are of kind schema: whether that matters depends on what is installed. */
  change: z.enum(["same", "changed", "new", "removed"]),
  version: z.string(),
  versionNow: z.string().nullable(),
  depends: z.array(z.string()),
  external: programs,
  isInstallable: z.boolean(),
  /** As the inventory of a host answers; null when it is gone, or when some of its content is not in the repository. */
  hash: z.string().nullable(),
  hashNow: z.string().nullable(),
  /** Of a removed one the new one with mostly the same files, and the other way round. */
  renamed: z.string().nullable(),
  /** Where it is now, when it moved to another of the folders. */
  pathNow: z.string().nullable(),
  kind: z.enum(releaseKinds),
  reasons: z.array(reason),
});
const file = z.object({ file: z.string(), why: z.string() });
const access = z.object({
  addon: z.string(),
  file: z.string(),
  id: z.string(),
  model: z.string(),
  /** Empty: everybody. */
  group: z.string(),
  gains: z.array(z.string()),
  loses: z.array(z.string()),
});
const guard = z.object({
  addon: z.string(),
  file: z.string(),
  id: z.string(),
  model: z.string(),
  change: z.enum(["added", "removed", "changed"]),
});
const broken = z.object({
  addon: z.string(),
  file: z.string(),
  line: z.number().nullable(),
  message: z.string(),
});
const submodule = z.object({ path: z.string(), from: z.string().nullable(), to: z.string().nullable() });
const changelogLine = z.object({ file: z.string(), line: z.string(), isBreaking: z.boolean() });
const breaking = z.object({ commit: z.string(), subject: z.string() });
const release = z.object({ from: z.string(), to: z.string(), python: z.string(), isShallow: z.boolean() });

/** A line has one of them. */
const line = z
  .strictObject({
    release,
    addon,
    missing: z.string(),
    broken,
    access,
    guard,
    image: file,
    configuration: file,
    doubt: file,
    submodule,
    converted: z.string(),
    changelog: changelogLine,
    breaking,
    other: z.string(),
  })
  .partial();
type Line = z.infer<typeof line>;

export type ScannedAddon = z.infer<typeof addon>;
export type ScanReason = z.infer<typeof reason>;
export type ChangedRight = z.infer<typeof access>;
export type ChangedGuard = z.infer<typeof guard>;
export type BrokenFile = z.infer<typeof broken>;

export interface ReleaseScan {
  readonly from: string;
  readonly to: string;
  /** The version of Python that judged. Odoo's own may be newer and read what this one calls broken. */
  readonly python: string;
  /** The repository has only the newest commits: which are missing between two cannot be told. */
  readonly isShallow: boolean;
  /** Every addon of both commits, those that are the same too. */
  readonly addons: readonly ScannedAddon[];
  /** Folders of addons that the target has not. */
  readonly missingFolders: readonly string[];
  /** Files of the target that Odoo could not load. */
  readonly broken: readonly BrokenFile[];
  readonly rights: readonly ChangedRight[];
  /** Groups, record rules and rights in XML. */
  readonly guards: readonly ChangedGuard[];
  readonly image: readonly z.infer<typeof file>[];
  readonly configuration: readonly z.infer<typeof file>[];
  /** What could not be judged, outside of any addon; counts as schema. */
  readonly doubts: readonly z.infer<typeof file>[];
  /** Repositories in the repository that change. Their content is not looked into, and a checkout does not bring it. */
  readonly submodules: readonly z.infer<typeof submodule>[];
  /** Something has git write other content than it keeps: hashes are then only known after the checkout. */
  readonly converted: string | undefined;
  readonly changelog: readonly z.infer<typeof changelogLine>[];
  /** Commits that say of themselves that they break something. */
  readonly breaking: readonly z.infer<typeof breaking>[];
  /** Changed files that are none of these. */
  readonly others: readonly string[];
}

export function parseReleaseScan(printed: unknown): ReleaseScan {
  const lines = z.array(line).parse(printed);
  const [about] = of(lines, "release");
  if (about === undefined) throw new TypeError("the scan of a release says nothing of it");
  return {
    ...about,
    addons: of(lines, "addon"),
    missingFolders: of(lines, "missing"),
    broken: of(lines, "broken"),
    rights: of(lines, "access"),
    guards: of(lines, "guard"),
    image: of(lines, "image"),
    configuration: of(lines, "configuration"),
    doubts: of(lines, "doubt"),
    submodules: of(lines, "submodule"),
    converted: of(lines, "converted")[0],
    changelog: of(lines, "changelog"),
    breaking: of(lines, "breaking"),
    others: of(lines, "other"),
  };
}

function of<Key extends keyof Line>(lines: readonly Line[], key: Key): readonly NonNullable<Line[Key]>[] {
  return lines.flatMap((one) => one[key] ?? []);
}
