import { z } from "zod";
import { absolutePath, argv, text } from "./values.ts";

/** The part of `ipai.yaml` that is about the day on which the machine is gone: what only its owner can do. */

export const recovery = z
  .strictObject({
    provision: argv
      .optional()
      .describe(
        "Your own program that makes a new machine, and its arguments, one item each. `ipai recover server` runs it first, where ipai runs, " +
          "with IPAI_STACK and IPAI_HOST (the stack's host) in its environment; it ends when the machine can be reached",
      ),
    dns: argv
      .optional()
      .describe(
        "Your own program that gives the new machine its name, and its arguments. `ipai recover server` runs it once the stack serves there, " +
          "where ipai runs, with IPAI_STACK, IPAI_HOST and IPAI_URL (the public address) in its environment",
      ),
    nameSeconds: z
      .int()
      .min(1)
      .default(900)
      .describe("Seconds that the public address is waited for, until its name leads to the new machine"),
    repositories: z
      .record(
        z.string(),
        z.strictObject({
          repository: text.optional().describe("Where it is: a folder of the machine, or an address"),
          passwordFile: absolutePath.optional().describe("File of the machine with its password"),
        }),
      )
      .default({})
      .describe(
        "Of a compose project: how the machine itself finds a repository while there is no container yet, by its name, primary or that of a copy. What " +
          "is not said here is as under backup, where paths are those in the container",
      ),
  })
  .prefault({})
  .describe("What is done around the recovery of a whole server");
