import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import { LocalExecutor } from "../../../src/host/local.ts";
import { createPerformer } from "../../../src/host/perform.ts";
import { createDesk } from "../../../src/procedures/finance/desk.ts";
import { createStack } from "../../../src/stack/stack.ts";
import * as held from "../../harness/finance.ts";
import { practiceStack } from "../../harness/perform.ts";
import { Receiver } from "../../harness/receiver.ts";

/** What is asked at the door of Finance PPM, and what its answers mean. A real Odoo: `test/system/finance-desk.test.ts`. */

let receiver: Receiver;
beforeAll(async () => {
  receiver = await new Receiver().listen();
});
afterAll(() => receiver.close());
beforeEach(() => {
  receiver.requests.length = 0;
});

const key = "key-of-the-tests-of-the-desk";

function deskAt(port: number) {
  const config = practiceStack("/srv/practice");
  const odoo = [{ name: "odoo-accounting", url: `http://127.0.0.1:${port}` }];
  const executor = new LocalExecutor();
  return createDesk(
    createStack({ ...config, finance: { apiKey: new Secret(key) }, services: { ...config.services, odoo } }),
    createPerformer({ executors: () => executor, calls: { get: () => undefined } }),
  );
}

const asked: { method: string | undefined; url: string | undefined }[] = [];
const answer = (status: number, body: unknown) => (request: IncomingMessage, response: ServerResponse) => {
  asked.push({ method: request.method, url: request.url });
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json" }).end(text);
};
const newHoliday = { ...held.holiday, regions: [] };

describe("the desk", () => {
  it("sends the key where nobody reads it, and reads what the door answers", async () => {
    receiver.behave = answer(200, { filings: held.filings });
    expect(await deskAt(receiver.port).filings({ all: true, year: "2026" })).toEqual(held.filings);
    expect(asked.at(-1)).toEqual({ method: "GET", url: "/ipai/finance/ppm/api/filings?state=all&year=2026" });
    expect(receiver.requests[0]?.headers.authorization).toBe(`Bearer ${key}`);
  });

  it("reads closes of a month or of all, and heartbeats", async () => {
    receiver.behave = answer(200, { closes: [held.close] });
    expect(await deskAt(receiver.port).closes("2026-09")).toEqual([held.close]);
    expect(asked.at(-1)?.url).toBe("/ipai/finance/ppm/api/closes?period=2026-09");
    await deskAt(receiver.port).closes();
    expect(asked.at(-1)?.url).toBe("/ipai/finance/ppm/api/closes");
    receiver.behave = answer(200, { heartbeats: [held.heartbeat] });
    expect(await deskAt(receiver.port).heartbeats()).toEqual([held.heartbeat]);
  });

  it("says whether it only asks what would move", async () => {
    receiver.behave = answer(200, { moves: [held.move] });
    expect(await deskAt(receiver.port).addHoliday(newHoliday, true)).toEqual([held.move]);
    expect(JSON.parse(receiver.requests[0]?.body ?? "")).toMatchObject({ date: "2026-11-02", preview: true });
  });

  it.each([
    [401, "<h1>Unauthorized</h1>", "finance.key_refused", "Nothing was changed"],
    [
      403,
      { error: { code: "x", message: "Managers keep the registers." } },
      "finance.not_allowed",
      "Managers keep the registers. Nothing",
    ],
    [404, "<h1>Not Found</h1>", "finance.addon_missing", "Nothing was changed"],
    [
      404,
      { error: { code: "x", message: "there is no alert 12" } },
      "finance.refused",
      "there is no alert 12. Nothing was changed",
    ],
    [
      400,
      { error: { code: "x", message: "a day is written as 2026-01-31" } },
      "finance.refused",
      "2026-01-31. Nothing was changed",
    ],
    [503, "closed", "finance.odoo_away", "Nothing was changed"],
    [500, "<h1>Error</h1>", "finance.odoo_away", "Whether it was done is not known"],
    [303, "", "finance.odoo_away", "the answer is 303"],
    [200, "<html>", "finance.answer_unreadable", "it is no JSON. Nothing was changed"],
    [200, { moves: [{ id: "x" }] }, "finance.answer_unreadable", "moves.0.id"],
  ])("takes %d %j for %s", async (status, body, code, words) => {
    receiver.behave = answer(status, body);
    const ended = status === 200 && body === "<html>" ? deskAt(receiver.port).alerts() : undefined;
    await expect(ended ?? deskAt(receiver.port).addHoliday(newHoliday, false)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
  });

  it("knows that nothing was done where nobody listens, and not where an answer broke off", async () => {
    const away = { code: "finance.odoo_away", message: expect.stringContaining("Nothing was changed") };
    await expect(deskAt(9).acknowledge(1)).rejects.toMatchObject(away);
    receiver.behave = (_, response) => response.destroy();
    const unknown = { code: "finance.odoo_away", message: expect.stringContaining("is not known") };
    await expect(deskAt(receiver.port).acknowledge(1)).rejects.toMatchObject(unknown);
  });

  it("is not there without a key", () => {
    const stack = createStack(practiceStack("/srv/practice"));
    const performer = createPerformer({ executors: () => new LocalExecutor(), calls: { get: () => undefined } });
    expect(() => createDesk(stack, performer)).toThrow("has no key for Finance PPM");
  });
});
