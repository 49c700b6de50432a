import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { listSteps } from "../../../src/engine/journal.ts";
import type { Candidate } from "../../../src/procedures/backup/past/find.ts";
import { type Archived, carryOut, createArchived, lacking } from "../../harness/archive.ts";
import { createLedger } from "../../harness/ledger.ts";

/** Finding the transaction in the log of a real server: exactly it, by its last instant before, however the row had moved. */
describe.skipIf(lacking.length > 0)(
  `the transaction that is looked for${lacking.length > 0 ? ` (missing: ${lacking.join(", ")})` : ""}`,
  () => {
    let test: Archived;
    let app: App;
    let found: Candidate;

    beforeAll(async () => {
      test = await createArchived(29_341);
      app = await test.app();
      createLedger(test);
      odoo(`insert into account_move (name, state, amount, create_uid, write_uid)
        select 'INV/2026/0000' || n, 'posted', n, 2, 2 from generate_series(1, 9) n`);
      const setup = await carryOut(app, "wal setup");
      expect([setup.outcome, setup.error]).toEqual(["succeeded", null]);
      // The base backup's end is known to the second: what is in that second counts as within it.
      test.sql("select pg_sleep(1 - extract(microseconds from clock_timestamp())::int % 1000000 / 1e6)");
    }, 60_000);
    afterAll(() => test[Symbol.asyncDispose]());

    const odoo = (text: string) => test.sql(text, "odoo");

    /** When the last transaction was committed, by the server's own word. */
    function committed(text: string): string {
      return odoo(`begin; ${text}; select pg_current_xact_id(); commit`);
    }

    async function find(model: string, record: string, what: "deleted" | "changed") {
      const run = await carryOut(app, "past find", { model, record, what });
      const step = (await listSteps(app.control, run.id)).find(({ step: id }) => id === "search");
      return { run, candidates: (step?.outputs?.["candidates"] ?? []) as unknown as readonly Candidate[] };
    }

    it("that deleted a record which had been written over before is found by its number, with who did it", async () => {
      odoo("update account_move set state = 'draft', write_uid = 3 where id = 4");
      odoo("begin; update account_move set amount = 1 where id = 4; rollback");
      // Others are deleted around it, and the page is cleaned up meanwhile.
      odoo("delete from account_move where id = 5");
      odoo("vacuum account_move");
      odoo("update account_move set amount = amount + 1 where id in (1, 4)");
      const xid = committed(
        "update res_partner set ref = '1', write_uid = 3 where id = 4; delete from account_move_line where move_id = 4; delete from account_move where id = 4",
      );
      odoo("delete from account_move where id = 6");
      const { run, candidates } = await find("account.move", "4", "deleted");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(candidates).toMatchObject([{ xid: Number(xid), id: 4, name: "INV/2026/00004", by: { login: "ben" } }]);
      [found] = candidates as [Candidate];
    }, 60_000);

    it("is found by the record's name, though it was made and named after the base backup", async () => {
      odoo("insert into account_move (name, state, create_uid) values ('/', 'draft', 2)");
      odoo("update account_move set name = 'INV/2026/00042', state = 'posted' where name = '/'");
      odoo("delete from account_move where id = 7");
      // Under a savepoint, as Odoo does most of what it does.
      const xid = odoo(
        "begin; select pg_current_xact_id(); savepoint one; delete from account_move where name = 'INV/2026/00042'; release one; commit",
      );
      const { run, candidates } = await find("account.move", "INV/2026/00042", "deleted");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(candidates).toMatchObject([{ xid: Number(xid), name: "INV/2026/00042", by: { login: null } }]);
    }, 60_000);

    it("that changed a record is found, each with what it changed and by whom, in their order", async () => {
      const first = committed("update res_partner set email = 'a@example.com', write_uid = 2 where id = 3");
      odoo("vacuum full ir_attachment");
      const second = committed("update res_partner set name = 'Ben Cruz jr', write_uid = 3 where id = 3");
      odoo("update res_partner set email = 'other' where id = 2");
      const { run, candidates } = await find("res.partner", "3", "changed");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(candidates).toMatchObject([
        {
          ...{ xid: Number(first), name: "Ben Cruz", by: { login: "anna" } },
          columns: [{ column: "email", before: null, after: "a@example.com" }],
        },
        {
          ...{ xid: Number(second), by: { login: "ben" } },
          columns: [{ column: "name", before: "Ben Cruz", after: "Ben Cruz jr" }],
        },
      ]);
    }, 60_000);

    it("gives the very last instant before: one microsecond later the record is gone", async () => {
      const { at, committedAt } = found;
      for (const [instant, there] of [
        [at, "1"],
        [committedAt, "0"],
      ] as const) {
        const past = await carryOut(app, "past open", { at: instant, hours: 1 });
        expect([past.outcome, past.error]).toEqual(["succeeded", null]);
        const socket = join(test.folder, "work/past", past.id, "socket");
        const sql = "select count(*) from account_move where id = 4";
        expect(test.shell('psql -h "$1" -p 5432 -XAtq -d odoo -c "$2"', socket, sql)).toBe(there);
        expect((await carryOut(app, "past close", { id: past.id })).outcome).toBe("succeeded");
      }
    }, 60_000);

    it("is refused where there is nothing to find", async () => {
      const code = async (...args: Parameters<typeof find>) => (await find(...args)).run.error?.code;
      expect(await code("account.move", "1", "deleted")).toBe("past.record_not_so");
      expect(await code("account.move", "4", "changed")).toBe("past.record_not_so");
      expect(await code("account.nothing", "4", "changed")).toBe("past.no_model");
      expect(await code("account.move", "9", "changed")).toBe("past.not_found");
      expect(existsSync(join(test.folder, "work/find")) ? readdirSync(join(test.folder, "work/find")) : []).toEqual([]);
    }, 120_000);

    it("is asked for no instant that is still to come", async () => {
      const input = { model: "account.move", record: "4", what: "deleted", since: "2099-01-01T00:00:00Z" };
      await expect(app.plan("past find", "sandbox", input)).rejects.toMatchObject({ code: "restore.in_future" });
    });
  },
);
