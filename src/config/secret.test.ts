import { format, inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { defineError, toErrorRecord } from "../errors/error.ts";
import { Secret } from "./secret.ts";

const secret = new Secret("hunter2");
const Refused = defineError<{ password: Secret }>("test.refused", {
  exitCode: 40,
  message: (d) => `${d.password} was refused.`,
  hint: () => "This is a test.",
});

describe("a secret", () => {
  it("is revealed only by being asked", () => {
    expect(secret.reveal()).toBe("hunter2");
  });

  it.each<[string, () => string]>([
    ["a template", () => `${secret}`],
    ["a joined text", () => "a".concat(secret as unknown as string)],
    ["String", () => String(secret)],
    ["JSON", () => JSON.stringify({ a: [secret] })],
    ["a list", () => [secret].join()],
    ["inspection", () => inspect({ secret }, { depth: null })],
    ["inspection of hidden members", () => inspect(secret, { showHidden: true, getters: true })],
    ["inspection without its own word", () => inspect(secret, { customInspect: false, showHidden: true })],
    ["formats", () => format("%s %o %O %j %d", secret, secret, secret, secret, secret)],
    ["its members", () => JSON.stringify([Object.entries(secret), Object.getOwnPropertyNames(secret), { ...secret }])],
    ["a copy", () => inspect(structuredClone(secret))],
    ["an error", () => Refused({ password: secret }).message],
    ["an error's record", () => JSON.stringify(toErrorRecord(Refused({ password: secret })))],
    ["an error's inspection", () => inspect(Refused({ password: secret }, { cause: secret }), { depth: null })],
  ])("does not show in %s", (_, print) => {
    expect(print()).not.toContain("hunter2");
  });

  it("shows that there is one", () => {
    expect([`${secret}`, JSON.stringify(secret), inspect(secret)]).toEqual(["[secret]", '"[secret]"', "[secret]"]);
  });
});
