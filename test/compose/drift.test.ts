import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Finding, HealthReport } from "../../src/procedures/monitoring/check.ts";
import { checks, container, type Ended, folder, ipai, parsed, root, run } from "../harness/sandbox.ts";

/** IPAI-CMP-001 on the practice stack: each way in which what runs can differ from the compose file, and what nobody can look at. */

const project = container("").slice(0, -"--1".length);
const file = join(folder, "compose.yaml");
const image = `ipai-test-drift:${process.pid}`;

async function docker(...args: readonly string[]): Promise<string> {
  const ended = await run("docker", args);
  if (ended.exitCode !== 0) throw new Error(ended.stderr);
  return ended.stdout.trim();
}
const compose = (...args: readonly string[]) =>
  docker("compose", "--project-name", project, "--project-directory", folder, "--file", file, ...args);

interface Answer extends Finding {
  readonly all: HealthReport;
  readonly exitCode: number;
}

function answer(ended: Ended): Answer {
  const all = parsed<HealthReport>(ended);
  const found = all.checks.find(({ code }) => code === "IPAI-CMP-001");
  if (found === undefined) throw new Error(ended.stdout);
  return { ...found, all, exitCode: ended.exitCode };
}
const health = async () => answer(await ipai(["health", "--json"]));

/** Changes a file of the project for as long as the work takes. */
async function edited(name: string, change: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const path = join(folder, name);
  const text = await readFile(path, "utf8");
  const other = change(text);
  expect(other).not.toBe(text);
  await writeFile(path, other);
  try {
    await work();
  } finally {
    await writeFile(path, text);
  }
}

const differs = (value: number, hint: string) => ({ status: "warn", value, hint: expect.stringContaining(hint) });

describe("the practice stack", () => {
  afterEach(async () => {
    expect((await health()).all).toMatchObject({ status: "ok" });
  });

  it("is as its compose file says, freshly made, and is told so quickly", async () => {
    const answers = [await health(), await health(), await health()];
    for (const one of answers) expect(one).toMatchObject({ status: "ok", value: 0, threshold: 0, exitCode: 0 });
    expect(answers[0]?.all.checks).toHaveLength(checks);
    // One call of Compose and four of docker; on a machine that does nothing else it is 0.5 s.
    expect(Math.min(...answers.map(({ milliseconds }) => milliseconds))).toBeLessThan(2000);
  });

  it("differs when its file was edited, naming the services and what makes them anew", async () => {
    await edited(
      "compose.yaml",
      (text) => text.replace("mem_limit: 384m", "mem_limit: 400m"),
      async () => {
        const found = await health();
        expect(found).toMatchObject(differs(1, "redis: made from another definition than the file has now."));
        expect(found.hint).toContain(`--project-directory ${folder} --file ${file} up --detach redis\``);
        expect(found).toMatchObject({ exitCode: 1, all: { status: "warn" } });
      },
    );
    await edited(
      ".env",
      (text) => `${text}ODOO_MEMORY=2g\n`,
      async () =>
        expect(await health()).toMatchObject(differs(3, "odoo-accounting, odoo-core, odoo-marketing: made from")),
    );
  });

  it("differs when the name of an image stands for another one by now, or for none", async () => {
    await docker("tag", "ipai-test/redis", image);
    await edited(
      ".env",
      (text) => text.replace(/^REDIS_IMAGE=.*$/m, `REDIS_IMAGE=${image}`),
      async () => {
        await compose("up", "--detach", "--no-deps", "redis");
        expect(await health()).toMatchObject({ status: "ok" });
        await docker("tag", "ipai-test/nginx", image);
        expect(await health()).toMatchObject(differs(1, `redis: the image ${image} is another one by now. \``));
        await docker("rmi", image);
        expect(await health()).toMatchObject(differs(1, `redis: the image ${image} is gone. \``));
      },
    );
    await compose("up", "--detach", "--no-deps", "redis");
  });

  it("differs when a container was removed, and is well when it was brought up again", async () => {
    await docker("rm", "--force", container("redis"), container("nginx"));
    const found = await health();
    const up = await ipai(["demo", "up"]);
    expect(found).toMatchObject(differs(2, "nginx, redis: no container."));
    expect(up.exitCode).toBe(0);
  });

  it("differs when a container is left of a service that the file has no more", async () => {
    const extra = '  gone:\n    image: ipai-test/redis\n    command: ["sleep", "infinity"]\n    init: true\n';
    await edited(
      "compose.yaml",
      (text) => text.replace(/^volumes:$/m, `${extra}volumes:`),
      async () => {
        await compose("up", "--detach", "gone");
        expect(await health()).toMatchObject({ status: "ok" });
      },
    );
    const found = await health();
    await docker("rm", "--force", container("gone"));
    expect(found).toMatchObject(differs(1, `Of no service of the file: ${container("gone")}. \`docker rm --force`));
  });

  it("is not known to be as its file says while that cannot be read", async () => {
    await edited(
      "compose.yaml",
      (text) => `${text}\nservices: [`,
      async () => {
        const found = await health();
        expect(found).toMatchObject({ status: "unknown", value: null, exitCode: 3 });
        expect(found.hint).toContain("Docker Compose cannot read the project's files: yaml: ");
      },
    );
  });

  it("is not known to be as its file says where docker has no Compose, and nothing can be made there", async () => {
    const path = await docker(
      "info",
      "--format",
      '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}',
    );
    const without = (...args: readonly string[]) =>
      run("unshare", [
        "-m",
        "bash",
        "-euc",
        'mount -t tmpfs none "$(dirname "$1")"; exec "${@:2}"',
        "without",
        path,
        join(root, "bin/ipai"),
        ...args,
      ]);
    const found = answer(await without("health", "--json"));
    const up = await without("demo", "up");
    expect(found).toMatchObject({ status: "unknown", value: null, exitCode: 3 });
    expect(found.hint).toContain("There is no Docker Compose on the host: `docker compose version` answers with none.");
    expect(found.all.checks.filter(({ status }) => status === "ok")).toHaveLength(checks - 1);
    expect(up.exitCode).not.toBe(0);
    expect(up.stdout + up.stderr).toContain("stack.compose_missing");
    expect(up.stdout + up.stderr).not.toContain("unknown flag");
  });
});
