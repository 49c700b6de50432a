import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import type { Message } from "../../../src/engine/message.ts";
import { listDeliveries, post } from "../../../src/engine/outbox.ts";
import { createChannel } from "../../../src/notify/channels.ts";
import { startControl, type TestControl } from "../../harness/control.ts";
import { Mattermost } from "../../harness/mattermost.ts";
import { batchOf, carry, messageOf, routeTo } from "../../harness/messages.ts";

let test: TestControl;
let mattermost: Mattermost;
let clock: { now: number };
beforeAll(async () => {
  test = await startControl();
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  mattermost = await new Mattermost().listen();
  clock = { now: Date.now() };
});
afterEach(async () => {
  await mattermost.close();
  await test.control.db.deleteFrom("messages").execute();
  await test.control.db.deleteFrom("threads").execute();
});

const bot = (token: string = mattermost.token) =>
  createChannel({
    ...{ kind: "mattermost-bot", url: new Secret(`${mattermost.url}/`), token: new Secret(token) },
    ...{ channel: mattermost.channel, limit: undefined },
  });
const tell = async (...messages: readonly Message[]) => {
  await post(test.control.db, [routeTo("bot")], messages, new Date(clock.now));
};
const look = (seconds: readonly number[] = []) =>
  carry({ control: test.control, channels: { bot: bot() } }, clock, seconds);
const of = (run: string | null, title: string, changed: Partial<Message> = {}) => messageOf(title, { run, ...changed });
const told = () => mattermost.posts.map(({ message, root_id }) => [message.split("\n")[0], root_id]);

describe("a bot of Mattermost", () => {
  it("makes a thread of what it is told about one run, also a day later, and of each run one", async () => {
    await tell(of("r1", "begun"), of("r2", "begun too"), of(null, "health"));
    await look();
    clock.now += 86_400_000;
    await tell(of("r1", "ended"));
    await look();
    await tell(of("r2", "waits"));
    await look();
    const [one, two] = mattermost.posts.map(({ id }) => id);
    expect(told()).toEqual([
      ["**⚠️ erp: begun**", ""],
      ["**⚠️ erp: begun too**", ""],
      ["**⚠️ erp: health**", ""],
      ["**⚠️ erp: ended**", one],
      ["**⚠️ erp: waits**", two],
    ]);
  });

  it("says what is critical where everybody reads it, and what follows in the thread again", async () => {
    for (const changed of [{}, { severity: "critical" as const }, {}]) {
      await tell(of("r1", "a", changed));
      await look();
    }
    const [first] = mattermost.posts;
    expect(told().map(([, root]) => root)).toEqual(["", "", first?.id]);
  });

  it("opens a new thread when the post that had opened it was deleted", async () => {
    await tell(of("r1", "a"));
    await look();
    mattermost.posts.length = 0;
    for (const title of ["b", "c"]) {
      await tell(of("r1", title));
      await look();
    }
    expect(told()).toEqual([
      ["**⚠️ erp: b**", ""],
      ["**⚠️ erp: c**", mattermost.posts[0]?.id],
    ]);
  });

  it("posts once what was taken although the answer was lost: within 30 s by the server's memory, later by asking", async () => {
    for (const isLate of [false, true]) {
      const before = mattermost.posts.length;
      mattermost.afterTaking = (request) => request.socket.destroy();
      await tell(of(`r${isLate}`, "a"));
      await look();
      expect((await listDeliveries(test.control, 1))[0]).toMatchObject({ state: "due" });
      if (isLate) mattermost.forgetPending();
      await look([6]);
      expect((await listDeliveries(test.control, 1))[0]).toMatchObject({ state: "delivered", attempts: 2 });
      expect(mattermost.posts.length).toBe(before + 1);
      // And its thread goes on below it.
      await tell(of(`r${isLate}`, "b"));
      await look();
      expect(mattermost.posts.at(-1)?.root_id).toBe(mattermost.posts[before]?.id);
    }
    expect(mattermost.lists).toBe(2);
  });

  it("takes a 201 at its word whose body never ends", async () => {
    mattermost.afterTaking = (_, response) => void response.writeHead(201).write('{"id":');
    expect(await bot().send(batchOf([messageOf("a")]), () => new Date())).toEqual({ kind: "delivered" });
  }, 30_000);

  it("folds a storm into a handful of posts, each of them short enough", async () => {
    await tell(...Array.from({ length: 500 }, (_, index) => of(`r${index}`, `Upgrade module_${index}: failed`)));
    await look();
    expect(mattermost.posts.length).toBeLessThanOrEqual(4);
    expect(await states()).toEqual({ delivered: 500 });
    const all = mattermost.posts.map(({ message }) => message).join("\n");
    for (let index = 0; index < 500; index++) expect(all).toContain(`module\\_${index}: failed`);
  });

  it("cuts what is too long for one post", async () => {
    await tell(of(null, "long", { lines: ["x".repeat(20_000)] }));
    await look();
    expect(mattermost.posts.map(({ message }) => message.length)).toEqual([16_000]);
  });

  it("whose token is not taken keeps its messages: somebody will mend it", async () => {
    const answer = await bot("wrong").send(batchOf([messageOf("a")]), () => new Date());
    expect(answer).toEqual({ kind: "again", reason: "401: the token is not taken", afterSeconds: 900 });
  });

  it("that may not post where it shall is told so in the server's words", async () => {
    const url = new Secret(mattermost.url);
    const token = new Secret(mattermost.token);
    const channel = "d".repeat(26);
    const other = createChannel({ kind: "mattermost-bot", url, token, channel, limit: undefined });
    expect(await other.send(batchOf([messageOf("a")]), () => new Date())).toEqual({
      kind: "refused",
      reason: "400: failed: api.context.invalid_param.app_error",
    });
  });
});

async function states(): Promise<Readonly<Record<string, number>>> {
  const rows = await listDeliveries(test.control, 1000);
  const groups = Map.groupBy(rows, ({ state }) => state);
  return Object.fromEntries([...groups].map(([state, all]) => [state, all.length]));
}
