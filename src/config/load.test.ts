import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { IpaiError } from "../errors/error.ts";
import { example } from "./fixtures/example.ts";
import { getStack, loadConfig, parseConfig, secretsOf } from "./load.ts";

const base = mkdtempSync(join(tmpdir(), "ipai-config-"));
afterAll(() => rmSync(base, { recursive: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(base, "case-"));
});

/** The problems that a text has, as `line:column: message`. */
function problemsOf(text: string, environment: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    parseConfig(text, "ipai.yaml", environment);
    return [];
  } catch (error) {
    if (!(error instanceof IpaiError) || error.code !== "config.invalid") throw error;
    return error.message.split("\n").map((line) => line.replace(/^ipai\.yaml:/, ""));
  }
}

/** The example with one text replaced by another. */
function broken(from: string | RegExp, to: string): string {
  const text = example.replace(from, to);
  expect(text).not.toBe(example);
  return text;
}

const passwordFile = "passwordFile: /etc/ipai/password";
const withSecrets = `${broken(passwordFile, "password: ${RESTIC_PASSWORD}")}control: { database: "\${CONTROL_URL}" }\n`;
const secrets = { RESTIC_PASSWORD: "hunter2", CONTROL_URL: "postgres://ipai:hunter2@db/ipai" };

describe("a good configuration", () => {
  it("is read with its defaults", () => {
    const config = parseConfig(example, "/etc/ipai.yaml", {});
    expect(config.file).toBe("/etc/ipai.yaml");
    expect(config.control.url).toBeUndefined();
    expect(getStack(config)).toMatchObject({
      name: "production",
      host: "local",
      timezone: "Asia/Manila",
      workDirectory: "/var/lib/ipai/work/production",
      services: {
        database: { name: "database", host: "/var/run/postgresql", port: 5432, superuser: "postgres" },
        proxy: { name: "nginx" },
      },
      odoo: { user: "odoo", database: "odoo", modules: ["ipai_*"], addons: [] },
      health: { disk: { warn: 80, fail: 90 }, memory: { warn: 80, fail: 90 }, paths: [] },
      backup: { timeoutHours: 6, password: undefined },
      objectives: { rtoSeconds: 14_400, rpoSeconds: 86_400 },
    });
  });

  it("takes secrets from the environment, and hands them out by their path", () => {
    const config = parseConfig(withSecrets, "ipai.yaml", secrets);
    expect(config.control.url?.reveal()).toBe(secrets.CONTROL_URL);
    expect(secretsOf(getStack(config))["backup.password"]?.reveal()).toBe("hunter2");
    expect(secretsOf(getStack(parseConfig(example, "ipai.yaml", {})))).toEqual({});
  });

  it("has a password for a cache that wants one", () => {
    const cache = 'cache: { name: redis, url: "redis://127.0.0.1", user: probe, password: "${REDIS_PASSWORD}" }';
    const redis = "redis: { command: [redis-server], user: redis, pidFile: /run/redis.pid, log: /var/log/redis.log }";
    const text = broken("      proxy:", `      ${cache}\n      proxy:`).replace(
      "          nginx:",
      `          ${redis}\n          nginx:`,
    );
    const stack = getStack(parseConfig(text, "ipai.yaml", { REDIS_PASSWORD: "sesame" }));
    expect(stack.services.cache?.user).toBe("probe");
    expect(secretsOf(stack)["services.cache.password"]?.reveal()).toBe("sesame");
    expect(JSON.stringify(stack)).not.toContain("sesame");
    expect(problemsOf(text)).toEqual([expect.stringContaining("the environment variable REDIS_PASSWORD is not set")]);
  });

  it("never shows a secret, however it is printed", () => {
    const config = parseConfig(withSecrets, "ipai.yaml", secrets);
    const shown = [
      JSON.stringify(config),
      inspect(config, { depth: null, showHidden: true }),
      `${config.control.url}`,
      String(getStack(config).backup?.password),
      inspect(new Error("x", { cause: config }), { depth: null }),
    ];
    for (const text of shown) expect(text).not.toContain("hunter2");
    expect(JSON.parse(JSON.stringify(config)).control.url).toBe("[secret]");
  });

  it.each(["ssh://erp", "ssh://root@erp.example.com", "ssh://root@203.0.113.7:2222", "ssh://root@[2001:db8::7]:22"])(
    "may be on the machine %s",
    (host) => {
      expect(getStack(parseConfig(broken("    urls:", `    host: "${host}"\n    urls:`), "ipai.yaml", {})).host).toBe(
        host,
      );
    },
  );

  it.each(["ssh://-oProxyCommand=x", "ssh://erp/path", "root@erp", "ssh://a b", "ssh://erp:port", "https://erp"])(
    "may not be on %s",
    (host) => {
      expect(problemsOf(broken("    urls:", `    host: "${host}"\n    urls:`)).join()).toContain(
        "must be local, or ssh://",
      );
    },
  );

  it("cannot be changed", () => {
    const config = parseConfig(withSecrets, "ipai.yaml", secrets);
    const open: string[] = [];
    const visit = (value: unknown, path: string) => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) open.push(path);
      for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
    };
    visit(config, "config");
    expect(open).toEqual([]);
  });

  it("may use YAML's anchors and merges", () => {
    const text = broken(
      / {10}nginx:\n {12}command.*\n {12}user: root\n/,
      "          nginx:\n            <<: *daemon\n            command: [nginx]\n",
    ).replace("odoo-core:\n", "odoo-core: &daemon\n");
    expect(getStack(parseConfig(text, "ipai.yaml", {})).runtime).toMatchObject({
      native: { services: { nginx: { user: "odoo", pidFile: "/run/nginx.pid" } } },
    });
  });
});

