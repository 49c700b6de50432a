import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runJson, testFolder } from "../harness/backups.ts";
import { odooProgram, postgresTool, shell } from "../harness/programs.ts";
import { Receiver } from "../harness/receiver.ts";
import {
  folder,
  ipai,
  isCompose,
  leftovers,
  pageOf,
  parsed,
  places,
  type RunJson,
  serves,
  sql,
  there,
  until,
  urls,
} from "../harness/sandbox.ts";
import { type SmtpServer, startSmtp } from "../harness/smtp.ts";

/**
 * A database with mail that waits, scheduled actions that are due, and webhooks, is served twice, in the same way and with schedulers: as
 * it is, and as a staging copy. A mail server and an HTTP receiver count what arrives; they are on this machine, so that what is in a
 * container is only asked what it would send.
 */

/** How long the copy is watched, seconds; two minutes were once. */
const watched = Number(process.env["IPAI_TEST_WATCH"] ?? 15);

interface Served extends AsyncDisposable {
  readonly port: number;
  readonly log: string;
}

describe("a staging copy", () => {
  let desk: string;
  let mail: SmtpServer;
  let hooks: Receiver;
  let made: RunJson;
  const taken = () => hooks.requests.length;

  beforeAll(async () => {
    desk = await testFolder();
    [mail, hooks] = [await startSmtp(), await new Receiver().listen()];
    await makeLoud();
    const dump = join(desk, "loud.dump");
    await shell(`${postgresTool("pg_dump")} -Fc loud > ${dump}`);
    made = await runJson(["run", "restore copy", `from=${dump}`, "name=quiet", "days=1"]);
  });
  afterAll(async () => {
    await ipai(["resources", "close", "quiet", "--yes"]);
    await sql("drop database if exists loud with (force)", "postgres");
    await there("rm", "-rf", `${places.filestore}/loud`);
    await hooks.close();
    await mail.stop();
    await rm(desk, { recursive: true });
  });

  /** The practice database once more, with everything in it that wants out. */
  async function makeLoud(): Promise<void> {
    await sql(
      "create database loud template template0 owner odoo encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8'",
      "postgres",
    );
    await shell(`${postgresTool("pg_dump")} odoo | ${postgresTool("psql")} -q -d loud >/dev/null`);
    await sql(loudSql(mail.port, hooks.port), "loud");
  }

  it("is made of a file, and is noted with its owner and its end", async () => {
    expect([made.outcome, made.error]).toEqual(["succeeded", undefined]);
    const open = parsed<{ id: string; kind: string }[]>(await ipai(["resources", "--json"]));
    expect(open).toEqual([expect.objectContaining({ id: "quiet", kind: "copy" })]);
  });

  it("leads nowhere: what Odoo's own neutralization leaves is gone too", async () => {
    const one = (text: string) => sql(text, "quiet");
    expect(
      await one(
        "select string_agg(name || ' ' || smtp_host || ' ' || coalesce(smtp_pass, 'none'), ', ' order by id) from ir_mail_server",
      ),
    ).toBe("loud neutralized.invalid none, neutralization - disable emails invalid none");
    expect(await one("select string_agg(state, ' ') from mail_mail")).toBe("cancel cancel");
    expect(await one("select count(*) from ir_cron where active")).toBe("0");
    expect(await one("select webhook_url from ir_act_server where name->>'en_US' = 'loud hook'")).toBe(
      "https://neutralized.invalid",
    );
    const parameters = await one(
      "select string_agg(key || '=' || value, ' ' order by key) from ir_config_parameter where key like 'loud.%'",
    );
    expect(parameters).toBe("loud.api_key=neutralized loud.n8n_url=https://neutralized.invalid");
    expect(await one("select value from ir_config_parameter where key = 'iap.endpoint'")).toBe(
      "https://neutralized.invalid",
    );
    expect(await one("select active from ir_ui_view where key = 'web.neutralize_banner'")).toBe("t");
    for (const key of ["database.uuid", "database.secret"])
      expect(await one(`select value from ir_config_parameter where key = '${key}'`)).not.toBe(
        await sql(`select value from ir_config_parameter where key = '${key}'`),
      );
  });

  it.skipIf(isCompose)(
    "sends nothing while its schedulers run, and when somebody tries; the same database as it was does",
    async () => {
      await using loud = await serve("loud", desk);
      await insist(loud, "loud", async () => taken() > 0 && mailsTaken() > 0);
      await loud[Symbol.asyncDispose]();
      const before = [taken(), mailsTaken()];
      expect(before[0]).toBeGreaterThan(0);
      expect(before[1]).toBeGreaterThan(0);
      await using quiet = await serve("quiet", desk);
      const end = Date.now() + watched * 1000;
      await insist(quiet, "quiet", async () => Date.now() > end, (watched + 60) * 1000);
      expect([taken(), mailsTaken()]).toEqual(before);
      // Its schedulers did run, and its Odoo did work.
      expect(await readFile(quiet.log, "utf8")).toMatch(/odoo\.(service\.server|sql_db|addons\.base\.models\.ir_cron)/);
    },
  );

  it("is not known to the stack's own Odoo, which goes on", async () => {
    expect(await sql("select datistemplate from pg_database where datname = 'quiet'", "postgres")).toBe("t");
    for (const url of [urls.public, ...urls.odoo]) expect([url, await serves(url)]).toEqual([url, true]);
  });

  it("can be served to people, and is gone without a trace when it is closed", async () => {
    const port = Number(new URL(urls.odoo[0] ?? "").port) + 5;
    const served = await runJson(["run", "copy serve", "id=quiet", `port=${port}`]);
    expect([served.outcome, served.error]).toEqual(["succeeded", undefined]);
    const address = `http://127.0.0.1:${port}/web/login`;
    expect(await pageOf(address)).toContain("oe_neutralize_banner");
    const stopped = await runJson(["run", "copy stop", "id=quiet"]);
    expect([stopped.outcome, await pageOf(address)]).toEqual(["succeeded", ""]);
    expect((await runJson(["run", "copy serve", "id=quiet", `port=${port}`])).outcome).toBe("succeeded");
    const closed = await runJson(["resources", "close", "quiet"]);
    expect([closed.outcome, closed.error]).toEqual(["succeeded", undefined]);
    expect(await pageOf(address)).toBe("");
    await sql("drop database loud with (force)", "postgres");
    await there("rm", "-rf", `${places.filestore}/loud`);
    expect(await leftovers()).toEqual([]);
  });

  /** aiosmtpd tells a mail as a line when it has taken it whole. */
  const mailsTaken = () => mail.taken().length;

  /** Wakes the schedulers, and does what a person would who wants it sent now, until the condition holds. */
  async function insist({ port }: Served, database: string, done: () => Promise<boolean>, timeoutMs = 60_000) {
    await until(
      `what ${database} sends`,
      async () => {
        await sql(`select pg_notify('cron_trigger', '${database}')`, "postgres");
        await callOn(port, database, "mail.mail", "process_email_queue");
        await callOn(port, database, "ir.actions.server", "run", await hookOf(database)).catch(() => undefined);
        return done();
      },
      timeoutMs,
    );
  }
});

