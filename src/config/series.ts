import { z } from "zod";
import { absolutePath, environmentName } from "./values.ts";

/** Where the Odoo of another series is: a folder for each, that a link will lead to, or variables of a compose project. */

const series = z.string().regex(/^\d+\.\d+$/, "must be a series such as 19.0");

const linkedUpgrade = z.strictObject({
  link: absolutePath.describe(
    "A symbolic link to the folder of the Odoo that serves; odoo.command, environment, config and addons, and the services' commands, name what lies in that folder by way of it",
  ),
  to: z
    .record(series, absolutePath.describe("The folder that the link will lead to"))
    .describe("Where the Odoo of another series lies, by series"),
});

const imageUpgrade = z.strictObject({
  to: z
    .record(
      series,
      z
        .record(
          environmentName,
          z
            .string()
            .regex(/^[\w./:@+-]+$/, "must have only letters, digits, and _ . / : @ + -")
            .describe("What it is for that series, such as an image"),
        )
        .refine((variables) => Object.keys(variables).length > 0, "must name at least one variable")
        .describe("Variables of the project, by name"),
    )
    .describe("Of a compose project: what differs in its .env for another series, by series"),
});

export const seriesOfOdoo = z.union(
  [linkedUpgrade, imageUpgrade],
  "must have link, and to with folders; of a compose project to alone, with variables",
);