describe("a stack", () => {
  const two = parseConfig(
    example +
      example
        .replace("stacks:\n", "")
        .replace("production", "practice")
        .replace("backup", "workDirectory: /w\n    backup")
        .replaceAll("/run/", "/run2/")
        .replace("odoo: { command", "odoo: { database: other, command"),
    "ipai.yaml",
    {},
  );

  it("is found by its name", () => {
    expect(getStack(two, "practice").name).toBe("practice");
  });

  it.each<[string | undefined, string]>([
    [undefined, "There are several stacks: production, practice."],
    ["pracitce", "There is no stack pracitce; there is production, practice. Did you mean practice?"],
    ["staging", "There is no stack staging; there is production, practice."],
    ["constructor", "There is no stack constructor; there is production, practice."],
  ])("named %s is refused", (name, message) => {
    expect(() => getStack(two, name)).toThrow(expect.objectContaining({ code: "config.unknown_stack", message }));
  });
});

describe("a mistake in the text", () => {
  it.each<[string, string, readonly (string | RegExp)[]]>([
    ["nothing", "", ["1:1: stacks: is missing"]],
    ["only comments", "# one\n\n# two\n", ["1:1: stacks: is missing"]],
    ["a list", "- a\n", ["1:1: must be a map of keys and values, not a list"]],
    ["a word", "stacks\n", ["1:1: must be a map of keys and values, not text"]],
    ["no stack", "stacks: {}\n", ["1:1: stacks: must define at least one stack"]],
    [
      "an empty stack",
      "stacks:\n  production:\n",
      ["2:3: stacks.production: must be a map of keys and values, not empty"],
    ],
    ["a tab", "stacks:\n\tproduction: {}\n", [/^2:1: .*[Tt]ab/]],
    ["a key twice", "stacks: {}\nstacks: {}\n", [/^2:1: Map keys must be unique/]],
    ["a bracket that is not closed", "stacks: {\n", [/^\d:\d+: Flow map/]],
    ["two documents", "stacks: {}\n---\nstacks: {}\n", [/^2:1: .*multiple documents/]],
    ["a tag that nothing knows", "stacks: !secret x\n", [/^1:9: Unresolved tag: !secret/]],
    [
      "a reference to nothing",
      "stacks:\n  production: *nope\n",
      ["2:15: *nope stands for nothing: there is no &nope before it"],
    ],
    [
      "a reference to itself",
      "stacks: &a\n  production: *a\n",
      [...Array.from({ length: 4 }, () => /^2:3: .* is missing$/), /^2:3: stacks\.production: unknown key production/],
    ],
    [
      "a stack's name that could not be typed",
      "stacks:\n  Prod 1: {}\n",
      ["2:3: stacks.Prod 1: the name must begin with a letter and have only a-z, 0-9 and -"],
    ],
  ])("%s is told with its place", (_, text, expected) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(expected.length);
    for (const [index, one] of expected.entries()) expect(problems[index]).toMatch(one);
  });

  it("is told for every mistake, in the order of the file", () => {
    const text = broken("passwordFile", "passwordFil").replace("urls:", "url:").replace("user: root", "user: 5");
    expect(problemsOf(text)).toEqual([
      "2:3: stacks.production.urls: is missing",
      "14:13: stacks.production.runtime.native.services.nginx.user: must be text, not the number 5",
      "22:5: stacks.production: unknown key url. Did you mean urls?",
      "23:5: stacks.production.backup: needs either passwordFile or password",
      "25:7: stacks.production.backup: unknown key passwordFil. Did you mean passwordFile?",
    ]);
  });

  it("with references that grow beyond measure is refused", () => {
    const level = (name: string, of: string) =>
      `${name}: &${name} [${Array.from({ length: 10 }, () => `*${of}`).join(", ")}]\n`;
    const text = `a: &a [x]\n${level("b", "a")}${level("c", "b")}${level("d", "c")}${level("e", "d")}`;
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^1:1: Excessive alias count/)]);
  });
});

