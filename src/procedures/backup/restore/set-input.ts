import { z } from "zod";

/** What is restored of which set, and from where. */

export const setInput = z.object({
  set: z.string().default("latest").describe("Id of the set, or a part of it that no other has; or latest"),
  only: z
    .enum(["database", "files", "automation"])
    .nullable()
    .default(null)
    .describe("The database or the filestore alone; or n8n's database, which nothing else brings back"),
  repository: z.string().nullable().default(null).describe("Name of the repository; the first one when absent"),
  from: z.string().nullable().default(null).describe("The stack whose set it is; this one when absent"),
  asProduction: z.boolean().default(false).describe("Of another stack: do not neutralize it, the stack moves here"),
  backup: z.boolean().default(true).describe("Make a set of the present first"),
  trial: z
    .enum(["needed", "always", "never"])
    .default("needed")
    .describe(
      "Try Odoo on a neutralized copy first: of a set that is not proven or whose code differs, always, or never",
    ),
});
export type SetInput = z.infer<typeof setInput>;
