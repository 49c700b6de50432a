import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../../src/config/secret.ts";
import { WebhookFailed } from "../../../src/procedures/deployment/errors.ts";
import type { Automation } from "../../../src/stack/automation.ts";
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
  receiver.behave = (_, response) => response.end("ok");
});

const body = { test: true, stack: "o'erp" };

function automation(port: number, webhookSecret?: Secret): Automation {
  const given = { url: `http://127.0.0.1:${port}`, apiKey: new Secret("k"), webhookSecret };
  const config = practiceStack("/srv/practice");
  const stack = createStack({ ...config, services: { ...config.services, automation: given as never } });
  if (stack.automation === undefined) throw new TypeError("there is no automation");
  return stack.automation;
}

const call = (port = receiver.port) => perform(automation(port).callWebhook("/webhook/test", body));

/** With a secret that the configuration names. */
const callWith = (value: string) => {
  const secret = new Secret(value);
  const action = automation(receiver.port, secret).callWebhook("/webhook/test", body);
  return perform(action, { secrets: { "services.automation.webhookSecret": secret } });
};

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

  it("is sent the secret when there is one, which is in no argument", async () => {
    await callWith("sesame");
    expect(receiver.requests[0]?.headers).toMatchObject({ "x-webhook-secret": "sesame" });
    const { pipeline } = automation(receiver.port, new Secret("sesame")).callWebhook("/webhook/test", body);
    expect(JSON.stringify(pipeline.map(({ argv }) => argv))).not.toContain("sesame");
  });

  it("does not show a secret that no header can have", async () => {
    const told = await callWith("sesame\nlily").catch((error: unknown) => String(error));
    expect([told]).toEqual([expect.stringMatching(/no text for a header(?!.*sesame)/)]);
  });

  it("has to refuse whoever has no secret", async () => {
    const stranger = () => perform(automation(receiver.port, new Secret("s")).callWithoutSecret("/webhook/test", body));
    await expect(stranger()).rejects.toMatchObject({ message: expect.stringContaining("the answer is 200, not 403") });
    receiver.behave = (_, response) => response.writeHead(403).end();
    await stranger();
    expect(receiver.requests.at(-1)?.headers).not.toHaveProperty("x-webhook-secret");
  });

  it("that nobody answers is not well either", async () => {
    const words = expect.stringContaining("no answer: ");
    await expect(call(9)).rejects.toMatchObject({ code: WebhookFailed.code, message: words });
  });
});
