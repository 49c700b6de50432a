import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addonUrl,
  makeDatabase,
  makeKey,
  odooService,
  removeDatabase,
  runOdoo,
  typeIntoShell,
} from "../../harness/addon.ts";
import { Later, noSchedules } from "../../harness/later.ts";
import { installN8n } from "../../harness/n8n.ts";
import { N8nStack } from "../../harness/n8n-stack.ts";
import { Receiver } from "../../harness/receiver.ts";
import { folder, ipai, isCompose, leftovers, sql, stopServices, until } from "../../harness/sandbox.ts";
import { readMail, type SmtpServer, startSmtp } from "../../harness/smtp.ts";

/**
 * n8n away in real time (IPAI_TEST_LONG): killed for IPAI_TEST_AWAY minutes, two hours when nothing is said, while Odoo's own scheduled actions
 * raise and mail what falls due, at their own pace. Back again, n8n tells the chat what is owed, by its own schedule after two hours, else by a
 * call. No clock is moved. What would take longer than the test is begun before it: the four hours in which nobody acknowledged a task and the
 * 27 hours of silence that health warns of are over at half time. All of it within one day in Manila.
 */

const isLong = process.env["IPAI_TEST_LONG"] !== undefined && !isCompose;
const minutes = Number(process.env["IPAI_TEST_AWAY"] || 120);
const seconds = minutes * 60;
/** Of the 15-minute detection: as it is shipped in two hours, proportionate in less. */
const quarter = Math.max(1, Math.round(minutes / 8));
const isByItself = minutes >= 120;
const lacking = isLong ? await installN8n() : "";

const database = "finance_away";
const people = {
  supervisor: "supervisor@example.com",
  manager: "manager@example.com",
  director: "director@example.com",
};
const stack = new N8nStack();
const ops = new Receiver();
/** What health told, and when, in seconds since n8n was killed. */
const told: { readonly at: number; readonly lines: readonly string[] }[] = [];
let smtp: SmtpServer;
let worker: Later | undefined;
let killedAt = 0;
const since = () => Math.round((Date.now() - killedAt) / 1000);
const note = (text: string): void => void process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

interface Raised {
  readonly kind: string;
  readonly about: string;
  readonly subject: string;
  readonly severity: string;
  readonly state: string;
  /** Seconds since n8n was killed. */
  readonly at: number;
  readonly to: readonly string[];
  /** To whom mails of it went, as Odoo says. */
  readonly mailed: readonly string[];
  /** States of the digests that have it. */
  readonly digests: readonly string[];
}

const alertsSql = () => `
  select coalesce(json_agg(a order by a.at, a.about), '[]') from (
    select a.kind, coalesce(f.name, t.name) as about, a.subject, a.severity, a.state,
      round(extract(epoch from a.create_date at time zone 'UTC') - ${killedAt / 1000})::int as at,
      array(select p.email from ipai_finance_alert_ipai_finance_person_rel r join ipai_finance_person p on p.id = r.ipai_finance_person_id
        where r.ipai_finance_alert_id = a.id order by 1) as to,
      array(select m.email_to from ipai_finance_alert_mail_mail_rel r join mail_mail m on m.id = r.mail_mail_id
        where r.ipai_finance_alert_id = a.id and m.state = 'sent' order by 1) as mailed,
      array(select d.state from ipai_finance_alert_ipai_finance_digest_rel r join ipai_finance_digest d on d.id = r.ipai_finance_digest_id
        where r.ipai_finance_alert_id = a.id order by 1) as digests
    from ipai_finance_alert a
      left join ipai_finance_bir_schedule f on a.res_model = 'ipai.finance.bir_schedule' and f.id = a.res_id
      left join project_task t on a.res_model = 'project.task' and t.id = a.res_id
  ) a`;
const alerts = async () => JSON.parse(await sql(alertsSql(), database)) as Raised[];

async function type(typed: string): Promise<void> {
  const harness = await readFile(join(import.meta.dirname, "../../harness/n8n-away.py"), "utf8");
  await typeIntoShell(database, `${harness}\n${typed}\n`);
}

/** Whom mails of Odoo reached, and what they say. */
function mails() {
  const ours = smtp.taken().filter(({ to }) => to.some((one) => Object.values<string>(people).includes(one)));
  return ours.map(({ to, mail }) => ({ to: to.join(", "), html: readMail(mail).html.replace(/\s+/g, " ") }));
}

/** What people do when this part of the time is over. */
async function at(part: number, deed: () => Promise<void>): Promise<void> {
  await sleep(Math.max(0, part * seconds - since()) * 1000);
  await deed();
}

/** When Odoo's own runner called a scheduled action, in seconds since n8n was killed. */
async function calls(name: string): Promise<readonly number[]> {
  const lines = (await readFile(join(folder, "log", `${database}.log`), "utf8")).split("\n");
  const begun = lines.filter((line) => line.includes(`Job '${name}'`) && line.includes("starting"));
  return begun
    .map((line) => Math.round((Date.parse(`${line.slice(0, 19).replace(" ", "T")}Z`) - killedAt) / 1000))
    .filter((one) => one >= 0);
}

