import { describe, expect, it } from "vitest";
import { example } from "./fixtures/example.ts";
import { parseConfig, secretsOf } from "./load.ts";

/** The example with an n8n. */
function withAutomation(more: string): string {
  const automation = `automation: { url: "http://127.0.0.1:5678/", apiKey: "\${N8N_KEY}"${more} }`;
  return example.replace("      proxy:", `      ${automation}\n      proxy:`);
}

function parse(more: string, environment: NodeJS.ProcessEnv = { N8N_KEY: "k" }) {
  return parseConfig(withAutomation(more), "ipai.yaml", environment).stacks["production"];
}

describe("the automation of a stack", () => {
  it("has a key for its API, which is a secret, and says where it keeps its data", () => {
    const stack = parse(", database: n8n, keyFile: /srv/n8n/config");
    if (stack === undefined) throw new TypeError("no stack");
    const { automation } = stack.services;
    expect(automation).toMatchObject({ url: "http://127.0.0.1:5678", database: "n8n", keyFile: "/srv/n8n/config" });
    expect(JSON.stringify(automation)).toContain("[secret]");
    expect(secretsOf(stack)["services.automation.apiKey"]?.reveal()).toBe("k");
  });

  it("may have the key of Odoo that its credential needs, a secret too", () => {
    const stack = parse(', odooKey: "${ODOO_KEY}"', { N8N_KEY: "k", ODOO_KEY: "o" });
    if (stack === undefined) throw new TypeError("no stack");
    expect(secretsOf(stack)["services.automation.odooKey"]?.reveal()).toBe("o");
    expect(() => parse(', odooKey: "${ODOO_KEY}"')).toThrow("ODOO_KEY is not set");
  });

  it("may ask for a secret of whoever calls a webhook", () => {
    const stack = parse(', webhookSecret: "${HOOK}"', { N8N_KEY: "k", HOOK: "h" });
    if (stack === undefined) throw new TypeError("no stack");
    expect(secretsOf(stack)["services.automation.webhookSecret"]?.reveal()).toBe("h");
    expect(() => parse(', webhookSecret: "${HOOK}"')).toThrow("HOOK is not set");
    expect(() => parse(", webhookSecret: sesame")).toThrow("must be ${NAME}");
  });

  it.each([
    ["a key that is not in the environment", "", {}, "the environment variable N8N_KEY is not set"],
    ["a service that is another's", ", name: nginx", undefined, "nginx is used twice under services"],
    ["a service that nobody defines", ", name: n8n", undefined, "n8n is not defined under runtime.native.services"],
    ["Odoo's own database", ", database: odoo", undefined, "the database odoo on port 5432 of"],
    ["a key file that is nowhere", ", keyFile: config", undefined, "must be an absolute path"],
  ])("does not have %s", (_, more, environment, words) => {
    expect(() => parse(more, environment)).toThrow(words);
  });
});
