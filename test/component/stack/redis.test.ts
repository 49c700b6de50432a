import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import { cache } from "../../../src/procedures/monitoring/services.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { until } from "../../harness/sandbox.ts";
import { freePort } from "../../harness/sshd.ts";

/** A real Redis that wants a password, as every Redis that others can reach should. */
let folder: string;
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ipai-redis-"));
  port = await freePort("127.0.0.1");
  const users = ["--requirepass", "hunter2", "--user", "probe", "on", ">sesame", "+ping"];
  server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", ...users], {
    cwd: folder,
    stdio: "ignore",
  });
  await until("Redis answers", async () => `${(await check({})).value}`.includes("NOAUTH"));
});
afterAll(async () => {
  server.kill();
  await rm(folder, { recursive: true });
});

interface Login {
  readonly user?: string;
  readonly password?: string;
}

/** What the check says of the answer, and the command that was run. */
async function check({ user, password }: Login) {
  const definition = practiceStack(folder);
  const secret = password === undefined ? undefined : new Secret(password);
  const cacheService = { name: "redis", url: `redis://127.0.0.1:${port}`, user, password: secret };
  const config = { ...definition, services: { ...definition.services, cache: cacheService } };
  const { redis } = createStack(config);
  if (redis === undefined) throw new TypeError("a stack with a cache has Redis");
  const secrets = secret === undefined ? {} : { "services.cache.password": secret };
  const result = await perform(redis.ping, { secrets }).catch(() => undefined);
  const judged = cache(createStack(config), redis).judge([
    result === undefined ? { error: { code: "host.command_failed", message: "", hint: "" } } : { result },
  ] as never);
  return { ...judged, command: JSON.stringify(redis.ping) };
}

it.each<[string, Login, string, string]>([
  ["with its password", { password: "hunter2" }, "ok", "PONG"],
  ["as a user of its own", { user: "probe", password: "sesame" }, "ok", "PONG"],
  ["without one", {}, "fail", "NOAUTH"],
  ["with another", { password: "hunter3" }, "fail", "NOAUTH"],
])("is asked %s", async (_, login, status, value) => {
  const found = await check(login);
  expect(found).toMatchObject({ status, value: expect.stringContaining(value) });
  if (status === "fail") expect(found.hint).toContain("services.cache.password");
  expect(found.command).not.toMatch(/hunter|sesame/);
});
