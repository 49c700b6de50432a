import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import type { Message } from "../../../src/engine/message.ts";
import { deliverNext, listDeliveries, post } from "../../../src/engine/outbox.ts";
import type { CourierPorts } from "../../../src/notify/courier.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { carry as carryOn, messageOf, routeTo, webhookTo } from "../../harness/messages.ts";
import { Receiver } from "../../harness/receiver.ts";

let test: TestControl;
let receiver: Receiver;
const clock = { now: 0 };
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  receiver = await new Receiver().listen();
  clock.now = Date.parse("2026-11-25T10:00:00Z");
});
afterEach(async () => {
  await receiver.close().catch(() => undefined);
  await test.control.db.deleteFrom("messages").execute();
});

/** Looks as often as the clock is set forward, then stops. */
const carry = (secondsForward: readonly number[], changed: Partial<CourierPorts> = {}) =>
  carryOn({ control: test.control, channels: { ops: webhookTo(receiver.port) }, ...changed }, clock, secondsForward);

const routes = [routeTo("ops")];
const send = (...messages: readonly Message[]) => post(test.control.db, routes, messages, new Date(clock.now));
const states = async () => (await listDeliveries(test.control, 50)).map(({ state }) => state).sort();

describe("a receiver", () => {
  it("that answers gets what is due at once, together, and once", async () => {
    await send(messageOf("a"), messageOf("b"));
    await carry([1, 1]);
    expect(receiver.requests).toHaveLength(1);
    expect(receiver.titles()).toEqual(["a", "b"]);
    expect(await states()).toEqual(["delivered", "delivered"]);
  });

  it("that answers 500 for a while gets everything when it is well, and later pauses are longer", async () => {
    await send(messageOf("a"));
    receiver.behave = (_, response) => {
      response.statusCode = receiver.requests.length < 4 ? 500 : 200;
      response.end("no room");
    };
    await carry([4, 1, 9, 1, 19, 1, 1]);
    expect(receiver.requests).toHaveLength(4);
    expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(1);
    expect(await states()).toEqual(["delivered"]);
  });

  it("that says when gets it then", async () => {
    await send(messageOf("a"));
    receiver.behave = (_, response) => {
      response.statusCode = receiver.requests.length === 1 ? 429 : 200;
      response.setHeader("Retry-After", "120");
      response.end();
    };
    await carry([60, 59]);
    expect(receiver.requests).toHaveLength(1);
    await carry([1]);
    expect(receiver.requests).toHaveLength(2);
    expect(await states()).toEqual(["delivered"]);
  });

  it("that drops the connection after it has taken the message is asked again under the same key, with nothing added", async () => {
    await send(messageOf("a"));
    receiver.behave = (request, response) => {
      if (receiver.requests.length === 1) request.socket.destroy();
      else response.end();
    };
    await carry([1]);
    await send(messageOf("b"));
    await carry([10, 1]);
    const [first] = receiver.requests;
    expect(receiver.requests.filter(({ key }) => key === first?.key).map(({ body }) => body)).toEqual([
      first?.body,
      first?.body,
    ]);
    expect(receiver.requests).toHaveLength(3);
    expect(receiver.titles().toSorted()).toEqual(["a", "b"]);
  });

  it("that is silent for three hours gets everything afterwards", async () => {
    const { port } = receiver;
    await receiver.close();
    for (let hour = 0; hour < 3; hour++) {
      await send(messageOf(`hour ${hour}`));
      await carry(Array(60).fill(60), { channels: { ops: webhookTo(port) } });
    }
    expect(await states()).toEqual(["due", "due", "due"]);
    receiver = await new Receiver().listen(port);
    await carry([900, 900]);
    expect(receiver.titles().toSorted()).toEqual(["hour 0", "hour 1", "hour 2"]);
    expect(await states()).toEqual(["delivered", "delivered", "delivered"]);
  });

  it("that never answers is given up after a day, and that is told", async () => {
    const { port } = receiver;
    await receiver.close();
    await send(messageOf("a"));
    await carry(Array(110).fill(900), { channels: { ops: webhookTo(port) } });
    expect(await states()).toEqual(["given_up"]);
    expect((await listDeliveries(test.control, 1))[0]?.error).toBe("ECONNREFUSED");
    receiver = await new Receiver().listen(port);
  });

  it("that does not want it is not asked again", async () => {
    await send(messageOf("a"));
    receiver.behave = (_, response) => {
      response.statusCode = 404;
      response.end("no such hook");
    };
    await carry([60, 600]);
    expect(receiver.requests).toHaveLength(1);
    expect((await listDeliveries(test.control, 1))[0]).toMatchObject({ state: "refused", error: "404: no such hook" });
  });

  it("that sends elsewhere is not followed: the address is a secret", async () => {
    await send(messageOf("a"));
    receiver.behave = (_, response) => {
      response.statusCode = 302;
      response.setHeader("Location", `http://127.0.0.1:${receiver.port}/elsewhere`);
      response.end();
    };
    await carry([1]);
    expect(receiver.requests).toHaveLength(1);
  });

  it("that says 200 and never comes to an end has taken it; one that says 500 so has not", async () => {
    await send(messageOf("a"));
    receiver.behave = (_, response) => {
      response.statusCode = receiver.requests.length === 1 ? 500 : 200;
      response.write("x".repeat(100_000));
      if (response.statusCode === 500) response.write("the end does not come");
    };
    const began = performance.now();
    await carry([5, 1]);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(receiver.requests).toHaveLength(2);
    expect(await states()).toEqual(["delivered"]);
  });

  it("that takes fifteen seconds and more does not keep another one waiting", async () => {
    const slow = await new Receiver().listen();
    slow.behave = () => undefined;
    await post(test.control.db, [...routes, routeTo("slow")], [messageOf("a")], new Date(clock.now));
    const began = performance.now();
    let arrived = 0;
    receiver.behave = (_, response) => {
      arrived = performance.now() - began;
      response.end();
    };
    const events = await carry([], { channels: { slow: webhookTo(slow.port), ops: webhookTo(receiver.port) } });
    expect(arrived).toBeLessThan(5000);
    expect(events).toContainEqual(
      expect.objectContaining({ answer: { kind: "again", reason: "no answer within 15 s" } }),
    );
    await slow.close();
  }, 40_000);
});

