import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Differences } from "../../src/procedures/backup/past/compare.ts";
import { lacking } from "../harness/archive.ts";
import { configWith, refusal } from "../harness/backups.ts";
import { type Program, strike } from "../harness/kill.ts";
import { call } from "../harness/odoo.ts";
import {
  environment,
  home,
  inTools,
  ipai,
  isCompose,
  leftovers,
  parsed,
  places,
  type RunJson,
  run,
  sql,
  until,
} from "../harness/sandbox.ts";

/**
 * Invoices of a real Odoo, posted at known instants: what a look at the past says of them, how one that was deleted is found and
 * brought back, and that each instant has exactly its own. IPAI_TEST_INSTANTS: how many; five go all the way back, which takes some minutes.
 */

const reason = isCompose || lacking.length === 0 ? "" : `missing: ${lacking.join(", ")}`;
const count = Number(process.env["IPAI_TEST_INSTANTS"] ?? 3);
/** On Debian's services restore.test.ts goes back; on a project this is the only test that does. */
const visited = count > 3 ? [2, 0, 4, 1, 3].filter((one) => one < count) : isCompose ? [1] : [];
/** Below the volume of a project, so that it can be removed. */
const archive = isCompose ? "/var/lib/ipai/archive/past" : join(home, "past-archive");
const passwordFile = places.password;

interface Invoice {
  readonly id: number;
  readonly name: string;
  readonly sum: string;
  /** When it and its document were there, and nothing later. */
  readonly at: string;
}

