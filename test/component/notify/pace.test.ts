import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import type { Message } from "../../../src/engine/message.ts";
import { listDeliveries, post } from "../../../src/engine/outbox.ts";
import type { Pace } from "../../../src/engine/pace.ts";
import type { Route } from "../../../src/engine/route.ts";
import { createChannel } from "../../../src/notify/channels.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { carry, messageOf, routeTo, webhookTo } from "../../harness/messages.ts";
import { Receiver } from "../../harness/receiver.ts";

let test: TestControl;
let receiver: Receiver;
let clock: { now: number };
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  receiver = await new Receiver().listen();
  clock = { now: Date.parse("2026-11-25T10:00:00Z") };
});
afterEach(async () => {
  await receiver.close();
  await test.control.db.deleteFrom("messages").execute();
});

const night: Pace = {
  timezone: "Europe/Berlin",
  quiet: [{ from: "22:00", until: "07:00", days: [] }],
  digest: undefined,
};
const tell = (routes: readonly Route[], ...messages: readonly Message[]) =>
  post(test.control.db, routes, messages, new Date(clock.now));
const lookAt = (instant: string, limit?: { posts: number; perSeconds: number }) => {
  clock.now = Date.parse(instant);
  return carry(
    { control: test.control, channels: { ops: webhookTo(receiver.port, { ...(limit && { limit }) }) } },
    clock,
    [],
  );
};
const lists = () =>
  receiver.requests.map(({ body }) => (JSON.parse(body) as { messages: Message[] }).messages.map(({ title }) => title));

describe("quiet hours", () => {
  it("hold what is not critical until they end, then it comes together", async () => {
    const route = routeTo("ops", { pace: night });
    for (const at of ["21:30", "23:30", "23:59"]) {
      await lookAt(`2026-11-24T${at}:00Z`);
      await tell([route], messageOf(`warning at ${at}`));
    }
    await tell([route], messageOf("critical", { severity: "critical" }));
    await lookAt("2026-11-25T00:00:00Z");
    expect(lists()).toEqual([["critical"]]);
    await lookAt("2026-11-25T05:59:59Z");
    expect(lists()).toHaveLength(1);
    await lookAt("2026-11-25T06:00:00Z");
    expect(lists()[1]).toEqual(["warning at 21:30", "warning at 23:30", "warning at 23:59"]);
  });

  it("leave a receiver that is away in the morning the same day that others have", async () => {
    const { port } = receiver;
    await receiver.close();
    clock.now = Date.parse("2026-11-24T21:30:00Z");
    await tell([routeTo("ops", { pace: night })], messageOf("a"));
    for (const hour of ["06:00", "12:00", "18:00", "22:30"]) await lookAt(`2026-11-25T${hour}:00Z`);
    receiver = await new Receiver().listen(port);
    await lookAt("2026-11-26T05:30:00Z");
    expect(lists()).toEqual([["a"]]);
  });
});

describe("a digest", () => {
  it("is one post of what came in its time, and what is critical does not wait for it", async () => {
    const route = routeTo("ops", { pace: { timezone: "UTC", quiet: [], digest: 900 } });
    for (let minute = 0; minute < 30; minute += 5) {
      await lookAt(`2026-11-25T10:${String(minute).padStart(2, "0")}:00Z`);
      await tell([route], messageOf(`at ${minute}`, { severity: minute === 20 ? "critical" : "info" }));
    }
    await lookAt("2026-11-25T10:30:00Z");
    expect(lists()).toEqual([["at 0", "at 5", "at 10"], ["at 20"], ["at 15", "at 25"]]);
  });
});

describe("a limit", () => {
  const limit = { posts: 2, perSeconds: 60 };

  it("lets so many posts out in its time; what comes beyond goes out together afterwards, and nothing is lost", async () => {
    for (let second = 0; second < 6; second++) {
      clock.now = Date.parse(`2026-11-25T10:00:0${second}Z`);
      await tell([routeTo("ops")], messageOf(`m${second}`));
      await lookAt(`2026-11-25T10:00:0${second}Z`, limit);
    }
    await tell([routeTo("ops")], messageOf("critical", { severity: "critical" }));
    await lookAt("2026-11-25T10:00:07Z", limit);
    expect(lists()).toEqual([["m0"], ["m1"], ["critical"]]);
    await lookAt("2026-11-25T10:00:59Z", limit);
    expect(lists()).toHaveLength(3);
    // Of the three that went out, the first two are a minute old, the third is not.
    await lookAt("2026-11-25T10:01:01Z", limit);
    expect(lists().slice(3)).toEqual([["m2", "m3", "m4", "m5"]]);
  });

  it("does not keep back what was begun: a repeat is no new post", async () => {
    receiver.behave = (_, response) => {
      response.statusCode = receiver.requests.length === 1 ? 500 : 200;
      response.end();
    };
    await tell([routeTo("ops")], messageOf("a"));
    await lookAt("2026-11-25T10:00:00Z", { posts: 1, perSeconds: 3600 });
    await tell([routeTo("ops")], messageOf("b"));
    await lookAt("2026-11-25T10:00:06Z", { posts: 1, perSeconds: 3600 });
    expect(lists()).toEqual([["a"], ["a"]]);
  });

  it("holds however many couriers look", async () => {
    const controls = await Promise.all([test.open(), test.open(), test.open()]);
    for (let index = 0; index < 5; index++) {
      await tell([routeTo("ops")], messageOf(`m${index}`));
      const channels = { ops: webhookTo(receiver.port, { limit }) };
      await Promise.all(controls.map((control) => carry({ control, channels }, clock, [])));
    }
    expect(lists()).toHaveLength(2);
    clock.now += 60_001;
    await Promise.all(
      controls.map((control) => carry({ control, channels: { ops: webhookTo(receiver.port, { limit }) } }, clock, [])),
    );
    expect(lists().flat().sort()).toEqual(["m0", "m1", "m2", "m3", "m4"]);
  });
});

describe("a storm of 500 messages", () => {
  it("reaches a chat as a handful of posts that name every one of them", async () => {
    await tell([routeTo("chat")], ...Array.from({ length: 500 }, (_, index) => messageOf(`Module ${index} failed`)));
    const chat = createChannel({
      kind: "mattermost",
      url: new Secret(`http://127.0.0.1:${receiver.port}/`),
      limit: undefined,
    });
    await carry({ control: test.control, channels: { chat } }, clock, [1]);
    const texts = receiver.requests.map(({ body }) => (JSON.parse(body) as { text: string }).text);
    expect(texts.length).toBeLessThanOrEqual(3);
    for (let index = 0; index < 500; index++) expect(texts.join("\n")).toContain(`Module ${index} failed`);
    expect(new Set((await listDeliveries(test.control, 500)).map(({ state }) => state))).toEqual(
      new Set(["delivered"]),
    );
  });
});
