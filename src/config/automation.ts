import { z } from "zod";
import type { Secret } from "./secret.ts";
import { absolutePath, databaseName, environmentReference, httpUrl, serviceName } from "./values.ts";

/** `services.automation`: the n8n beside Odoo, what of it a set takes, and how it is stopped. */

export const automation = z
  .strictObject({
    name: serviceName
      .optional()
      .describe(
        "Its name under runtime.native.services, or as a service of the compose project; when absent, a restore asks that it be stopped by hand",
      ),
    url: httpUrl.describe(
      "Where it answers, as seen from its host; in a compose project, as the services see each other",
    ),
    apiKey: environmentReference.describe(
      "A key of its public API as ${NAME}, from the environment: of its owner, who sees every workflow",
    ),
    odooKey: environmentReference
      .optional()
      .describe(
        "An API key of Odoo as ${NAME}, from the environment: of the user as whom n8n asks Odoo what is due (group Deliverer). Needed by `ipai n8n sync` while n8n has no credential of its own",
      ),
    webhookSecret: environmentReference
      .optional()
      .describe(
        "A secret as ${NAME}, from the environment: whoever calls a webhook of the shipped workflows has to send it as X-Webhook-Secret. Absent: they are open to whoever reaches them",
      ),
    database: databaseName
      .optional()
      .describe(
        "Name of its database on services.database; absent when it keeps its data elsewhere, where no backup takes them",
      ),
    keyFile: absolutePath
      .optional()
      .describe(
        "File with the key of its credentials, as n8n itself sees it: `config` in its home folder, or what N8N_ENCRYPTION_KEY_FILE names. Without that key its credentials are lost",
      ),
    smoke: z
      .strictObject({
        path: z
          .string()
          .regex(/^\//, "must begin with /")
          .describe(
            "Path of a webhook below the URL, such as /webhook/ipai-test. Its workflow sees `test: true` in the body",
          ),
        required: z
          .boolean()
          .default(false)
          .describe("Take a release back when the webhook does not answer; else that is only told"),
      })
      .optional()
      .describe("A webhook that is called, as a test, after a deployment, and has to answer with 200"),
  })
  .optional()
  .describe("n8n, if there is one");

type Parsed = NonNullable<z.output<typeof automation>>;

export type AutomationConfig = Omit<Parsed, "apiKey" | "odooKey" | "webhookSecret"> & {
  readonly apiKey: Secret;
  readonly odooKey?: Secret | undefined;
  readonly webhookSecret?: Secret | undefined;
};