describe.skipIf(reason !== "")(`the past of invoices${reason === "" ? "" : ` (${reason})`}`, () => {
  const { filestore, work } = places;
  const invoices: Invoice[] = [];
  let config: string;
  let product: { readonly journal: number; readonly partner: number };

  beforeAll(async () => {
    config = await configWith(join(home, "past.yaml"), (stack) => {
      stack.backup["wal"] = { repository: archive, passwordFile, patience: 60 };
    });
    await call("account.chart.template", "try_loading", "generic_coa", 1, false).catch(allowingNone);
    const [journal = 0] = await call<number[]>("account.journal", "search", [["type", "=", "sale"]]);
    product = { journal, partner: await call<number>("res.partner", "create", { name: "Customer of the past" }) };
    const setup = await ipai(["-c", config, "wal", "setup", "--yes"]);
    expect([setup.exitCode, setup.stderr]).toEqual([0, expect.stringContaining("succeeded")]);
    // The end of a base backup is told in whole seconds.
    const ended = Date.now();
    await until("a later second than the base backup's", async () => Date.now() > ended + 1000);
    for (let number = 1; number <= count; number++) invoices.push(await post(number));
  });
  afterAll(async () => {
    await ipai(["-c", config, "wal", "remove", "--yes"]);
    await among("rm", "-rf", archive);
  });

  /** Where the stack's files are. */
  async function among(...argv: readonly [string, ...string[]]): Promise<string> {
    const [program = "", ...args] = [...inTools, ...argv];
    const ended = await run(program, args);
    if (ended.exitCode !== 0) throw new Error(ended.stderr);
    return ended.stdout;
  }
  const read = (path: string) => among("cat", "--", path);

  /** It answers with nothing, which XML-RPC cannot say. */
  function allowingNone(error: Error): void {
    if (!error.message.includes("None")) throw error;
  }

  async function post(number: number): Promise<Invoice> {
    const line = [0, 0, { name: `Item ${number}`, quantity: 1, price_unit: 100 * number }];
    const values = {
      move_type: "out_invoice",
      partner_id: product.partner,
      invoice_date: "2026-11-25",
      invoice_line_ids: [line],
    };
    const id = await call<number>("account.move", "create", values);
    await call("account.move", "action_post", [id]).catch(allowingNone);
    const content = `document of invoice ${number}`;
    await call("ir.attachment", "create", {
      ...{ name: `document-${number}.txt`, res_model: "account.move", res_id: id },
      datas: Buffer.from(content).toString("base64"),
    });
    const [read] = await call<{ name: string; state: string }[]>("account.move", "read", [id], ["name", "state"]);
    expect(read?.state).toBe("posted");
    return { id, name: read?.name ?? "", sum: createHash("sha1").update(content).digest("hex"), at: await now() };
  }

  async function now(): Promise<string> {
    const at = await sql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);
    await until(
      "a later microsecond",
      async () => (await sql(`select clock_timestamp() > '${at}'::timestamptz`)) === "t",
    );
    return at;
  }

  const json = async <T>(...args: readonly string[]) => parsed<T>(await ipai(["-c", config, ...args, "--json"]));
  const posted = (database = "odoo") =>
    sql(
      "select coalesce(string_agg(name, ' ' order by id), '') from account_move where state = 'posted' and move_type = 'out_invoice'",
      database,
    );
  const documents = (database = "odoo") =>
    sql(
      "select coalesce(string_agg(checksum, ' ' order by id), '') from ir_attachment where name like 'document-%'",
      database,
    );

  /** The present that a restore has kept; removed, so that the next one begins as this one did. */
  async function dropKept(restore: string): Promise<void> {
    const closed = await ipai(["-c", config, "resources", "close", restore, "--yes"]);
    expect([closed.exitCode, closed.stderr]).toEqual([0, expect.any(String)]);
    const open = await json<{ id: string; kind: string }[]>("resources");
    expect(open.filter(({ kind }) => kind === "past")).toEqual([]);
  }

  it.runIf(isCompose)("is refused an archive in a folder that only the tools have", async () => {
    const apart = await configWith(join(home, "apart.yaml"), (stack) => {
      stack.backup["wal"] = { repository: "/srv/archive", passwordFile };
    });
    const { code, message } = refusal(await ipai(["-c", apart, "wal", "setup", "--yes", "--json"]));
    expect([code, message]).toEqual(["wal.server_apart", expect.stringContaining("the same: /srv/archive. ")]);
  });

  it("tells exactly the records that were made since, by a past that outlives a killed command and is closed", async () => {
    const [first, ...later] = invoices as [Invoice, ...Invoice[]];
    const looking: Program = {
      program: "src/cli/main.ts",
      args: ["-c", config, "restore", "--at", first.at, "--look", "--yes"],
      env: environment,
    };
    await strike(looking, "do:compare:spawned");
    const [struck] = await json<RunJson[]>("runs");
    const opened = await json<RunJson>("runs", "resume", struck?.run ?? "");
    expect([opened.outcome, opened.error]).toEqual(["succeeded", undefined]);
    const { differences } = await json<{ differences: Differences }>("past", "show", opened.run);
    const of = (model: string) => differences.models.find((one) => one.model === model);
    const ids = (model: string, what: string) =>
      of(model)
        ?.records.filter((one) => one.what === what)
        .map(({ id }) => id) ?? [];
    expect(ids("account.move", "created")).toEqual(later.map(({ id }) => id));
    expect(of("account.move")).toMatchObject({
      changed: 0,
      deleted: 0,
      by: [{ login: "admin", created: later.length }],
    });
    expect(of("account.move")?.records.map(({ record }) => record)).toEqual(later.map(({ name }) => name));
    const lines = await sql(
      `select string_agg(id::text, ' ' order by id) from account_move_line where move_id in (${later.map(({ id }) => id)})`,
    );
    expect(ids("account.move.line", "created").join(" ")).toBe(lines);
    const attached = await sql(
      `select string_agg(id::text, ' ' order by id) from ir_attachment where res_model = 'account.move' and res_id in (${later.map(({ id }) => id)})`,
    );
    expect(ids("ir.attachment", "created").join(" ")).toBe(attached);
    // The whole of every table, asked on both sides in another way: ids that are here and not there.
    for (const { table, created, kind, model } of differences.models) {
      if (kind !== "records" || model.includes("/") || table === "ir_attachment") continue;
      const before = await past(opened.run, `select coalesce(string_agg(id::text, ','), '0') from only "${table}"`);
      expect([table, await sql(`select count(*) from only "${table}" where id not in (${before})`)]).toEqual([
        table,
        String(created),
      ]);
    }

    const extracted = await json<{ folder: string }>(
      "past",
      "extract",
      opened.run,
      "account.move",
      String(first.id),
      "--yes",
    );
    const record = JSON.parse(await read(join(extracted.folder, "records.json"))) as {
      records: { name: string }[];
    };
    expect(record.records[0]?.name).toBe(first.name);
    const document = join(extracted.folder, "files", first.sum.slice(0, 2), first.sum);
    expect(await read(document)).toBe("document of invoice 1");

    expect((await json<RunJson>("past", "close", opened.run, "--yes")).outcome).toBe("succeeded");
    expect(await leftovers()).toEqual([]);
  });

  const past = async (opened: string, text: string) => {
    const socket = join(work, "past", opened, "socket");
    return (
      await among("runuser", "-u", "postgres", "--", "psql", "-h", socket, "-XAtq", "-d", "odoo", "-c", text)
    ).trim();
  };

  it("has the invoice that was deleted: found by its name, with the document that Odoo has removed since", async () => {
    const last = invoices.at(-1) as Invoice;
    expect((await ipai(["-c", config, "backup", "--yes"])).exitCode).toBe(0);
    await call("account.move", "button_draft", [last.id]).catch(allowingNone);
    await call("account.move", "unlink", [last.id]);
    // What Odoo itself does once a day.
    await among("rm", "-f", join(filestore, "odoo", last.sum.slice(0, 2), last.sum));
    const looked = await json<RunJson & { differences: Differences }>(
      ...["restore", "--before", `account.move ${last.name} deleted`, "--look", "--yes"],
    );
    expect([looked.outcome, looked.error]).toEqual(["succeeded", undefined]);
    const invoice = looked.differences.models.find(({ model }) => model === "account.move");
    expect(invoice).toMatchObject({
      created: 0,
      changed: 0,
      deleted: 1,
      records: [{ id: last.id, record: last.name }],
    });
    const { folder: out } = await json<{ folder: string }>(
      ...["past", "extract", looked.run, "account.move", String(last.id), "--yes"],
    );
    const { records } = JSON.parse(await read(join(out, "records.json"))) as { records: object[] };
    // As it was when it was deleted: drafted, with its number, its lines and its document.
    expect(records).toMatchObject([{ id: last.id, name: last.name, state: "draft" }]);
    expect(await read(join(out, "files", last.sum.slice(0, 2), last.sum))).toBe(`document of invoice ${count}`);
    expect((await json<RunJson>("past", "close", looked.run, "--yes")).outcome).toBe("succeeded");
    expect(await leftovers()).toEqual([]);
  });

  it.runIf(count > 3)("is brought back by the restore that goes on from there", async () => {
    const last = invoices.at(-1) as Invoice;
    const restored = await json<RunJson>("restore", "--before", `account.move ${last.name} deleted`, "--yes");
    expect([restored.outcome, restored.error]).toEqual(["succeeded", undefined]);
    expect(await sql(`select name || ' ' || state from account_move where id = ${last.id}`)).toBe(`${last.name} draft`);
    expect(await read(join(filestore, "odoo", last.sum.slice(0, 2), last.sum))).toBe(`document of invoice ${count}`);
    await dropKept(restored.run);
  });

  // Forwards and back: what was later than a restored instant is still in the archive.
  it.runIf(visited.length > 0)("at each of the instants has exactly its invoices and documents", async () => {
    for (const index of visited) {
      const theirs = invoices.slice(0, index + 1);
      const startedAt = Date.now();
      const restored = await json<RunJson>("restore", "--at", theirs.at(-1)?.at ?? "", "--yes");
      expect([restored.outcome, restored.error]).toEqual(["succeeded", undefined]);
      expect(await posted()).toBe(theirs.map(({ name }) => name).join(" "));
      expect(await documents()).toBe(theirs.map(({ sum }) => sum).join(" "));
      for (const { sum } of theirs) {
        const content = await read(join(filestore, "odoo", sum.slice(0, 2), sum));
        expect(createHash("sha1").update(content).digest("hex")).toBe(sum);
      }
      process.stdout.write(`instant ${index + 1}: ${theirs.length} invoices in ${(Date.now() - startedAt) / 1000} s\n`);
      await dropKept(restored.run);
    }
    expect((await among("ls", "-A", filestore)).trim()).toBe("odoo");
  });
});
