import { describe, expect, it } from "vitest";
import { ConfigInvalid } from "./errors.ts";
import { example } from "./fixtures/example.ts";
import { getStack, parseConfig, secretsOf } from "./load.ts";

const environment = { ACCESS: "who", SECRET: "a key" };
const parse = (wal: string, given: NodeJS.ProcessEnv = environment) =>
  getStack(parseConfig(`${example}      wal: { passwordFile: /etc/ipai/archive, ${wal} }\n`, "ipai.yaml", given));
const keys = "accessKey: '${ACCESS}', secretKey: '${SECRET}'";

describe("backup.wal", () => {
  it("has a folder, or a bucket whose keys come from the environment", () => {
    expect(parse("repository: /srv/archive").backup?.wal).toMatchObject({ repository: "/srv/archive", s3: undefined });
    const stack = parse(`repository: 's3:https://s3.example.com:9000/odoo/main', s3: { ${keys} }`);
    expect(stack.backup?.wal?.s3).toMatchObject({ region: "us-east-1", addressing: "path" });
    expect(secretsOf(stack)["backup.wal.s3.accessKey"]?.reveal()).toBe("who");
    expect(secretsOf(stack)["backup.wal.s3.secretKey"]?.reveal()).toBe("a key");
    expect(JSON.stringify(stack)).not.toContain("a key");
  });

  it.each([
    [
      "a bucket without keys",
      "repository: 's3:https://s3.example.com/odoo'",
      "needs s3 when the repository is a bucket",
    ],
    ["keys for a folder", `repository: /srv/archive, s3: { ${keys} }`, "needs s3 when the repository is a bucket"],
    ["a bucket without TLS", `repository: 's3:http://s3.example.com/odoo', s3: { ${keys} }`, "or a bucket such as"],
    ["a server without a bucket", `repository: 's3:https://s3.example.com/', s3: { ${keys} }`, "or a bucket such as"],
    ["another kind", `repository: 'sftp:ops@example.com:/archive', s3: { ${keys} }`, "or a bucket such as"],
    [
      "a key in the file",
      "repository: 's3:https://s3.example.com/odoo', s3: { accessKey: who, secretKey: '${SECRET}' }",
      "must be ${NAME}",
    ],
    [
      "a variable that is not set",
      "repository: 's3:https://s3.example.com/odoo', s3: { accessKey: '${ACCESS}', secretKey: '${GONE}' }",
      "the environment variable GONE is not set",
    ],
  ])("is refused with %s", (_what, wal, problem) => {
    expect(() => parse(wal)).toThrow(
      expect.objectContaining({ code: ConfigInvalid.code, message: expect.stringContaining(problem) }),
    );
  });
});
