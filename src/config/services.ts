import { z } from "zod";
import { automation } from "./automation.ts";
import { maintenance } from "./maintenance.ts";
import { absolutePath, environmentReference, httpUrl, port, redisUrl, serviceName, text } from "./values.ts";

/** Which service does what for Odoo. */
export const services = z
  .strictObject({
    odoo: z
      .array(
        z.strictObject({
          name: serviceName.describe("Its name under runtime.native.services, or as a service of the compose project"),
          url: httpUrl.describe(
            "Where it answers, as seen from its host; in a compose project, as the services see each other",
          ),
          websocket: httpUrl
            .optional()
            .describe("Where it answers websockets (gevent_port), if that is another address than url"),
        }),
      )
      .min(1, "must name at least one Odoo service")
      .describe("The Odoo processes; all serve one database"),
    database: z
      .strictObject({
        name: serviceName
          .default("database")
          .describe("Its name under runtime.native.services, or as a service of the compose project"),
        host: absolutePath.default("/var/run/postgresql").describe("Folder of the server's socket"),
        port: port.default(5432).describe("Port of the server; it names the socket"),
        superuser: text.default("postgres").describe("Role used for administration, through the socket"),
      })
      .prefault({})
      .describe("The PostgreSQL server"),
    cache: z
      .strictObject({
        name: serviceName.describe("Its name under runtime.native.services, or as a service of the compose project"),
        url: redisUrl.describe("Where it answers, as seen from where it runs"),
        user: text.optional().describe("User to log in as; Redis's default user when absent"),
        password: environmentReference
          .optional()
          .describe("Its password as ${NAME}, from the environment; without it there is no log-in"),
      })
      .optional()
      .describe("Redis, if there is one"),
    proxy: z
      .strictObject({
        name: serviceName.describe("Its name under runtime.native.services, or as a service of the compose project"),
        maintenance: maintenance.optional(),
        upstreams: absolutePath
          .optional()
          .describe(
            "File on the host with nginx's upstream blocks, each server on a line of its own. A service that is restarted is marked down in it meanwhile, so that no request fails",
          ),
      })
      .optional()
      .describe("The web server in front of Odoo, if there is one"),
    automation,
  })
  .describe("What each service is for");
