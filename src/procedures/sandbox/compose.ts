import type { Json } from "../../runbook/value.ts";
import { sourceOf } from "./source.ts";

/**
 * The practice stack as a project of Docker Compose: the shipped one (`sandbox/compose/`), with images, addresses and ports of its own.
 * Pure, like `definition.ts`.
 */

export interface ComposeSettings {
  /** Folder of the project. */
  readonly folder: string;
  /** First of the ports that it uses. */
  readonly basePort: number;
  /** Images instead of the official ones, by the names that `compose.yaml` has for them. */
  readonly images: Readonly<Record<string, string>>;
}

/** Docker knows projects by their names alone, and there may be several practice stacks. */
export function composeProjectName({ basePort }: Pick<ComposeSettings, "basePort">): string {
  return `ipai-sandbox-${basePort}`;
}

/** Where the shipped stack has what Odoo keeps, and the modules. */
const data = "/var/lib/odoo";
const addons = "/mnt/extra-addons";
const repository = "/var/lib/ipai/repository";

export const composeServices = ["odoo-accounting", "odoo-core", "odoo-marketing"] as const;

/** What the project's `compose.yaml` leaves open. Two practice stacks of one machine share no port: the plain one begins at the base. */
export function composeEnvironment({ basePort, images }: ComposeSettings): string {
  const values = {
    ADDRESS: "127.0.0.1",
    HTTP_PORT: String(basePort + 5),
    HTTPS_PORT: String(basePort + 6),
    ...images,
  };
  return Object.entries(values)
    .toSorted()
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

export function composePublicUrl({ basePort }: Pick<ComposeSettings, "basePort">): string {
  return `https://localhost:${basePort + 6}`;
}

/** The stack's own entry for `ipai.yaml`. */
export function composeConfig(settings: ComposeSettings, host = "local"): string {
  const { folder } = settings;
  const definition: Json = {
    stacks: {
      sandbox: {
        host,
        runtime: { compose: { project: composeProjectName(settings), directory: folder } },
        services: {
          odoo: composeServices.map((name) => ({
            name,
            url: `http://${name}:8069`,
            websocket: `http://${name}:8072`,
          })),
          database: { name: "database" },
          cache: { name: "redis", url: "redis://127.0.0.1:6379" },
          proxy: {
            name: "nginx",
            upstreams: `${folder}/nginx.conf`,
            maintenance: { directory: `${folder}/maintenance`, name: "Practice stack" },
          },
        },
        odoo: {
          command: ["odoo"],
          environment: { HOME: data },
          database: "odoo",
          addons: [addons],
          modules: "ipai_*",
        },
        source: sourceOf(folder),
        urls: { public: composePublicUrl(settings), authority: `${folder}/secrets/tls.crt` },
        backup: {
          repository,
          passwordFile: "/run/secrets/backup_password",
          files: ["images", "initdb", "secrets"].map((name) => `${folder}/${name}`),
        },
      },
    },
  };
  return `# The practice stack of \`ipai demo --compose\`. Made by the program; \`ipai demo reset\` makes it anew.\n${JSON.stringify(definition, null, 2)}\n`;
}
