import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../../src/cli/app.ts";
import { listSteps, type Run } from "../../../src/engine/journal.ts";
import type { Differences } from "../../../src/procedures/backup/past/compare.ts";
import { extendResource, listResources } from "../../../src/procedures/resources.ts";
import { renderScript } from "../../../src/runbook/script.ts";
import type { Json } from "../../../src/runbook/value.ts";
import { type Archived, carryOut, createArchived, finding, lacking } from "../../harness/archive.ts";
import { createLedger } from "../../harness/ledger.ts";
import { until } from "../../harness/sandbox.ts";

/** A past that is opened beside a real server: what is in it, what differs, what it refuses, and its end. */
describe.skipIf(lacking.length > 0)(
  `an opened past${lacking.length > 0 ? ` (missing: ${lacking.join(", ")})` : ""}`,
  () => {
    let test: Archived;
    let app: App;
    let opened: Run;
    let at: string;

    beforeAll(async () => {
      test = await createArchived(29_331);
      app = await test.app();
      createLedger(test);
      const setup = await carryOut(app, "wal setup");
      expect([setup.outcome, setup.error]).toEqual(["succeeded", null]);
      await laterSecond();
      odoo(`insert into account_move (name, state, amount, create_uid, write_uid, write_date)
        select 'INV/2026/0000' || n, 'posted', n, 2, 2, now() from generate_series(1, 5) n`);
      odoo("insert into account_move_tag_rel values (1, 1), (2, 1)");
      odoo("insert into bus_bus (message) values ('old')");
      odoo(
        "insert into account_move_line (move_id, label, debit, credit) values (3, 'Rent', 3, 0), (3, 'Bank, \"main\"', 0, 3), (4, 'x', 4, 4)",
      );
      odoo(
        "insert into mail_message (model, res_id, body) values ('account.move', 3, 'Posted'), ('res.partner', 3, 'not of the move')",
      );
      odoo("insert into account_move_tag_rel values (3, 1)");
      for (const [name, content, isLive] of [
        ["bill.pdf", "the bill", true],
        ["gone.pdf", "gone", false],
      ] as const) {
        const path = stored(content);
        if (isLive) {
          mkdirSync(join(test.folder, "odoo/filestore/odoo", path, ".."), { recursive: true });
          writeFileSync(join(test.folder, "odoo/filestore/odoo", path), content);
        }
        odoo(`insert into ir_attachment (name, type, res_model, res_id, store_fname, checksum) values
          ('${name}', 'binary', 'account.move', 3, '${path}', '${path.slice(3)}')`);
      }
      at = await instant();
      odoo("insert into account_move (name, state, create_uid, write_uid) values ('INV/2026/00006', 'posted', 3, 3)");
      odoo("update account_move set amount = 99, write_uid = 2 where id = 2");
      // As something that goes past the ORM: its date of last change stays.
      odoo("update res_partner set email = 'x@example.com' where id = 4");
      odoo("delete from account_move where id = 3");
      odoo("delete from account_move_tag_rel where move_id = 2");
      odoo("insert into account_move_tag_rel values (6, 1), (6, 1)");
      odoo("insert into bus_bus (message) values ('new')");
      odoo("update ir_cron set nextcall = now() + interval '1 day'");
      odoo("insert into orm_signaling_default (date) values (now())");
      odoo(
        "insert into ir_attachment (name, url) values ('web.assets.css', '/web/assets/1/web.css'), ('receipt.pdf', null)",
      );
      odoo("insert into ir_act_window (name, res_model) values ('{\"en_US\": \"Bills\"}', 'account.move')");
      odoo("insert into uuid_keys values ('00000000-0000-4000-8000-000000000002', 'two')");
      odoo("update account_tag set name = name");
      odoo("insert into base_ask_wizard (create_uid) values (2)");
      opened = await carryOut(app, "past open", { at, hours: 1 });
      expect([opened.outcome, opened.error]).toEqual(["succeeded", null]);
    }, 120_000);
    afterAll(() => test[Symbol.asyncDispose]());

    const odoo = (text: string) => test.sql(text, "odoo");
    const folder = (id = opened.id) => join(test.folder, "work/past", id);
    const pastSql = (text: string, id = opened.id) =>
      test.shell('psql -h "$1" -p 5432 -XAtq -v ON_ERROR_STOP=1 -d odoo -c "$2"', join(folder(id), "socket"), text);
    const summary = (id = opened.id): Differences =>
      JSON.parse(readFileSync(join(folder(id), "differences/summary.json"), "utf8")) as Differences;

    /** As Odoo names a file by its content. */
    function stored(content: string): string {
      const sum = createHash("sha1").update(content).digest("hex");
      return `${sum.slice(0, 2)}/${sum}`;
    }

    /** The end of a base backup is told in whole seconds: what lies in the same one is not reached from it. */
    async function laterSecond(): Promise<void> {
      const ended = Date.now();
      await until("a later second than the base backup's", async () => Date.now() > ended + 1000);
    }

    async function instant(): Promise<string> {
      const now = test.sql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
      await until(
        "a later microsecond",
        async () => test.sql(`select clock_timestamp() > '${now}'::timestamptz`) === "t",
      );
      return now;
    }

    it("has what was there at the instant, and nothing that came later", () => {
      expect(pastSql("select string_agg(name, ' ' order by id) from account_move")).toBe(
        "INV/2026/00001 INV/2026/00002 INV/2026/00003 INV/2026/00004 INV/2026/00005",
      );
      expect(pastSql("select amount from account_move where id = 2")).toBe("2");
    });

    it("takes no change, whoever asks and however", () => {
      for (const text of [
        "update account_move set amount = 0",
        "set default_transaction_read_only = off; delete from account_move",
        "begin read write; truncate account_move",
        "create table mine ()",
        "select nextval('account_move_id_seq')",
        "vacuum account_move",
      ])
        expect(() => pastSql(text), text).toThrow(/read-only|read-write|during recovery/);
    });

    it("differs from the present in exactly the records that were made, changed and deleted since", () => {
      const { models } = summary();
      const told = (name: string) => {
        const { created, changed, deleted, records, label } = models.find(({ model }) => model === name) ?? {};
        return {
          label,
          created,
          changed,
          deleted,
          records: records?.map(({ what, id, login, record }) => [what, id, login, record]),
        };
      };
      expect(told("account.move")).toEqual({
        ...{ label: "Journal Entry", created: 1, changed: 1, deleted: 1 },
        records: [
          ["created", 6, "ben", "INV/2026/00006"],
          ["changed", 2, "anna", "INV/2026/00002"],
          ["deleted", 3, null, "INV/2026/00003"],
        ],
      });
      expect(told("res.partner")).toMatchObject({
        label: "Contact",
        changed: 1,
        records: [["changed", 4, "anna", "Supplier"]],
      });
      expect(told("account_move_tag_rel")).toEqual({
        ...{ label: "Tags of account.move", created: 2, changed: 0, deleted: 1, records: [] },
      });
      expect(told("ir.actions.act_window")).toMatchObject({
        created: 1,
        records: [["created", expect.any(Number), null, "Bills"]],
      });
      expect(told("ir.attachment")).toMatchObject({ created: 1, records: [["created", 4, null, "receipt.pdf"]] });
      expect(told("uuid_keys")).toMatchObject({ created: 1, deleted: 0 });
      // An update that changed nothing lost nothing, and what was not touched is not named.
      expect(models.map(({ model }) => model).sort()).toEqual(
        [
          ...[
            "account.move",
            "account_move_tag_rel",
            "base.ask.wizard",
            "bus.bus",
            "ir.actions.act_window",
            "ir.attachment",
            "ir.attachment/assets",
          ],
          ...["ir.cron", "orm_signaling_default", "res.partner", "uuid_keys"],
        ].sort(),
      );
    });

    it("counts what changes by itself apart, with the reason, below what people did", () => {
      const { models, noise, created, changed, deleted } = summary();
      expect([created, changed, deleted, noise]).toEqual([6, 2, 2, 5]);
      expect(models.slice(0, 2).map(({ model }) => model)).toEqual(["account.move", "res.partner"]);
      expect(models.slice(-5).map(({ model, noise: why }) => [model, why])).toEqual([
        ["base.ask.wizard", "what somebody was asked in a dialog"],
        ["bus.bus", "messages on their way to browsers"],
        ["ir.attachment/assets", "style sheets and scripts, made anew when they are needed"],
        ["ir.cron", "when scheduled actions ran and run next"],
        ["orm_signaling_default", "caches that were told to be emptied"],
      ]);
    });

    it("is compared again with what users did meanwhile, by a run of its own", async () => {
      odoo("insert into account_tag (name, create_uid) values ('late', 3)");
      const run = await carryOut(app, "past look", { id: opened.id });
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(summary().models.find(({ model }) => model === "account.tag")).toMatchObject({ created: 1 });
      const step = (await listSteps(app.control, run.id)).find(({ step: id }) => id === "compare");
      expect(step?.outputs).toEqual({ created: 7, changed: 2, deleted: 2, noise: 5 });
    });

    it("is a resource with its owner and its end", async () => {
      expect(await listResources(app.records, "sandbox")).toMatchObject([
        { id: opened.id, kind: "past", by: opened.actor, about: { at }, close: { procedure: "past close" } },
      ]);
    });

    it("gives a record that was deleted since back as it was, with its lines, links and files, and names the file that is nowhere", async () => {
      const run = await carryOut(app, "past extract", { id: opened.id, model: "account.move", ids: [3] });
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      const into = join(folder(), "extracts", run.id);
      const { records } = JSON.parse(readFileSync(join(into, "records.json"), "utf8")) as {
        records: Record<string, unknown>[];
      };
      expect(records).toMatchObject([
        {
          ...{ id: 3, name: "INV/2026/00003", state: "posted", amount: 3, create_uid: 2 },
          _lines: { line_ids: [{ label: "Rent" }, { label: 'Bank, "main"' }], message_ids: [{ body: "Posted" }] },
          _links: { tag_ids: [1] },
          _attachments: [{ name: "bill.pdf", file: `files/${stored("the bill")}` }, { name: "gone.pdf" }],
        },
      ]);
      expect(readFileSync(join(into, "files", stored("the bill")), "utf8")).toBe("the bill");
      expect(statSync(into).mode & 0o777).toBe(0o700);
      const csv = readFileSync(join(into, "account.move.line.csv"), "utf8").split("\r\n");
      expect(csv[0]).toBe("id,create_uid,credit,debit,label,move_id,write_uid");
      expect(csv[2]).toBe('2,,3,0,"Bank, ""main""",3,');
      const steps = await listSteps(app.control, run.id);
      expect(steps.find(({ step }) => step === "records")?.outputs).toEqual({
        ...{ records: 1, attachments: 2, children: { "account.move.line": 2, "mail.message": 1 } },
      });
      const lost = steps.find(({ step }) => step === "lost files")?.error;
      expect([lost?.code, JSON.stringify(lost)]).toEqual([
        "restore.attachments_missing",
        expect.stringContaining(stored("gone")),
      ]);
      expect(odoo("select count(*) from account_move where id = 3")).toBe("0");
    });

    it("writes into no folder that is there, and nothing of records that are not", async () => {
      const out = join(test.folder, "out");
      const take = (ids: readonly number[], model = "account.move") =>
        carryOut(app, "past extract", { id: opened.id, model, ids, out });
      const unknown = await take([3, 6]);
      expect([unknown.outcome, unknown.error?.code]).toEqual(["undone", "past.record_missing"]);
      expect((await take([1], "account.nothing")).error?.code).toBe("past.no_model");
      expect(existsSync(out)).toBe(false);
      expect((await take([1, 2])).outcome).toBe("succeeded");
      const before = readFileSync(join(out, "records.json"), "utf8");
      // Even when somebody put into it what looks like ours.
      writeFileSync(join(out, ".ipai-extract"), "");
      expect((await take([4])).outcome).not.toBe("succeeded");
      expect(readFileSync(join(out, "records.json"), "utf8")).toBe(before);
    });

    it("outlives the process that opened it", async () => {
      await app[Symbol.asyncDispose]();
      app = await test.app();
      expect(pastSql("select count(*) from account_move")).toBe("5");
    });

    it("that was let go on is not taken for its instant any more", async () => {
      const other = await carryOut(app, "past open", { at, hours: 1 });
      expect(other.outcome).toBe("succeeded");
      pastSql("select pg_promote()", other.id);
      const look = await carryOut(app, "past look", { id: other.id });
      expect([look.outcome, look.error?.code]).toEqual(["failed", "past.moved"]);
      expect((await carryOut(app, "past close", { id: other.id })).outcome).toBe("succeeded");
      expect(existsSync(folder(other.id))).toBe(false);
    }, 60_000);

    it("is opened, compared and taken records from by the exported scripts as well", async () => {
      const byScript = async (procedure: string, input: Json) =>
        execFileSync("bash", [], {
          input: renderScript(await app.plan(procedure, "sandbox", input)),
          stdio: ["pipe", "pipe", "pipe"],
        });
      const out = join(test.folder, "by-script");
      await byScript("past extract", { id: opened.id, model: "account.move", ids: [3], out });
      expect(readFileSync(join(out, "files", stored("the bill")), "utf8")).toBe("the bill");
      const before = summary();
      await byScript("past look", { id: opened.id });
      expect(summary().models).toEqual(before.models);
      expect(summary().comparedAt > before.comparedAt).toBe(true);
      await byScript("past open", { at, hours: 1 });
      const made = readdirSync(join(test.folder, "work/past")).find((name) => name !== opened.id) ?? "";
      expect(pastSql("select count(*) from account_move", made)).toBe("5");
      expect(summary(made).models).toEqual(before.models);
      test.shell('/usr/lib/postgresql/15/bin/pg_ctl stop -s -m immediate -D "$1"', join(folder(made), "cluster"));
      rmSync(folder(made), { recursive: true });
    }, 60_000);

    it("that fails to open leaves nothing", async () => {
      const before = readdirSync(join(test.folder, "work/past"));
      test.sql("alter table ir_model rename to ir_model_away", "odoo");
      const late = await instant();
      try {
        const run = await carryOut(app, "past open", { at: late, hours: 1 });
        expect([run.outcome, run.error?.code]).toEqual(["undone", "past.not_compared"]);
      } finally {
        test.sql("alter table ir_model_away rename to ir_model", "odoo");
      }
      expect(readdirSync(join(test.folder, "work/past"))).toEqual(before);
      expect(servers()).toHaveLength(1);
      expect((await listResources(app.records, "sandbox")).map(({ id }) => id)).toEqual([opened.id]);
    }, 60_000);

    const servers = () =>
      execFileSync("pgrep", ["-fa", `${test.folder}/work/past/.*/cluster`], { encoding: "utf8" })
        .trim()
        .split("\n");

    it("is closed when its time is over, by what the schedule runs, and found wanting when nobody does", async () => {
      expect((await carryOut(app, "resources expire")).outcome).toBe("succeeded");
      expect(existsSync(folder())).toBe(true);
      // It ends now.
      await extendResource(app.records, { stack: "sandbox", id: opened.id, days: -2 / 24, by: "test" });
      const run = await carryOut(app, "resources expire");
      expect([run.outcome, run.error]).toEqual(["succeeded", null]);
      expect(existsSync(folder())).toBe(false);
      expect(await listResources(app.records, "sandbox")).toEqual([]);
      expect(() => servers()).toThrow();
      expect(await finding(app, "IPAI-WAL-001")).toMatchObject({ status: "ok" });
    });
  },
);