describe("an unknown key", () => {
  it.each<[string, string | RegExp, string, string]>([
    ["at the top", /$/, "contrl: {}\n", "26:1: unknown key contrl. Did you mean control?"],
    [
      "of a stack",
      "    urls:",
      "    timezon: Asia/Manila\n    urls:",
      "22:5: stacks.production: unknown key timezon. Did you mean timezone?",
    ],
    [
      "in a list",
      'url: "http://127.0.0.1:8069"',
      'url: "http://127.0.0.1:8069", nam: x',
      "19:60: stacks.production.services.odoo.0: unknown key nam. Did you mean name?",
    ],
    [
      "of an optional object",
      "proxy: { name: nginx",
      "proxy: { name: nginx, nam: x",
      "20:29: stacks.production.services.proxy: unknown key nam. Did you mean name?",
    ],
    [
      "of an object with defaults",
      "    urls:",
      "    health: { disk: { wran: 5 } }\n    urls:",
      "22:23: stacks.production.health.disk: unknown key wran. Did you mean warn?",
    ],
    [
      "of an object that is changed when read",
      "    urls:",
      "    objectives: { rt: 1h }\n    urls:",
      "22:19: stacks.production.objectives: unknown key rt. Did you mean rto?",
    ],
    [
      "of a cluster",
      "{ cluster: 15/main }",
      "{ cluster: 15/main, configroot: /x }",
      "6:41: stacks.production.runtime.native.services.database: unknown key configroot. Did you mean configRoot?",
    ],
    [
      "of a daemon",
      "            user: odoo\n",
      "            user: odoo\n            stopSecond: 5\n",
      "10:13: stacks.production.runtime.native.services.odoo-core: unknown key stopSecond. Did you mean stopSeconds?",
    ],
    ["like no other", "    urls:", "    xyzzy: 1\n    urls:", "22:5: stacks.production: unknown key xyzzy"],
  ])("%s is told with its place and the nearest name", (_, from, to, expected) => {
    expect(problemsOf(broken(from, to))).toEqual([expected]);
  });
});