const stages = ["Preparation", "Review", "Approval"];
const ladder = (filing: string, of = stages) =>
  of.map((stage) => `escalation critical 1601-C 2026-01 ${filing}: ${stage}`);
/** Of kind, severity and record, what has to be told: nothing else, and nothing twice. */
const expected = [
  "deadline normal 1601-C 2026-01 before",
  "deadline normal 1601-C 2026-01 five",
  "deadline high 1601-C 2026-01 three",
  "deadline critical 1601-C 2026-01 today",
  "deadline critical 1601-C 2026-01 tomorrow",
  "deadline critical 1601-C 2026-01 yesterday",
  "missed critical 1601-C 2026-01 yesterday",
  ...["today", "yesterday", "ladder", "late"].flatMap((one) => ladder(one)),
  ...ladder("tomorrow", ["Approval"]),
].toSorted();

describe.runIf(isLong && lacking === "")(`n8n away for ${minutes} minutes${lacking}`, () => {
  beforeAll(async () => {
    smtp = await startSmtp();
    await ops.listen();
    ops.behave = (_, response) => {
      const { body } = ops.requests.at(-1) ?? { body: "" };
      const { messages } = JSON.parse(body) as { messages: { event: string; lines: string[] }[] };
      const lines = messages.filter(({ event }) => event === "health.changed").flatMap((one) => one.lines);
      told.push({ at: since(), lines });
      response.end("ok");
    };
    await makeDatabase(database);
    expect((await runOdoo(database, ["-i", "ipai_finance_ppm"])).exitCode).toBe(0);
    stack.odooKey = await makeKey(database, "group_deliverer");
    await type(`set_up(${smtp.port}, ${JSON.stringify(people)})`);
    // One Odoo with one worker of scheduled actions is enough, and does not keep the machine from others.
    await stopServices();
    await stack.begin();
    stack.more["OPS_URL"] = `http://127.0.0.1:${ops.port}/`;
    const odoo = await odooService(database);
    const configure = (schedules: object) =>
      stack.configure((definition, config) => {
        definition.runtime.native.services["odoo-core"] = odoo;
        definition.services["odoo"] = [{ name: "odoo-core", url: addonUrl }];
        definition.odoo["database"] = database;
        definition.schedules = schedules;
        config["notify"] = { ops: { kind: "webhook", url: "${OPS_URL}", severity: "info" } };
      });
    await configure({});
    const health = { procedure: "health", cron: minutes >= 30 ? "*/5 * * * *" : "* * * * *", missed: "none" };
    await configure({ ...(await noSchedules(stack.config, stack.env())), health });
    await stack.power("start", "odoo-core");
    await until("Odoo serves", () =>
      fetch(`${addonUrl}/web/login`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const synced = await stack.change("n8n", "sync");
    expect([synced.outcome, synced.error]).toEqual(["succeeded", undefined]);
  }, 600_000);

  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]();
    await stack.power("stop", "odoo-core");
    await stack.end();
    await removeDatabase(database);
    await Promise.all([smtp.stop(), ops.close()]);
    expect((await ipai(["demo", "reset"])).exitCode).toBe(0);
    expect(await leftovers()).toEqual([]);
  }, 600_000);

  it("tells before, by mail and in the chat, and health is well", async () => {
    await until("the chat has the test", async () => stack.texts().some((text) => text.includes("TEST")));
    stack.chat.requests.length = 0;
    await type("enter('before', 7, ALL)\ncall_in('cron_quarter_hour', 0)");
    expect((await stack.call("bir-deadline-alert", {})).status).toBe(200);
    await until("the chat has it", async () => stack.texts().length === 1);
    await until("it is mailed", async () => mails().length === 1, 180_000);
    expect(await alerts()).toMatchObject([{ state: "sent", mailed: [people.supervisor], digests: ["delivered"] }]);
    worker = new Later(stack.config, stack.env());
  }, 300_000);

  it(
    "goes on by Odoo's own runner while n8n is away: each alert raised once, each mailed once",
    async () => {
      await type(`
enter('five', 5, ALL); enter('three', 3, ALL); enter('today', 0)
unheard_since(enter('tomorrow', 1, ('prep', 'review')).task_ids.filtered(lambda one: one.finance_stage == 'approval'), ${seconds / 2})
call_in('cron_quarter_hour', ${(quarter * 60) / 3}, ${quarter}); call_in('cron_day', ${0.4 * seconds}); call_in('cron_ladder', ${0.6 * seconds})
env.cr.execute("update ipai_finance_heartbeat set called_at = now() at time zone 'UTC' - interval '27 hours' + interval '${seconds / 2} seconds'")
env.cr.commit()`);
      process.kill(Number(await readFile(join(stack.home, "n8n.pid"), "utf8")), "SIGKILL");
      killedAt = Date.now();
      note(`n8n was killed; it stays away until ${new Date(killedAt + seconds * 1000).toISOString()}`);
      await at(0.3, () => type("enter('yesterday', -1)"));
      await at(0.57, () => type("enter('ladder', 0)"));
      await at(0.7, () => type("enter('late', 0)"));
      await at(1, async () => note(`${minutes} minutes are over`));
      const raised = await alerts();
      expect(names(raised)).toEqual(expected);
      expect(stack.texts().length).toBe(1);
      // Whoever is to hear of it has a mail of it that the mail server took, and no second one.
      expect(raised.filter(({ to, mailed }) => JSON.stringify(to) !== JSON.stringify(mailed))).toEqual([]);
      const taken = mails();
      for (const { subject, to } of raised) {
        const having = taken.filter(({ html }) => html.includes(subject)).map((one) => one.to);
        expect({ subject, to: having }).toEqual({ subject, to });
      }
      for (const one of raised) note(`${one.at} s: ${one.subject} → ${one.mailed.join(", ")}`);
    },
    seconds * 1000 + 300_000,
  );

  it("ran each scheduled action when it was due, and what is critical was known within a quarter of an hour", async () => {
    const [detection, day, steps] = await Promise.all(
      ["Finance alerts: missed deadlines, delivery", "BIR filings: the day", "Finance tasks: escalation"].map(calls),
    );
    note(`detection at ${detection}, the day at ${day}, the ladder at ${steps} s`);
    expect([day?.length, steps?.length]).toEqual([1, 1]);
    expect(detection?.length).toBeGreaterThanOrEqual(Math.floor(minutes / quarter) - 1);
    // Its runner looks once a minute.
    const late = (await alerts()).filter(({ about }) => about.includes(" late: ")).map(({ at: one }) => one);
    expect(Math.max(...late)).toBeLessThanOrEqual(0.7 * seconds + quarter * 60 + 90);
    const log = await readFile(join(folder, "log", `${database}.log`), "utf8");
    expect(log.split("\n").filter((line) => / (?:ERROR|CRITICAL) /.test(line))).toEqual([]);
  });

  it("tells the chat what is owed when it is back, each once, and health that all is well", async () => {
    expect(isWrong(told.flatMap(({ lines }) => lines))).toEqual([true, true]);
    const wasSilent = told.find(({ lines }) =>
      lines.some((line) => line.startsWith("warn") && line.includes("-AUTOMATION-004")),
    );
    expect(wasSilent?.at).toBeGreaterThanOrEqual(seconds / 2 - 60);
    await stack.power("start");
    note(`n8n is back after ${since()} s`);
    if (!isByItself) expect((await stack.call("task-escalation", {})).status).toBe(200);
    const isTold = ({ digests }: Raised) => digests.join() === "delivered";
    await until(
      "all is told",
      async () => (await sleep(5000)) === undefined && (await alerts()).every(isTold),
      7_500_000,
    );
    note(`all is told after ${since()} s`);
    // Whoever asks again is handed nothing.
    const again = await stack.call("task-escalation", {});
    expect([again.status, await again.json()]).toMatchObject([200, { raised: 0, digests: 0 }]);
    await until("health is well", async () => (await sleep(1000)) === undefined && isWell(), 660_000);
    const raised = await alerts();
    expect([names(raised), raised.every(isTold)]).toEqual([expected, true]);
    const posts = stack.texts();
    for (const { subject } of raised) {
      const count = posts.join("\n").split(`: ${subject}**`).length - 1;
      expect({ subject, count }).toEqual({ subject, count: 1 });
    }
    expect(posts.length).toBe(Number(await sql("select count(*) from ipai_finance_digest", database)));
    const result = { minutes, alerts: raised.length, mails: mails().length, posts: posts.length, health: told };
    note(JSON.stringify(result));
  }, 8_500_000);
});

const names = (raised: readonly Raised[]) =>
  raised.map(({ kind, severity, about }) => `${kind} ${severity} ${about}`).toSorted();

/** Whether it was told that n8n does not answer, and that it asks no more. */
function isWrong(lines: readonly string[]): readonly boolean[] {
  const has = (status: string, code: string) => lines.some((line) => line.startsWith(status) && line.includes(code));
  return [has("fail", "IPAI-AUTOMATION-001"), has("warn", "IPAI-AUTOMATION-004")];
}

/** The last word of health about each of n8n's checks. */
function isWell(): boolean {
  const lines = told.flatMap((one) => one.lines).filter((line) => line.includes("IPAI-AUTOMATION"));
  return ["001", "002", "004"].every((code) =>
    lines.findLast((line) => line.includes(`IPAI-AUTOMATION-${code}`))?.startsWith("ok again"),
  );
}
