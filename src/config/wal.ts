import { z } from "zod";
import type { Secret } from "./secret.ts";
import { absolutePath, duration, environmentReference, seconds, text } from "./values.ts";

const s3 = z
  .strictObject({
    accessKey: environmentReference.describe("Who is let in, as ${NAME} from the environment"),
    secretKey: environmentReference.describe("And with which key, as ${NAME} from the environment"),
    region: text.default("us-east-1").describe("Region of the bucket"),
    addressing: z
      .enum(["path", "host"])
      .default("path")
      .describe("path: the bucket follows the server's name, as most servers take it; host: it is a part of that name"),
    authority: absolutePath
      .optional()
      .describe("File with the certificate of whoever vouches for the server's, if the system does not know it"),
  })
  .optional()
  .describe(
    "How the bucket is opened, when the repository is one. The server keeps the keys where only its user reads them",
  );

/** Continuous archiving: every change of the database server goes to a repository of pgBackRest, within seconds of being made. */
export const wal = z
  .strictObject({
    repository: z
      .string()
      .regex(
        /^(\/|s3:https:\/\/[\w.-]+(:\d+)?\/[\w.-]+(\/[\w./-]*)?$)/,
        "must be an absolute path, or a bucket such as s3:https://s3.example.com/BUCKET/FOLDER",
      )
      .describe(
        "Folder of the pgBackRest repository, not on the disk of the database; or a bucket that is there, as s3:https://HOST/BUCKET/FOLDER",
      ),
    s3,
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
  .refine((given) => given.repository.startsWith("s3:") === (given.s3 !== undefined), {
    message: "needs s3 when the repository is a bucket, and only then",
  })
  .optional()
  .describe(
    "Continuous archiving with pgBackRest, for `ipai restore --at`; without it the past is only reached backup by backup",
  );

export type ParsedWal = NonNullable<z.output<typeof wal>>;

/** The same with its secrets read from the environment. */
export type WalConfig = Omit<ParsedWal, "password" | "s3"> & {
  readonly password: Secret | undefined;
  readonly s3:
    | (Omit<NonNullable<ParsedWal["s3"]>, "accessKey" | "secretKey"> & {
        readonly accessKey: Secret;
        readonly secretKey: Secret;
      })
    | undefined;
};