describe("a wrong value", () => {
  const at = "stacks.production";
  it.each<[string, string | RegExp, string, readonly string[]]>([
    ["missing key", "            user: root\n", "", [`12:11: ${at}.runtime.native.services.nginx.user: is missing`]],
    [
      "key of a daemon that is misspelled",
      "pidFile: /run/nginx.pid",
      "pidfile: /run/nginx.pid",
      [
        `12:11: ${at}.runtime.native.services.nginx.pidFile: is missing`,
        `15:13: ${at}.runtime.native.services.nginx: unknown key pidfile. Did you mean pidFile?`,
      ],
    ],
    [
      "service of no kind",
      "{ cluster: 15/main }",
      "5",
      [`6:11: ${at}.runtime.native.services.database: must have either cluster, or command, user, pidFile and log`],
    ],
    [
      "version of a cluster",
      "15/main",
      "main",
      [`6:23: ${at}.runtime.native.services.database.cluster: must be VERSION/NAME, as pg_lsclusters shows it`],
    ],
    [
      "service's name",
      "          nginx:",
      '          "ngi nx":',
      [
        `12:11: ${at}.runtime.native.services.ngi nx: the name must begin with a letter or digit and have only letters, digits, and _ . -`,
      ],
    ],
    [
      "relative path",
      "/run/nginx.pid",
      "run/nginx.pid",
      [`15:13: ${at}.runtime.native.services.nginx.pidFile: must be an absolute path`],
    ],
    [
      "empty command",
      "command: [nginx]",
      "command: []",
      [`13:13: ${at}.runtime.native.services.nginx.command: must name a program`],
    ],
    [
      "command that is one text",
      "command: [nginx]",
      "command: nginx -g x",
      [`13:13: ${at}.runtime.native.services.nginx.command: must be a list, not text`],
    ],
    [
      "argument that is no text",
      "command: [nginx]",
      "command: [nginx, 5]",
      [`13:30: ${at}.runtime.native.services.nginx.command.1: must be text, not the number 5`],
    ],
    [
      "address",
      "https://erp.example.com",
      "erp.example.com",
      [`22:13: ${at}.urls.public: must be a URL such as http://127.0.0.1:8069`],
    ],
    [
      "address of another protocol",
      "https://erp.example.com",
      "ftp://erp.example.com",
      [`22:13: ${at}.urls.public: must be a URL such as http://127.0.0.1:8069`],
    ],
    [
      "address with a password",
      "https://erp.example.com",
      "https://u:hunter2@erp.example.com",
      [`22:13: ${at}.urls.public: must not hold a user or password: it shows in commands`],
    ],
    [
      "machine",
      "    urls:",
      "    host: ssh://root:hunter2@erp\n    urls:",
      [`22:5: ${at}.host: must be local, or ssh://USER@HOST with a :PORT if it is not 22`],
    ],
    [
      "time zone",
      "    urls:",
      "    timezone: Manila\n    urls:",
      [`22:5: ${at}.timezone: must be an IANA time zone such as Asia/Manila`],
    ],
    [
      "port",
      "      proxy:",
      "      database: { port: 70000 }\n      proxy:",
      [`20:19: ${at}.services.database.port: must be at most 65535`],
    ],
    [
      "duration without its unit",
      "    urls:",
      "    objectives: { rto: 15 }\n    urls:",
      [`22:19: ${at}.objectives.rto: must be a duration such as "15m", "4h" or "7d"`],
    ],
    [
      "duration with a strange unit",
      "    urls:",
      "    objectives: { rpo: 5y }\n    urls:",
      [`22:19: ${at}.objectives.rpo: must be a duration such as "15m", "4h" or "7d"`],
    ],
    [
      "percentage",
      "    urls:",
      "    health: { disk: { fail: 101 } }\n    urls:",
      [`22:23: ${at}.health.disk.fail: must be at most 100`],
    ],
    [
      "limits in the wrong order",
      "    urls:",
      "    health: { memory: { warn: 95 } }\n    urls:",
      [`22:15: ${at}.health.memory: warn must not be above fail`],
    ],
    [
      "number of workers",
      "      repository:",
      "      jobs: 1.5\n      repository:",
      [`24:7: ${at}.backup.jobs: must be a whole number, not the number 1.5`],
    ],
    [
      "number of hours",
      "      repository:",
      "      timeoutHours: 0\n      repository:",
      [`24:7: ${at}.backup.timeoutHours: must be more than 0`],
    ],
    [
      "two passwords",
      "      repository:",
      "      password: ${X}\n      repository:",
      [`23:5: ${at}.backup: needs either passwordFile or password`],
    ],
    ["no password", `      ${passwordFile}\n`, "", [`23:5: ${at}.backup: needs either passwordFile or password`]],
    [
      "password in the file",
      passwordFile,
      "password: hunter2",
      [`25:7: ${at}.backup.password: must be \${NAME}, so that the secret comes from the environment`],
    ],
    [
      "control database in the file",
      /$/,
      "control: { database: postgres://u:hunter2@db/x }\n",
      ["26:12: control.database: must be embedded or ${NAME}"],
    ],
    [
      "managed modules",
      "odoo: { command",
      "odoo: { modules: { a: b }, command",
      [`21:13: ${at}.odoo.modules: must be a pattern or a list of patterns`],
    ],
    [
      "name of a database",
      "odoo: { command",
      "odoo: { database: a/b, command",
      [`21:13: ${at}.odoo.database: must begin with a letter or digit and have only letters, digits, and _ . -`],
    ],
    [
      "long name of a database",
      "odoo: { command",
      `odoo: { database: ${"a".repeat(35)}, command`,
      [
        `21:13: ${at}.odoo.database: must have at most 34 characters, so that the copies that are made of it can be named`,
      ],
    ],
    [
      "repository of a recovery",
      "odoo: { command",
      "recovery: { repositories: { primry: { passwordFile: /k } } }\n    odoo: { command",
      [`21:33: ${at}.recovery.repositories.primry: there is no such repository. Did you mean primary?`],
    ],
    [
      "name of a variable",
      "            user: root",
      "            environment: { A-B: x }\n            user: root",
      [
        `14:28: ${at}.runtime.native.services.nginx.environment.A-B: the name must be a name for an environment variable`,
      ],
    ],
  ])("(%s) is told in words with its place", (_, from, to, expected) => {
    expect(problemsOf(broken(from, to))).toEqual(expected);
  });

  it("is never repeated when it might be a secret", () => {
    for (const text of ["password: hunter2", "password: [hunter2]"])
      expect(problemsOf(broken(passwordFile, text)).join()).not.toContain("hunter2");
  });
});

