import { z } from "zod";
import { absolutePath, duration, environmentReference, seconds } from "./values.ts";

/** Continuous archiving: every change of the database server goes to a repository of pgBackRest, within seconds of being made. */
export const wal = z
  .strictObject({
    repository: absolutePath.describe("Folder of the pgBackRest repository; not on the disk of the database"),
    stanza: z
      .string()
      .regex(/^[A-Za-z0-9][\w-]*$/, "must begin with a letter or digit and have only letters, digits, _ and -")
      .default("odoo")
      .describe(
        "Name of the server in the repository; several servers may share one repository under names of their own",
      ),
    passwordFile: absolutePath
      .optional()
      .describe("File with the password that the repository is encrypted with; either this or password"),
    password: environmentReference
      .optional()
      .describe("The same as ${NAME}, from the environment; either this or passwordFile"),
    keep: z
      .int()
      .min(1)
      .default(4)
      .describe("Full backups that are kept, each with all that is needed to reach any instant since it was made"),
    archiveTimeout: duration
      .prefault("1m")
      .refine((given) => given >= 1 && given <= 86_400, "must be between 1s and 1d")
      .describe("How long a change may wait before it is archived, with unit"),
    patience: seconds
      .default(60)
      .describe("Seconds that an archived segment is waited for before its absence is an error"),
  })
  .refine(
    (given) => (given.password === undefined) !== (given.passwordFile === undefined),
    "needs either passwordFile or password",
  )
  .optional()
  .describe(
    "Continuous archiving with pgBackRest, for `ipai restore --at`; without it the past is only reached backup by backup",
  );
