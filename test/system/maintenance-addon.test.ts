import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDatabase, removeDatabase, runOdoo, serve } from "../harness/addon.ts";
import { isCompose, sql } from "../harness/sandbox.ts";

/** The module ipai_maintenance on the practice stack's Odoo: its own tests, and a switch by SQL beside a server that runs. */

const database = "maintenance_addon";
let server: Awaited<ReturnType<typeof serve>> | undefined;

describe.skipIf(isCompose)("the module ipai_maintenance", () => {
  beforeAll(() => makeDatabase(database));
  afterAll(async () => {
    await server?.stop();
    await removeDatabase(database);
  });

  it("passes its own tests", async () => {
    const { exitCode, tests } = await runOdoo(database, ["-i", "ipai_maintenance", "--test-tags=/ipai_maintenance"]);
    expect([exitCode, tests]).toEqual([0, expect.stringMatching(/0 failed, 0 error\(s\) of [1-9]\d* tests/)]);
  });

  it("sees at once what SQL has switched, in a server that runs", async () => {
    server = await serve(database);
    const { url } = server;
    const status = async (path: string) => (await fetch(url + path, { redirect: "manual" })).status;
    expect(await status("/odoo")).toBe(303);
    await sql("insert into ir_config_parameter (key, value) values ('base.maintenance_mode', 'True')", database);
    const closed = await fetch(`${url}/odoo`);
    expect([closed.status, closed.headers.get("retry-after")]).toEqual([503, "120"]);
    expect([await status("/web/health"), await status("/web/login")]).toEqual([200, 200]);
    await sql("update ir_config_parameter set value = 'False' where key = 'base.maintenance_mode'", database);
    expect(await status("/odoo")).toBe(303);
  });
});