describe("keys that do not fit together", () => {
  const at = "stacks.production";
  it.each<[string, string | RegExp, string, readonly string[]]>([
    [
      "a service that is not there",
      "name: odoo-core",
      "name: odoo-cor",
      [`19:13: odoo-cor is not defined under runtime.native.services. Did you mean odoo-core?`],
    ],
    [
      "a service like a property of every object",
      "name: nginx",
      "name: constructor",
      ["20:16: constructor is not defined under runtime.native.services"],
    ],
    ["one service used twice", "name: nginx", "name: odoo-core", ["20:16: odoo-core is used twice under services"]],
    [
      "one pid file for two",
      "/run/nginx.pid",
      "/run/odoo.pid",
      ["15:13: pidFile /run/odoo.pid is used by another service too"],
    ],
    [
      "a variable where none is taken",
      "user: root",
      "user: ${NGINX_USER}",
      [
        `14:13: ${at}.runtime.native.services.nginx.user: \${NGINX_USER} is not replaced here; only control.database, the passwords under backup, what it and its copies have under environment, the keys under backup.wal.s3, services.cache.password, services.automation.apiKey, odooKey and webhookSecret, urls.login.password, finance.apiKey, secrets, and the addresses, secrets and tokens under notify, heartbeat, hooks and serve come from the environment`,
      ],
    ],
    [
      "a variable inside of a list",
      "command: [nginx]",
      'command: [nginx, "--x=${X}"]',
      [
        `13:30: ${at}.runtime.native.services.nginx.command.1: \${X} is not replaced here; only control.database, the passwords under backup, what it and its copies have under environment, the keys under backup.wal.s3, services.cache.password, services.automation.apiKey, odooKey and webhookSecret, urls.login.password, finance.apiKey, secrets, and the addresses, secrets and tokens under notify, heartbeat, hooks and serve come from the environment`,
      ],
    ],
  ])("(%s) are told with their place", (_, from, to, expected) => {
    expect(problemsOf(broken(from, to))).toEqual(expected);
  });

  it("two stacks on one database, one folder or one pid file are refused", () => {
    const second = example.replace("stacks:\n", "").replace("production", "copy");
    const text =
      example.replace("    urls", "    workDirectory: /w\n    urls") +
      second.replace("    urls", "    workDirectory: /w\n    urls");
    expect(problemsOf(text).map((line) => line.replace(/^\d+:\d+: /, ""))).toEqual([
      "pidFile /run/odoo.pid is used by another service too",
      "pidFile /run/nginx.pid is used by another service too",
      "the database odoo on port 5432 of /var/run/postgresql is another stack's too",
      "workDirectory /w is another stack's too",
    ]);
  });

  it("a variable that is not set, or set to nothing, is told where it is asked for", () => {
    expect(problemsOf(withSecrets, { CONTROL_URL: "" })).toEqual([
      "25:7: the environment variable RESTIC_PASSWORD is not set",
      "26:12: the environment variable CONTROL_URL is empty",
    ]);
  });
});