const hookOf = async (database: string) =>
  Number(await sql("select id from ir_act_server where name->>'en_US' = 'loud hook'", database));

/** Something of each kind that leaves a database: queued mails, a due scheduled action that calls out, addresses and keys. */
function loudSql(smtp: number, http: number): string {
  return `
insert into ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication, smtp_user, smtp_pass, sequence)
  values ('loud', ${smtp}, '127.0.0.1', 'none', true, 'login', null, null, 1);
with m as (insert into mail_message (model, message_type, subject, email_from, body, date, mail_server_id)
    select null, 'email', 'loud ' || n, 'loud@example.com', '<p>x</p>', now(), (select id from ir_mail_server where name = 'loud')
      from generate_series(1, 2) n returning id)
  insert into mail_mail (mail_message_id, state, email_to, body_html, is_notification, auto_delete)
    select m.id, 'outgoing', 'somebody@example.com', '<p>x</p>', false, false from m;
update ir_cron set nextcall = now() at time zone 'UTC' - interval '1 day', active = true where cron_name ilike '%email queue%';
insert into ir_act_server (name, type, usage, state, model_id, webhook_url, sequence, binding_type)
  select jsonb_build_object('en_US', 'loud hook'), 'ir.actions.server', 'ir_actions_server', 'webhook', id, 'http://127.0.0.1:${http}/hook', 5, 'action'
    from ir_model where model = 'res.partner';
with a as (insert into ir_act_server (name, type, usage, state, model_id, code, sequence, binding_type)
    select jsonb_build_object('en_US', 'loud cron'), 'ir.actions.server', 'ir_cron', 'code', id,
      format('env["ir.actions.server"].browse(%s).with_context(active_model="res.partner", active_id=1).run()',
        (select id from ir_act_server where name->>'en_US' = 'loud hook')), 5, 'action'
      from ir_model where model = 'res.partner' returning id)
  insert into ir_cron (ir_actions_server_id, cron_name, user_id, active, interval_number, interval_type, nextcall, priority, failure_count)
    select id, 'loud cron', 1, true, 1, 'minutes', now() at time zone 'UTC' - interval '1 day', 5, 0 from a;
insert into ir_config_parameter (key, value) values ('loud.n8n_url', 'http://127.0.0.1:${http}/n8n'), ('loud.api_key', 'a key');
`;
}

/** An Odoo with a scheduler on any database, as somebody would start one who thinks nothing of it. */
async function serve(database: string, desk: string): Promise<Served> {
  const [program, ...words] = await odooProgram();
  const config = join(desk, "odoo.conf");
  await shell(`grep -v dbfilter ${folder}/odoo.conf > ${config} && chmod 0644 ${config}`);
  const port = Number(new URL(urls.odoo[0] ?? "").port) + (database === "loud" ? 3 : 4);
  const log = join(desk, `${database}.log`);
  await writeFile(log, "");
  await chmod(log, 0o666);
  const options = [
    `--config=${folder}/odoo.conf`,
    "-d",
    database,
    "--db-filter=",
    "--workers=0",
    "--max-cron-threads=1",
  ];
  const further = [`--http-port=${port}`, `--logfile=${log}`, "--log-level=info"];
  const child: ChildProcess = spawn(program, [...words, ...options, ...further], { stdio: "ignore", cwd: "/" });
  const ended = once(child, "exit");
  await until(`${database} is served`, () => serves(`http://127.0.0.1:${port}`), 120_000);
  return {
    ...{ port, log },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await ended;
    },
  };
}

async function callOn(port: number, database: string, model: string, method: string, ...ids: readonly number[]) {
  const given = { active_model: "res.partner", active_id: 1, active_ids: [1] };
  const args = [database, 2, "admin", model, method, ids.length === 0 ? [] : [ids], { context: given }];
  const response = await fetch(`http://127.0.0.1:${port}/jsonrpc`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", params: { service: "object", method: "execute_kw", args } }),
  });
  return response.json();
}
