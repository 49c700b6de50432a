import { z } from "zod";
import { absolutePath, duration, environmentReference, rate } from "./values.ts";

/** The part of `ipai.yaml` that is about backups: where they go, what belongs to them, for how long they are kept. */

const keep = z
  .strictObject({
    daily: z.int().min(0).default(30).describe("Days of which one set each is kept"),
    weekly: z.int().min(0).default(8).describe("Weeks, from Monday, of which one set each is kept"),
    monthly: z.int().min(0).default(12).describe("Months of which one set each is kept"),
    byHand: duration.prefault("7d").describe("How long a set that was made by hand is kept at least, with unit"),
    beforeChange: duration
      .prefault("30d")
      .describe("How long a set that was made before an upgrade or a restore is kept, with unit"),
  })
  .prefault({})
  .transform(({ byHand, beforeChange, ...counts }) => ({
    ...counts,
    byHandSeconds: byHand,
    beforeChangeSeconds: beforeChange,
  }))
  .describe(
    "Which sets `ipai backup prune` keeps, besides the newest, the last proven and those that are pinned. Days are those of the stack's " +
      "zone, and ages are counted up to the newest set",
  );

export const backup = z
  .strictObject({
    repository: absolutePath.describe("Folder of the restic repository"),
    passwordFile: absolutePath.optional().describe("File with the repository's password; either this or password"),
    password: environmentReference
      .optional()
      .describe("The repository's password as ${NAME}, from the environment; either this or passwordFile"),
    timeoutHours: z
      .number()
      .positive()
      .default(6)
      .describe("Hours that a backup may take; so long Odoo's file clean-up is held off at most"),
    jobs: z
      .int()
      .min(1)
      .optional()
      .describe("Workers of dump and restore at the same time; when absent half of the machine's cores, from 2 to 8"),
    limit: z
      .strictObject({
        upload: rate
          .optional()
          .describe("How fast a set is written to a repository at most; without a limit when absent"),
        download: rate.optional().describe("How fast one is read at most; without a limit when absent"),
      })
      .prefault({})
      .transform(({ upload, download }) => ({ uploadBytes: upload, downloadBytes: download }))
      .describe("What backups leave of the line to others, with unit"),
    files: z
      .array(absolutePath)
      .default([])
      .describe(
        "Further files and folders of the stack's machine that belong to a set: certificates, units, what a compose project builds from",
      ),
    keep,
  })
  .refine(
    (given) => (given.password === undefined) !== (given.passwordFile === undefined),
    "needs either passwordFile or password",
  )
  .optional()
  .describe("Where backups go; without it there are none");
