import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDatabase, odooWith, port, removeDatabase, runOdoo } from "../harness/addon.ts";
import { isCompose, sql, until } from "../harness/sandbox.ts";

/** The module ipai_maintenance on the practice stack's Odoo: its own tests, and a switch by SQL beside a server that runs. */

const database = "maintenance_addon";
const url = `http://127.0.0.1:${port}`;
let server: ChildProcess | undefined;

const status = async (path: string) => (await fetch(url + path, { redirect: "manual" })).status;

describe.skipIf(isCompose)("the module ipai_maintenance", () => {
  beforeAll(() => makeDatabase(database));
  afterAll(async () => {
    server?.kill("SIGTERM");
    await until(
      "the server has ended",
      async () => server === undefined || server.exitCode !== null || server.signalCode !== null,
    );
    await removeDatabase(database);
  });

  it("passes its own tests", async () => {
    const { exitCode, tests } = await runOdoo(database, ["-i", "ipai_maintenance", "--test-tags=/ipai_maintenance"]);
    expect([exitCode, tests]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
  });

  it("sees at once what SQL has switched, in a server that runs", async () => {
    server = spawn("runuser", await odooWith(database, []), { stdio: "ignore", cwd: "/" });
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
