import { describe, expect, it } from "vitest";
import { ConfigInvalid } from "./errors.ts";
import { example } from "./fixtures/example.ts";
import { parseConfig } from "./load.ts";

const environment = { ID: "ipai", KEY: "of the provider", SIGNING: "of the sessions" };
const parse = (serve: string, given: NodeJS.ProcessEnv = environment) =>
  parseConfig(`${example}${serve}`, "ipai.yaml", given).serve;

describe("serve", () => {
  it("listens on the loopback, and is open to nobody by OIDC, when nothing is said", () => {
    expect(parse("")).toEqual({
      ...{ listen: "127.0.0.1:8420", url: "http://127.0.0.1:8420", secret: undefined },
      ...{ secondFactor: "optional", oidc: {} },
    });
    expect(parse("serve: { listen: '[::1]:80' }").url).toBe("http://[::1]:80");
  });

  it("has its secrets from the environment, and shows none", () => {
    const provider = "issuer: 'https://login.example.com/', clientId: '${ID}', clientSecret: '${KEY}'";
    const serve = parse(
      `serve: { url: 'https://ops.example.com/', secret: '\${SIGNING}', oidc: { company: { ${provider}, match: { handle: nick } } } }`,
    );
    expect(serve).toMatchObject({
      url: "https://ops.example.com",
      oidc: { company: { issuer: "https://login.example.com", match: { handle: "nick" }, secondFactor: false } },
    });
    expect(serve.secret?.reveal()).toBe("of the sessions");
    expect(serve.oidc["company"]?.clientId.reveal()).toBe("ipai");
    expect(serve.oidc["company"]?.clientSecret.reveal()).toBe("of the provider");
    expect(JSON.stringify(serve)).not.toContain("of the");
  });

  it.each([
    ["a secret in the file", "serve: { secret: abc }", "must be ${NAME}"],
    ["a variable that is not set", "serve: { secret: '${GONE}' }", "the environment variable GONE is not set"],
    ["a reference elsewhere", "serve: { url: 'https://${HOST}' }", "is not replaced here"],
    ["no port", "serve: { listen: localhost }", "must be ADDRESS:PORT"],
    ["another policy", "serve: { secondFactor: maybe }", "secondFactor"],
    ["a key that there is not", "serve: { secondfactor: required }", "secondFactor"],
    [
      "a strange match",
      "serve: { oidc: { a: { issuer: 'https://b.c', clientId: '${ID}', clientSecret: '${KEY}', match: x } } }",
      "must be email, or",
    ],
  ])("is refused with %s", (_, serve, message) => {
    const error = (() => {
      try {
        return parse(serve);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: ConfigInvalid.code });
    expect(String(error)).toContain(message);
  });
});
