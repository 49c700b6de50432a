import catalogue from "../../addons/ipai_finance_ppm/rules/catalogue.json" with { type: "json" };
import extensions from "../../addons/ipai_finance_ppm/rules/extensions.json" with { type: "json" };
import holidays from "../../addons/ipai_finance_ppm/rules/holidays.json" with { type: "json" };
import { catalogueSchema, extensionsSchema, holidaysSchema, type Rules } from "./schema.ts";

/** The rules as they are shipped. They lie in the addon because it must compute deadlines with this program absent. */
export const shippedRules: Rules = {
  catalogue: catalogueSchema.parse(catalogue),
  holidays: holidaysSchema.parse(holidays),
  extensions: extensionsSchema.parse(extensions).extensions,
};
