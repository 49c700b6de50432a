import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { readOutput } from "../../../src/host/perform.ts";
import type { SqlAction } from "../../../src/runbook/action.ts";
import { structureLinesSql } from "../../../src/stack/odoo/sql.ts";
import { swapDatabasesSql } from "../../../src/stack/postgres.ts";
import { type Archived, createArchived, lacking } from "../../harness/archive.ts";
import { perform } from "../../harness/perform.ts";

/** The copy that takes a database's place when it is taken back, on a real PostgreSQL. */

const isPossible = !lacking.includes("pg_createcluster");
let server: Archived;
let app: App;

/** A little of an Odoo database, and all that an administrator may have said of it. */
const made = `
create role erp login; create role reader login; create role "Desk's" login;
create database odoo owner erp;
revoke connect on database odoo from public;
grant connect, temporary on database odoo to reader;
grant create on database odoo to "Desk's" with grant option;
alter database odoo set work_mem = '7MB';
alter database odoo set search_path = "$user", public;
alter role reader in database odoo set statement_timeout = '5s';
alter role "Desk's" in database odoo set search_path = public, "a b";
alter database odoo connection limit 60;
comment on database odoo is 'The books; ask Anna''s desk \\first';
`;
const tables = `
create table ir_module_module (name text, state text, latest_version text);
create table ir_cron (id int, cron_name text, active bool);
create table ir_model_data (module text, name text, model text, res_id int);
insert into ir_module_module values ('base', 'installed', '19.0.1.3');
`;

beforeAll(async () => {
  if (!isPossible) return;
  server = await createArchived(29_520);
  server.sql("alter system set fsync = off");
  server.sql("select pg_reload_conf()");
  for (const statement of made.split(";\n")) server.sql(statement);
  server.sql(tables, "odoo");
  app = await server.app();
}, 120_000);
afterAll(async () => {
  if (isPossible) await server[Symbol.asyncDispose]();
});

const postgres = () => app.stack().postgres;
const asked = async (action: SqlAction) => {
  const result = await perform(action);
  expect([result.exitCode, result.stderr]).toEqual([0, expect.not.stringContaining("ERROR")]);
  return result;
};
const structure = async (database: string) =>
  String(readOutput(await asked(postgres().query(database, structureLinesSql)), { from: "stdout" }));
/** As pg_dump would write them down. */
const properties = (database: string) =>
  server
    .shell(`pg_dump -h "$1" -p 29521 --create --schema-only -d "$2"`, `${server.folder}/run`, database)
    .split("\n")
    .filter((line) => /^(ALTER|REVOKE|GRANT|COMMENT ON) .*DATABASE/.test(line))
    .map((line) => line.replaceAll(database, "NAME"))
    .toSorted();

describe.skipIf(!isPossible)("a copy", () => {
  it("is hidden from Odoo, has what was said of the database, and takes its place with it", async () => {
    const [before, known] = [await structure("odoo"), properties("odoo")];
    expect(known).toHaveLength(11);
    expect(known).toContain("ALTER DATABASE NAME CONNECTION LIMIT = 60;");
    await asked(postgres().copyHidden("odoo", "odoo_before_1"));
    expect(readOutput(await perform(postgres().isHidden("odoo_before_1").action), { from: "stdout" })).toBe("1");
    expect(properties("odoo_before_1").filter((line) => !line.includes("IS_TEMPLATE"))).toEqual(known);
    server.sql("grant connect on database odoo to public");
    expect(await structure("odoo")).not.toBe(before);
    await asked(
      postgres().query("postgres", swapDatabasesSql, { live: "odoo", copy: "odoo_before_1", aside: "odoo_failed_1" }),
    );
    expect([await structure("odoo"), properties("odoo")]).toEqual([before, known]);
    // It is a usual one again.
    server.sql("alter database odoo rename to odoo_1");
    server.sql("alter database odoo_1 rename to odoo");
  });

  it("that was cut off is no copy, and is made anew", async () => {
    // As a kill leaves it between its statements: it exists, and says nothing of what was said.
    server.sql("create database odoo_before_2 with template odoo");
    const isHidden = async () =>
      readOutput(await perform(postgres().isHidden("odoo_before_2").action), { from: "stdout" });
    expect(await isHidden()).toBe("0");
    await asked(postgres().copyHidden("odoo", "odoo_before_2"));
    expect([await isHidden(), await structure("odoo_before_2")]).toEqual(["1", await structure("odoo")]);
  });
});
