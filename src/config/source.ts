import { z } from "zod";
import { absolutePath, environmentReference, text } from "./values.ts";

/** Where the code of a stack comes from. */
export const source = z
  .strictObject({
    repository: absolutePath.describe("The work tree of a git repository on the host, from which Odoo's code is taken"),
    remote: text.default("origin").describe("The remote that releases come from"),
    branch: text.default("main").describe("The branch that is deployed when nothing else is said"),
    addons: z
      .array(text)
      .optional()
      .describe(
        "Folders with modules, relative to the repository; when absent those of odoo.addons that lie below it. To be named where containers see them elsewhere, in the order of odoo.addons, which begins with them",
      ),
    image: z
      .array(text)
      .default([])
      .describe(
        "Patterns of files, relative to the repository, that the image is built from, besides Dockerfile and requirements.txt",
      ),
    configuration: z
      .array(text)
      .default([])
      .describe(
        "Patterns of files, relative to the repository, that services are configured by, besides compose files and *.conf",
      ),
    rehearse: z
      .enum(["never", "always"])
      .default("never")
      .describe("Whether a deployment that changes the database needs a rehearsal of the same commit"),
  })
  .describe("Where the code comes from: what `ipai deploy` brings into place");

/** Who must be able to log in to a new release. */
export const login = z
  .strictObject({
    user: text.describe("Its login name. A user of its own, without rights and without a second factor"),
    password: environmentReference.describe("Its password as ${NAME}, from the environment"),
  })
  .describe("A user that must be able to log in to each Odoo service after a deployment; it is logged out again");

/** A question to a new release. */
export const smoke = z.strictObject({
  path: z.string().regex(/^\//, "must begin with /").describe("Path below the service's address"),
  status: z
    .int()
    .min(100)
    .max(599)
    .default(200)
    .describe("The status that it must answer with; redirects are not followed"),
  has: text.optional().describe("A text that its body must have"),
});

export type SourceConfig = z.infer<typeof source>;