describe("an answer that repeats the address", () => {
  it("does not show it to whoever lists the messages", async () => {
    await send(messageOf("a"));
    receiver.behave = (request, response) => {
      response.statusCode = 404;
      response.end(`Cannot POST ${request.url}; key s3cr3tkey\0`);
    };
    const ops = webhookTo(receiver.port, { path: "/hooks/t0ps3cr3t?key=s3cr3tkey" });
    await carry([1], { channels: { ops } });
    const [delivery] = await listDeliveries(test.control, 1);
    expect(delivery?.error).toBe("404: Cannot POST …; key …");
  });
});

describe("a courier that dies while it sends", () => {
  it("leaves a batch that goes out again as it was, under the same key", async () => {
    await send(messageOf("a"));
    const sent: string[] = [];
    const died = deliverNext(test.control, "ops", new Date(clock.now), webhookTo(receiver.port), async ({ key }) => {
      sent.push(key);
      throw new TypeError("killed");
    });
    await died.catch(() => undefined);
    await send(messageOf("b"));
    clock.now += 61_000;
    await carry([1, 1]);
    expect(receiver.requests.map(({ key }) => key)).toContain(sent[0]);
    expect(receiver.titles().toSorted()).toEqual(["a", "b"]);
  });
});

describe("several couriers", () => {
  it("send each message once", async () => {
    await send(...Array.from({ length: 45 }, (_, index) => messageOf(`m${index}`)));
    const controls = await Promise.all([test.open(), test.open(), test.open()]);
    await Promise.all(controls.map((control) => carry([1, 1], { control })));
    const titles = receiver.titles();
    expect(titles).toHaveLength(45);
    expect(new Set(titles).size).toBe(45);
    expect(new Set(receiver.requests.map(({ key }) => key)).size).toBe(receiver.requests.length);
  });
});

describe("a webhook's request", () => {
  it("is signed over its time and its body", async () => {
    await send(messageOf("a"));
    await carry([1], { channels: { ops: webhookTo(receiver.port, { secret: new Secret("hunter2") }) } });
    const { headers = {}, body } = receiver.requests[0] ?? {};
    const time = String(headers["x-ipai-timestamp"]);
    const digest = createHmac("sha256", "hunter2").update(`${time}.${body}`).digest("hex");
    expect(headers["x-ipai-signature"]).toBe(`sha256=${digest}`);
    expect(time).toBe(String(Date.parse("2026-11-25T10:00:00Z") / 1000));
  });
});

describe("messages", () => {
  it("are only for those who want them", async () => {
    const told = [
      routeTo("ops", { severity: "critical", stacks: [], chapters: [] }),
      routeTo("ops2", { severity: "info", stacks: ["other"], chapters: [] }),
      routeTo("ops3", { severity: "info", stacks: [], chapters: ["backup"] }),
      routeTo("ops4", { severity: "info", stacks: ["erp"], chapters: ["upgrade", "backup"] }),
    ];
    await post(test.control.db, told, [messageOf("a", { severity: "warning" })], new Date(clock.now));
    expect((await listDeliveries(test.control, 10)).map(({ channel }) => channel).sort()).toEqual(["ops3", "ops4"]);
  });
});
