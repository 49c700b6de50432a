import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { toIpaiError } from "../../src/errors/error.ts";
import type { Action } from "../../src/runbook/action.ts";
import { projectOf } from "../../src/stack/runtime/compose.ts";
import { removeAll, startWithAll } from "../../src/stack/runtime/compose-program.ts";
import { createProject, drift, findComposeV1, type Project } from "../harness/compose-project.ts";
import { perform } from "../harness/perform.ts";

/** What ipai asks of Compose, of both of its versions, on small projects of their own. */

const service = (more: string) => `{ image: ipai-test/redis, command: [sleep, infinity], init: true${more} }`;
const file = `
services:
  web: ${service(", env_file: [web.env], depends_on: [store]")}
  store: ${service(", stop_grace_period: 1s, environment: { WORD: $WORD }")}
  idle: ${service(", scale: 0")}
  none: ${service(", deploy: { replicas: 0 }")}
  extra: ${service(", profiles: [more]")}
`;

async function fill(project: Project): Promise<void> {
  await project.write("compose.yaml", file);
  await project.write("web.env", "COLOUR=red\n");
  await project.write(".env", "WORD=one\n");
}

/** What a refused action is told as. */
async function refused(
  action: Action,
): Promise<{ readonly code: string; readonly message: string; readonly hint: string }> {
  const { code, message, hint } = await perform(action).then(
    () => ({ code: "none", message: "", hint: "" }),
    toIpaiError,
  );
  return { code, message, hint };
}

const well = { status: "ok", value: 0 };
const differs = (hint: string, value = 1) => ({ status: "warn", value, hint: expect.stringContaining(hint) });

describe("containers that version 2 made", () => {
  const name = `ipai-test-v2-${process.pid}`;
  let project: Project;
  beforeAll(async () => {
    project = await createProject(name);
    await fill(project);
    await project.compose("up", "--detach");
  });
  afterAll(() => project[Symbol.asyncDispose]());
  afterEach(async () => {
    await fill(project);
    expect(await drift(project.stack())).toMatchObject(well);
  });

  it("are as the file says, with an env_file, under a profile, without what they depend on, or none at all", async () => {
    expect(await drift(project.stack())).toMatchObject(well);
    await project.compose("--profile", "more", "up", "--detach", "extra");
    expect(await drift(project.stack())).toMatchObject(well);
    await project.compose("up", "--detach", "--no-deps", "--force-recreate", "--timeout", "0", "web");
    expect(await drift(project.stack())).toMatchObject(well);
  });

  it("may be several of one service", async () => {
    await project.compose("up", "--detach", "--no-recreate", "--scale", "web=2", "web");
    expect(await drift(project.stack())).toMatchObject(well);
  });

  it("that were started by `run` belong to nothing that the file says", async () => {
    const id = await project.compose("run", "--detach", "--no-deps", "store");
    await project.write("compose.yaml", file.replace("store: {", "shop: {").replace("[store]", "[shop]"));
    const renamed = await drift(project.stack());
    await project.docker("rm", "--force", id);
    expect(renamed.hint).toContain(`Of no service of the file: ${name}-store-1. \`docker rm`);
  });

  it("differ when their env_file or .env does", async () => {
    await project.write("web.env", "COLOUR=blue\n");
    expect(await drift(project.stack())).toMatchObject(
      differs("web: made from another definition than the file has now."),
    );
    await project.write(".env", "WORD=two\n");
    expect(await drift(project.stack())).toMatchObject(differs("store, web: made from another definition", 2));
    await project.write(".env", "");
    expect(await drift(project.stack())).toMatchObject(
      differs("Compose found no value for WORD: does .env lack it?", 2),
    );
  });

  it("differ in their profile's service too, though it is not active", async () => {
    await project.write("compose.yaml", file.replace("extra: {", "extra: { stop_grace_period: 2s, "));
    expect(await drift(project.stack())).toMatchObject(differs("extra: made from another definition"));
  });

  it("are unknown while the file cannot be read", async () => {
    const unknown = (hint: string) => ({ status: "unknown", value: null, hint: expect.stringContaining(hint) });
    await project.write("compose.yaml", "services: [\n");
    expect(await drift(project.stack())).toMatchObject(unknown("cannot read the project's files: yaml: line 1"));
    await project.write("compose.yaml", file);
    expect(await drift(project.stack({ files: ["gone.yaml"] }))).toMatchObject(unknown("gone.yaml: no such file"));
    expect(await drift(project.stack({ program: ["docker-compose-of-old"] }))).toMatchObject(
      unknown("There is no Docker Compose on the host: `docker-compose-of-old version` answers with none."),
    );
  });

  it("are made anew as the file says, with what they depend on left alone, when they are started and gone", async () => {
    const { start } = project.stack().runtime.service("web");
    await project.compose("rm", "--force", "--stop", "web");
    await project.compose("stop", "--timeout", "0", "store");
    expect(await drift(project.stack())).toMatchObject(differs("web: no container."));
    await perform(start);
    expect(await project.compose("ps", "--services", "--status", "running")).not.toContain("store");
    expect(await project.compose("ps", "--services", "--status", "running")).toContain("web");
    await project.compose("start", "store");
  });

  it("are made anew of the images that are there, whatever the file says of pulling", async () => {
    // Of a registry at which nobody answers, so to pull it is to fail.
    const image = `127.0.0.1:9/${name}`;
    await project.docker("tag", "ipai-test/redis", image);
    const pulls = `web: { image: "${image}", pull_policy: always`;
    await project.write("compose.yaml", file.replace("web: { image: ipai-test/redis", pulls));
    await project.compose("rm", "--force", "--stop", "web");
    await expect(project.compose("up", "--no-start", "--no-build", "web")).rejects.toThrow();
    await perform(project.stack().runtime.service("web").start);
    expect(await project.compose("ps", "--services", "--status", "running")).toContain("web");
    await fill(project);
    await project.compose("up", "--detach", "--timeout", "0", "web");
    await project.docker("image", "rm", image);
  });
});

