import { z } from "zod";
import { absolutePath, duration, text } from "./values.ts";

/** How users are kept out with a page, by an nginx that has the shipped snippet. */
export const maintenance = z
  .strictObject({
    directory: absolutePath.describe(
      "Folder on the host with the flag and the page; nginx must be able to read it, and in a container have it mounted",
    ),
    name: text.optional().describe("What the page calls the suite; the host of urls.public when absent"),
    colour: z
      .string()
      .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as "#714b67"')
      .default("#714b67")
      .describe("Colour of the page, as #rrggbb"),
    over: z
      .enum(["end", "tell"])
      .default("end")
      .describe(
        "What becomes of one that outlives its expected end, besides being told of: end lifts it after the grace, if Odoo serves behind it; tell leaves it on",
      ),
    grace: duration.prefault("30m").describe("How long after its expected end it is lifted, with unit"),
  })
  .describe(
    "Maintenance mode: nginx answers 503 with a page while a flag is there. Needs sandbox/compose/maintenance.conf in its configuration",
  );
export type MaintenanceConfig = z.infer<typeof maintenance>;
