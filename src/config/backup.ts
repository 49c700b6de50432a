import { z } from "zod";
import { absolutePath, duration, environmentReference, percent, rate } from "./values.ts";
import { wal } from "./wal.ts";

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

/** Addresses show in commands and in plans. */
const location = z
  .string()
  .regex(
    /^(\/|(sftp|rest|s3|b2|azure|gs|swift|rclone):.)/,
    "must be an absolute path, or an address of restic such as sftp:USER@HOST:/PATH, rest:https://HOST/ or s3:https://HOST/BUCKET",
  )
  .refine((given) => !/:\/\/[^/@]*:[^/@]*@/.test(given), "must not hold a password: give it under environment");

/** How a repository is opened, the first one and its copies alike. */
const access = {
  passwordFile: absolutePath.optional().describe("File with the repository's password; either this or password"),
  password: environmentReference
    .optional()
    .describe("The repository's password as ${NAME}, from the environment; either this or passwordFile"),
  environment: z
    .record(z.string().regex(/^[A-Z_][A-Z0-9_]*$/, "must be a name for an environment variable"), environmentReference)
    .default({})
    .describe("What restic needs to get in there, such as AWS_ACCESS_KEY_ID, each as ${NAME} from the environment"),
  options: z
    .array(z.string().regex(/^[a-z0-9]+\.[a-z0-9-]+=/, "must be KEY=VALUE, as restic's -o takes it"))
    .default([])
    .describe('Options of restic\'s -o, such as sftp.command="ssh -F FILE HOST -s sftp"'),
};

const offsite = z
  .boolean()
  .optional()
  .describe(
    "Whether it would be left if the whole machine were lost; when absent told by where it is: an address of another machine, or a folder on a " +
      "network file system",
  );

const copy = z
  .strictObject({
    repository: location.describe(
      "Where the copy is: a folder, or an address of restic's: sftp:USER@HOST:/PATH, rest:https://HOST/, s3:https://HOST/BUCKET",
    ),
    ...access,
    appendOnly: z
      .boolean()
      .default(false)
      .describe("It can only be added to: nothing is removed from it from here, so nobody who gets in here can"),
    offsite,
  })
  .refine(
    (given) => (given.password === undefined) !== (given.passwordFile === undefined),
    "needs either passwordFile or password",
  )
  .describe("A second repository");

export const backup = z
  .strictObject({
    repository: location.describe(
      "Where every backup is written first: the folder of a restic repository, or an address of restic's as a copy may have it",
    ),
    offsite,
    ...access,
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
    filesEvery: duration
      .refine(
        (given) => given >= 60 && 3600 % given === 0 && given % 60 === 0,
        'must be whole minutes that divide an hour, such as "1m", "5m" or "30m"',
      )
      .optional()
      .describe(
        "How often new files of the filestore are stored (`ipai backup files`), with unit; when absent about as often as the archive takes changes " +
          "(wal.archiveTimeout), and every 5 minutes with second repositories alone",
      ),
    keep,
    copies: z
      .record(z.string().regex(/^[a-z][a-z0-9-]*$/, "must begin with a letter and have only a-z, 0-9 and -"), copy)
      .default({})
      .describe("Repositories that get every set from the first one, by name; encrypted with a password of their own"),
    restoreInto: z
      .array(z.string())
      .default([])
      .describe(
        "Other stacks of this file into which this one's sets may be restored; whoever operates those gets this one's data",
      ),
    verify: z
      .enum(["weekly", "every"])
      .default("weekly")
      .describe(
        "When `ipai worker` proves a backup by restoring it: the latest once a week, by the schedule proof, or every one as soon as it is made",
      ),
    check: z
      .strictObject({
        sample: percent
          .default(5)
          .describe("Percent of the data that `ipai backup check` reads back, chosen anew each time"),
      })
      .prefault({})
      .describe("How the integrity of the repositories is checked"),
    wal,
  })
  .refine(
    (given) => (given.password === undefined) !== (given.passwordFile === undefined),
    "needs either passwordFile or password",
  )
  .optional()
  .describe("Where backups go; without it there are none");
