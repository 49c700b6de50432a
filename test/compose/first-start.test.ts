import { chmod, cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createProject, type Project } from "../harness/compose-project.ts";
import { root, until } from "../harness/sandbox.ts";

/** The shipped project's database when it is made. Its image starts a server for the first scripts alone, and ends that one again. */

const name = `ipai-test-first-${process.pid}`;
const server = `${name}-database-1`;
/** As long as somebody's own script, which may load a dump, takes. */
const longScript = "#!/bin/sh\nuntil [ -e /docker-entrypoint-initdb.d/over ]; do sleep 0.1; done\n";
let project: Project;

beforeAll(async () => {
  project = await createProject(name);
  await cp(join(root, "sandbox/compose"), project.folder, { recursive: true });
  await mkdir(join(project.folder, "secrets"));
  for (const secret of ["database_password", "n8n_database_password"])
    await project.write(`secrets/${secret}`, `${name}\n`);
  await project.write(".env", "DATABASE_IMAGE=ipai-test/database\n");
  await project.write("initdb/40-long.sh", longScript);
  await chmod(join(project.folder, "initdb/40-long.sh"), 0o755);
});
afterAll(async () => {
  await project.compose("down", "--volumes", "--timeout", "1");
  await project[Symbol.asyncDispose]();
});

const health = (what: string) => project.docker("inspect", "--format", `{{${what}}}`, server);
/** How often its health was asked. */
const asked = async () => Number(await health("len .State.Health.Log"));
const sql = (text: string) =>
  project.docker("exec", "--user", "postgres", server, "psql", "-XAtq", "-d", "postgres", "-c", text);
const answers = () => sql("select 1").then(Boolean, () => false);

it("is well when the server answers that stays, not while one is there for the first scripts alone", async () => {
  await project.compose("up", "--detach", "database");
  await until("the first server answers", answers);
  const before = await asked();
  await until("its health was asked meanwhile", async () => (await asked()) > before);
  expect([await health(".State.Health.Status"), await sql("show listen_addresses")]).toEqual(["starting", ""]);
  await project.write("initdb/over", "");
  await until("it is well", async () => (await health(".State.Health.Status")) === "healthy");
  expect(await sql("show listen_addresses")).toBe("*");
});