describe("the file", () => {
  const load = (environment: NodeJS.ProcessEnv = {}, path?: string) =>
    loadConfig({
      environment: { IPAI_HOME: folder, ...environment },
      directory: folder,
      ...(path === undefined ? {} : { path }),
    });
  const reasonOf = (path: string) =>
    load({}, path).then(
      () => "none",
      (error: IpaiError) => `${error.code} ${error.message.replaceAll(folder, "FOLDER")}`,
    );

  it("is the named one, from the caller's folder, else IPAI_CONFIG's, else the first that is there", async () => {
    mkdirSync(join(folder, "sandbox"));
    const files = ["named.yaml", "variable.yaml", "ipai.yaml", "sandbox/ipai.yaml"];
    for (const name of files) writeFileSync(join(folder, name), example);
    expect((await load({ IPAI_CONFIG: "variable.yaml" }, "named.yaml")).file).toBe(join(folder, "named.yaml"));
    expect((await load({ IPAI_CONFIG: "variable.yaml" })).file).toBe(join(folder, "variable.yaml"));
    expect((await load({ IPAI_CONFIG: "" })).file).toBe(join(folder, "ipai.yaml"));
    rmSync(join(folder, "ipai.yaml"));
    // A machine that has /etc/ipai/ipai.yaml takes that before the practice stack's.
    expect((await load()).file).toMatch(/^\/etc\/ipai\/ipai\.yaml$|\/sandbox\/ipai\.yaml$/);
  });

  it("that is named and missing is not replaced by another", async () => {
    writeFileSync(join(folder, "ipai.yaml"), example);
    expect(await reasonOf("other.yaml")).toBe("config.unreadable FOLDER/other.yaml cannot be read: it does not exist.");
  });

  it.each<[string, (file: string) => void, string]>([
    ["a folder", (file) => mkdirSync(file), "it is a folder"],
    ["a link to itself", (file) => symlinkSync(file, file), "its links go in a circle"],
    ["a device without an end", (file) => symlinkSync("/dev/zero", file), "it is larger than 1 MiB"],
    ["a large file", (file) => writeFileSync(file, "# x\n".repeat(300_000)), "it is larger than 1 MiB"],
    [
      "a binary file",
      (file) => writeFileSync(file, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1])),
      "it is not a text file",
    ],
    [
      "text of another encoding",
      (file) => writeFileSync(file, Buffer.from([0x61, 0xe9, 0x0a])),
      "it is not UTF-8 text",
    ],
  ])("that is %s is refused", async (_, make, reason) => {
    make(join(folder, "x.yaml"));
    expect(await reasonOf("x.yaml")).toBe(`config.unreadable FOLDER/x.yaml cannot be read: ${reason}.`);
  });

  it.runIf(process.getuid?.() !== 0)("that this user may not read is refused (root may read everything)", async () => {
    writeFileSync(join(folder, "x.yaml"), example);
    chmodSync(join(folder, "x.yaml"), 0);
    expect(await reasonOf("x.yaml")).toContain("this user may not read it");
  });

  it("may begin with a byte order mark", async () => {
    writeFileSync(join(folder, "ipai.yaml"), `\uFEFF${example}`);
    expect((await load()).stacks["production"]?.name).toBe("production");
  });

  it("that is nowhere is told with the places where it was looked for", async () => {
    const error: IpaiError = await load().then(
      () => expect.fail("there is one"),
      (thrown) => thrown,
    );
    expect(error.code).toBe("config.not_found");
    expect((error.details as { looked: string[] }).looked).toEqual([
      join(folder, "ipai.yaml"),
      "/etc/ipai/ipai.yaml",
      join(folder, "sandbox", "ipai.yaml"),
    ]);
    expect(error.message).toContain(join(folder, "ipai.yaml"));
  });
});
