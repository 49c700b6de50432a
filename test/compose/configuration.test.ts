import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { takeConfiguration } from "../../src/stack/configuration.ts";
import { createProject, type Project } from "../harness/compose-project.ts";
import { perform } from "../harness/perform.ts";

/** What a set has of a project: asked of a real engine, whose containers do nothing. */

const image = process.env["IPAI_IMAGE_DATABASE"] ?? "ipai-test/database";

describe("the configuration of a project", () => {
  let project: Project;
  let parts: readonly Record<string, string>[];
  const inTools = (...argv: readonly string[]) => project.docker("exec", `${project.name}-tools-1`, ...argv);

  beforeAll(async () => {
    project = await createProject("ipai-test-configuration");
    const files = {
      "odoo.conf": "[options]\n",
      "addons/one/__manifest__.py": "{}\n",
      "nginx.conf": "events {}\n",
      "secrets/seen": "given to a container\n",
      "secrets/kept": "of a service that is off\n",
      "data/odoo/settings.conf": "beside what is written\n",
      "data/odoo/written/row": "data\n",
      "image/Dockerfile": `FROM ${image}\n`,
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(project.folder, name)), { recursive: true });
      await writeFile(join(project.folder, name), text);
    }
    const idle = { image, entrypoint: [], command: ["sleep", "infinity"], init: true };
    const definition = {
      services: {
        tools: { ...idle, volumes: ["./data/odoo/written:/written"] },
        "odoo-tools": {
          ...idle,
          volumes: ["./odoo.conf:/etc/odoo/odoo.conf:ro", "./addons:/mnt/extra-addons:ro"],
        },
        nginx: { ...idle, volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"], secrets: ["seen"] },
        database: {
          ...idle,
          image: "ipai-test-configuration",
          build: "./image",
          environment: { PGDATA: "/srv/cluster" },
          volumes: ["./data/odoo/settings.conf:/settings.conf:ro"],
        },
      },
      secrets: { seen: { file: "./secrets/seen" } },
    };
    await project.write("compose.yaml", JSON.stringify(definition));
    await project.compose("up", "--detach");
    await project.docker(
      ...["exec", `${project.name}-database-1`, "sh", "-c"],
      "mkdir /srv/cluster && echo 'local all all peer' > /srv/cluster/pg_hba.conf && chmod 0600 /srv/cluster/pg_hba.conf",
    );
    const { config } = project.stack();
    const { backup } = config;
    await perform(takeConfiguration({ ...config, backup: backup && { ...backup, files: [] } }, "/srv/taken"));
    const lines = (await inTools("cat", "/srv/taken/parts")).split("\n");
    parts = lines.map((line) => JSON.parse(line) as Record<string, string>);
  });
  afterAll(async () => {
    await project.compose("down", "--timeout", "0");
    await project.docker("rmi", "ipai-test-configuration");
    await project[Symbol.asyncDispose]();
  });

  it("says of what is in containers where on the machine it lies, and takes by itself what they are given to read only", () => {
    const at = (name: string) => join(project.folder, name);
    const taken = (part: string, path: string, more = {}) => ({ part, path, state: "taken", ...more });
    expect(parts.filter(({ part }) => part !== "control")).toEqual([
      taken("odoo.conf", "/etc/odoo/odoo.conf", { machine: at("odoo.conf") }),
      taken("addons", "/mnt/extra-addons", { machine: at("addons") }),
      taken("compose", at("compose.yaml")),
      { part: "variables", path: at(".env"), state: "absent" },
      taken("proxy", "/etc/nginx", { machine: "" }),
      taken("project", at("data/odoo/settings.conf")),
      taken("project-2", at("image")),
      taken("project-3", at("nginx.conf")),
      taken("project-4", at("secrets")),
      taken("postgresql", "/srv/cluster", { machine: "" }),
    ]);
  });

  it("has a secret's folder with all that is in it, the server's own files, and nothing of what is written", async () => {
    expect(await inTools("cat", "/srv/taken/project-4/secrets/kept")).toBe("of a service that is off");
    expect(await inTools("stat", "--format=%a", "/srv/taken/postgresql/cluster/pg_hba.conf")).toBe("600");
    expect(await inTools("find", "/srv/taken", "-name", "row")).toBe("");
  });
});
