import { z } from "zod";
import { environmentReference } from "./values.ts";

/** How `ipai finance` reaches the addon in the stack's Odoo. */
export const finance = z
  .strictObject({
    apiKey: environmentReference.describe(
      "An API key of an Odoo user as ${NAME}, from the environment: what `ipai finance` reads and does in Odoo, it does with that user's rights",
    ),
  })
  .optional()
  .describe("The addon ipai_finance_ppm, where it is installed");
