import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import { addOneOff } from "../../../src/engine/one-offs.ts";
import { beat } from "../../../src/notify/heartbeat.ts";
import { startControl, type TestControl } from "../../harness/control.ts";

/** Whoever listens for the beat hears nothing as soon as what is scheduled is not done. */
let test: TestControl;
let server: Server;
let beats = 0;
let status = 200;
beforeAll(async () => {
  test = await startControl();
  server = createServer((_, response) => {
    beats += 1;
    response.statusCode = status;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(async () => {
  server.close();
  await test[Symbol.asyncDispose]();
});

async function beatTimes(times: number, now = new Date(), looked = now): Promise<readonly string[]> {
  const told: string[] = [];
  const stop = new AbortController();
  let left = times;
  const { port } = server.address() as AddressInfo;
  await beat(
    {
      ...{ control: test.control, url: new Secret(`http://127.0.0.1:${port}/ping`), everyMs: 60_000, now: () => now },
      lastLook: () => looked,
      pause: async () => {
        left -= 1;
        if (left <= 0) stop.abort();
      },
      tell: (reason) => told.push(reason),
    },
    stop.signal,
  );
  return told;
}

it("beats while everything is done in time", async () => {
  expect(await beatTimes(3)).toEqual([]);
  expect(beats).toBe(3);
});

it("is told of a receiver that does not take it", async () => {
  status = 404;
  expect(await beatTimes(1)).toEqual(["404"]);
  status = 200;
});

it("does not beat when the worker has not had one good look for minutes", async () => {
  const before = beats;
  const now = new Date();
  expect(await beatTimes(1, now, new Date(now.getTime() - 179_000))).toEqual([]);
  expect(await beatTimes(2, now, new Date(now.getTime() - 181_000))).toEqual(
    Array(2).fill("the worker cannot look around"),
  );
  expect(beats).toBe(before + 1);
});

it("does not beat while something that has come is not begun", async () => {
  const before = beats;
  const at = new Date("2026-11-25T10:00:00Z");
  await addOneOff(test.control, { stack: "s", procedure: "p", input: {}, actor: "anna", at, graceSeconds: 3600 }, at);
  expect(await beatTimes(1, new Date("2026-11-25T10:04:00Z"))).toEqual([]);
  expect(await beatTimes(2, new Date("2026-11-25T10:05:01Z"))).toEqual(Array(2).fill("what is scheduled is not begun"));
  expect(beats).toBe(before + 1);
});

it("does not beat without its control database", async () => {
  await test.stop();
  const before = beats;
  expect(await beatTimes(1)).toHaveLength(1);
  expect(beats).toBe(before);
  await test.start();
});
