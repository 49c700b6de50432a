import { type ChildProcess, spawn } from "node:child_process";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { folder, home, isCompose, psql, root, run, sql, until, urls } from "../harness/sandbox.ts";

/** The module ipai_maintenance on the practice stack's Odoo: its own tests, and a switch by SQL beside a server that runs. */

const database = "maintenance_addon";
const addons = join(home, "addons");
const port = Number(new URL(urls.odoo[0] ?? "").port) + 5;
const url = `http://127.0.0.1:${port}`;
let server: ChildProcess | undefined;

interface OdooConfig {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Odoo as the stack runs it, on a database of its own and with the module. */
async function odoo(...words: readonly string[]): Promise<readonly string[]> {
  const { odoo: given } = parse(await readFile(join(folder, "ipai.yaml"), "utf8")).stacks.sandbox as {
    odoo: OdooConfig;
  };
  const conf = await readFile(join(folder, "odoo.conf"), "utf8");
  const paths = /^addons_path = (.*)$/m.exec(conf)?.[1];
  const variables = Object.entries(given.environment).map(([name, value]) => `${name}=${value}`);
  const options = ["-c", `${folder}/odoo.conf`, "-d", database, `--db-filter=^${database}$`];
  const own = [`--addons-path=${paths},${addons}`, `--http-port=${port}`, "--max-cron-threads=0", "--workers=0"];
  return ["-u", "odoo", "--", "/usr/bin/env", ...variables, ...given.command, ...options, ...own, ...words];
}

const copyScript = `
set -euo pipefail
cd /
runuser -u postgres -- pg_dump -h "$1" -p "$2" -Fc odoo | runuser -u postgres -- pg_restore -h "$1" -p "$2" -d "$3"
cp -al -- "$4/odoo" "$4/$3"
`;

const status = async (path: string) => (await fetch(url + path, { redirect: "manual" })).status;

describe.skipIf(isCompose)("the module ipai_maintenance", () => {
  beforeAll(async () => {
    await cp(join(root, "addons"), addons, { recursive: true });
    await sql(`create database ${database} owner odoo`, "postgres");
    const filestore = join(folder, "odoo/filestore");
    const port = psql[psql.indexOf("-p") + 1] ?? "";
    const copied = await run("bash", ["-c", copyScript, "copy", join(folder, "run"), port, database, filestore]);
    expect([copied.exitCode, copied.stderr]).toEqual([0, ""]);
  });
  afterAll(async () => {
    server?.kill("SIGTERM");
    await until(
      "the server has ended",
      async () => server === undefined || server.exitCode !== null || server.signalCode !== null,
    );
    await sql(`drop database if exists ${database} with (force)`, "postgres");
    await rm(addons, { recursive: true, force: true });
    await rm(join(folder, "odoo/filestore", database), { recursive: true, force: true });
  });

  it("passes its own tests", async () => {
    const args = await odoo("-i", "ipai_maintenance", "--test-tags=/ipai_maintenance", "--stop-after-init");
    const { stderr, exitCode } = await run("runuser", args, { timeoutMs: 300_000, directory: "/" });
    const told = stderr.split("\n").filter((line) => /FAIL|ERROR|Error|tests in|of \d+ tests/.test(line));
    expect([exitCode, told.join("\n")]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
  });

  it("sees at once what SQL has switched, in a server that runs", async () => {
    server = spawn("runuser", await odoo(), { stdio: "ignore", cwd: "/" });
    await until("it serves", () =>
      status("/web/login").then(
        (answer) => answer === 200,
        () => false,
      ),
    );
    expect(await status("/odoo")).toBe(303);
    await sql("insert into ir_config_parameter (key, value) values ('base.maintenance_mode', 'True')", database);
    const closed = await fetch(`${url}/odoo`);
    expect([closed.status, closed.headers.get("retry-after")]).toEqual([503, "120"]);
    expect([await status("/web/health"), await status("/web/login")]).toEqual([200, 200]);
    await sql("update ir_config_parameter set value = 'False' where key = 'base.maintenance_mode'", database);
    expect(await status("/odoo")).toBe(303);
  });
});