const v1 = findComposeV1();
describe.skipIf(v1.reason !== "")(`version 1 of Compose${v1.reason === "" ? "" : ` (skipped: ${v1.reason})`}`, () => {
  const name = `ipai-test-v1-${process.pid}`;
  let project: Project;
  beforeAll(async () => {
    project = await createProject(name, [v1.program]);
    await fill(project);
  });
  afterAll(() => project[Symbol.asyncDispose]());
  const named = { containers: { web: `${name}_web_1`, store: `${name}_store_1` } };

  it("makes and starts what is missing, and its containers are named as it names them", async () => {
    const other = await refused(project.stack().runtime.service("web").start);
    expect(other).toMatchObject({
      code: "stack.container_elsewhere",
      message: expect.stringContaining(`web is ${name}_web_1. It was not started.`),
    });
    for (const service of ["store", "web"]) await perform(project.stack(named).runtime.service(service).start);
    expect(await project.docker("inspect", "--format", "{{.State.Running}}", `${name}_web_1`)).toBe("true");
  });

  it("is asked whether its containers are as the file says", async () => {
    expect(await drift(project.stack())).toMatchObject(well);
    await project.write("web.env", "COLOUR=blue\n");
    expect(await drift(project.stack())).toMatchObject(
      differs("web: made from another definition than the file has now."),
    );
    await fill(project);
    expect(await drift(project.stack({ program: ["docker", "compose"] }))).toMatchObject(
      differs("store, web: made by Compose 1.29.2, which notes definitions in another way than 2.", 2),
    );
  });

  it("cannot wait, and is told so: it would answer with its help and exit code 0", async () => {
    const compose = projectOf(project.stack().config);
    expect(await project.compose("up", "--detach", "--wait", "web")).toBe("");
    expect(await refused(startWithAll("local", compose, ["web"]))).toEqual({
      code: "stack.compose_too_old",
      message: `Docker Compose cannot do what is asked: ${v1.program} is version 1.29.2, and 2.1.1 is needed. Nothing was changed.`,
      hint: expect.stringContaining("Install a newer one"),
    });
  });

  it("says of a file that cannot be read what is wrong with it", async () => {
    await project.write("compose.yaml", "services: [\n");
    const { status, hint } = await drift(project.stack());
    await fill(project);
    expect(status).toBe("unknown");
    expect(hint).toContain("cannot read the project's files: ");
    expect(hint).toContain("line 2, column 1");
  });

  it("removes everything", async () => {
    await perform(removeAll("local", projectOf(project.stack().config)));
    expect(await project.docker("ps", "--all", "--quiet", "--filter", `label=com.docker.compose.project=${name}`)).toBe(
      "",
    );
  });
});
