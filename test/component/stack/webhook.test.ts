import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebhookFailed } from "../../../src/procedures/deployment/errors.ts";
import { createStack } from "../../../src/stack/stack.ts";
import { perform, practiceStack } from "../../harness/perform.ts";
import { Receiver } from "../../harness/receiver.ts";

/** A webhook of the automation, called as a test. What a real n8n does with it: `test/system/n8n.test.ts`. */

let receiver: Receiver;
beforeAll(async () => {
  receiver = await new Receiver().listen();
});
afterAll(() => receiver.close());
beforeEach(() => {
  receiver.requests.length = 0;
});

function call(port = receiver.port) {
  const automation = { url: `http://127.0.0.1:${port}`, apiKey: "${KEY}" };
  const config = practiceStack("/srv/practice");
  const stack = createStack({ ...config, services: { ...config.services, automation: automation as never } });
  const action = stack.automation?.callWebhook("/webhook/test", { test: true, stack: "o'erp" });
  if (action === undefined) throw new TypeError("there is no automation");
  return perform(action);
}

describe("a webhook", () => {
  it("is told that it is a test", async () => {
    await call();
    const [asked] = receiver.requests;
    expect(JSON.parse(asked?.body ?? "")).toEqual({ test: true, stack: "o'erp" });
    expect(asked?.headers).toMatchObject({ "x-ipai-test": "true", "content-type": "application/json" });
  });

  it.each([
    [404, {}, "the answer is 404"],
    [500, {}, "the answer is 500"],
    [202, {}, "the answer is 202"],
    [302, { location: "/elsewhere" }, "the answer is 302"],
  ])("that answers %d is not well, and nothing else is asked", async (status, headers, words) => {
    receiver.behave = (_, response) => response.writeHead(status, headers).end();
    await expect(call()).rejects.toMatchObject({ code: WebhookFailed.code, message: expect.stringContaining(words) });
    expect(receiver.requests).toHaveLength(1);
  });

  it("that nobody answers is not well either", async () => {
    const words = expect.stringContaining("no answer: ");
    await expect(call(9)).rejects.toMatchObject({ code: WebhookFailed.code, message: words });
  });
});
