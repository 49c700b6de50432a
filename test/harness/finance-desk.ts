import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { parse, stringify } from "yaml";
import type {
  Alert,
  Close,
  Heartbeat,
  HeldFiling,
  HeldHoliday,
  MonthlyReport,
  Move,
  Step,
} from "../../src/finance/held.ts";
import { serve, typeIntoShell } from "./addon.ts";
import { type Ended, folder, ipai, parsed, sql } from "./sandbox.ts";
import { unzip } from "./zip.ts";

/**
 * A day at the desk of the finance team: `ipai finance` against an Odoo that serves a database with the addon. Nothing here depends on
 * which day it is, or on the hour.
 */
export async function workAtTheDesk(database: string): Promise<void> {
  const [key = "", staff = ""] = (await typeIntoShell(database, prepared)).trim().split("\n");
  const { url, stop } = await serve(database);
  const place = await mkdtemp(join(tmpdir(), "finance-desk-"));
  try {
    const finance = await commandOf(place, url, key);
    await moveDeadlines(finance, database);
    await climbTheLadder(finance, database);
    await lookAtCloses(finance);
    await reportMonths(finance, database, place);
    await beRefused(place, url, { key, staff });
    await seeTheChain();
  } finally {
    await stop();
    await rm(place, { recursive: true });
  }
}

type Finance = (...args: readonly string[]) => Promise<Ended>;

/** A manager and one of the staff with their keys, a filing that was late, and one that still is, with a task. */
const prepared = `
from datetime import timedelta
from odoo import Command, fields
groups = 'group_ids' if 'group_ids' in env['res.users']._fields else 'groups_id'
def user(role, group):
    link = Command.link(env.ref('ipai_finance_ppm.group_' + group).id)
    return env['res.users'].create({'name': role + ' Example', 'login': 'desk_' + group, groups: [link]})
env['ipai.finance.person'].create({'code': 'D', 'name': 'Director Example', 'role': 'director', 'email': 'director@example.com'})
def file(form, period, **values):
    form = env['ipai.finance.bir_form'].search([('code', '=', form)])
    return env['ipai.finance.bir_schedule'].create({'form_id': form.id, 'period_covered': period, **values})
file('1601-C', '2025-01').write({'state': 'filed', 'filed_on': '2025-02-12 02:00:00', 'confirmation_no': 'EX-DESK-1'})
late = file('1601-C', '2025-02')
project = env['ipai.finance.filer']._project_of(late.company_id)
close = env['ipai.finance.close'].create({'company_id': late.company_id.id, 'period': '2025-01', 'template_id': env.ref('ipai_finance_ppm.close_template').id})
close.action_open()
close.task_ids.write({'state': '1_done'})
close.action_lock()
env['project.task'].create({'name': 'Example task', 'project_id': project.id, 'bir_schedule_id': late.id, 'date_deadline': '2025-03-05 09:00:00'})
until = fields.Datetime.now() + timedelta(days=1)
for one in user('Manager', 'manager'), user('Staff', 'user'):
    print(env['res.users.apikeys'].with_user(one)._generate(None, 'desk', until))
env.cr.commit()
`;

/** The stack's own configuration, with an Odoo that is this one. */
async function commandOf(place: string, url: string, key: string): Promise<Finance> {
  const config = parse(await readFile(join(folder, "ipai.yaml"), "utf8")) as {
    stacks: { sandbox: { services: { odoo: { url: string }[] }; finance?: object } };
  };
  const { sandbox } = config.stacks;
  sandbox.finance = { apiKey: "${DESK_KEY}" };
  for (const service of sandbox.services.odoo.slice(0, 1)) service.url = url;
  const file = join(place, `${new URL(url).port}.yaml`);
  await writeFile(file, stringify(config));
  return (...args) => ipai(["-c", file, "finance", ...args], { env: { DESK_KEY: key }, directory: place });
}

const answered = async <T>(ended: Promise<Ended>): Promise<T> => {
  const said = await ended;
  expect([said.exitCode, said.exitCode === 0 ? "" : said.stdout + said.stderr]).toEqual([0, ""]);
  return parsed<T>(said);
};

async function moveDeadlines(finance: Finance, database: string): Promise<void> {
  const held = await answered<readonly HeldFiling[]>(finance("filings", "--json"));
  const target = held.findLast(({ form, confidence }) => form === "1601-C" && confidence !== "low");
  if (target === undefined) throw new Error("Odoo holds no filing to move");
  const { id, deadline } = target;
  const deadlineOf = async () =>
    (await answered<readonly HeldFiling[]>(finance("filings", "--json"))).find((one) => one.id === id)?.deadline ?? "";
  const holiday = ["holiday", "add", deadline, "Example Day", "--proclamation", "Proclamation 9999", "--json"];
  const asked = await finance(...holiday);
  expect([asked.exitCode, parsed<{ error: { code: string } }>(asked).error.code]).toEqual([14, "finance.no_consent"]);
  expect(asked.stderr).toContain(`${target.period}  ${deadline}  →`);
  expect(await deadlineOf()).toBe(deadline);

  const { moved } = await answered<{ moved: readonly Move[] }>(finance(...holiday, "--yes"));
  const later = moved.find((one) => one.id === id)?.to ?? "";
  expect(later > deadline).toBe(true);
  expect(await deadlineOf()).toBe(later);
  const days = await answered<readonly HeldHoliday[]>(
    finance("holiday", "list", "--year", deadline.slice(0, 4), "--json"),
  );
  expect(days.find(({ date }) => date === deadline)?.name).toBe("Example Day");
  const again = await finance(...holiday, "--yes");
  expect([again.exitCode, parsed<{ error: { code: string } }>(again).error.code]).toEqual([22, "finance.refused"]);

  const [year = ""] = later.split("-");
  const extension = ["extension", "add", "--authority", "RMC 99", "--issued", deadline, "--forms", "1601-C"];
  const added = await finance(
    ...extension,
    "--due-from",
    later,
    "--new-deadline",
    `${Number(year) + 1}-06-15`,
    "--yes",
  );
  expect([added.exitCode, added.stderr]).toEqual([0, expect.stringContaining("It would move 1 open filing")]);
  expect((await deadlineOf()).slice(0, 7)).toBe(`${Number(year) + 1}-06`);
  expect((await finance("extension", "list")).stdout).toMatch(/RMC 99 .* confirmed +1601-C/);
  expect(
    await sql(`select count(*) from ipai_finance_bir_schedule where filing_deadline = '${deadline}'`, database),
  ).toBe("0");
}

async function climbTheLadder(finance: Finance, database: string): Promise<void> {
  // On some days tasks of other filings are due, too.
  const climbed = async () =>
    (await answered<readonly Step[]>(finance("escalate", "--json"))).filter(({ task }) => task === "Example task");
  expect(await climbed()).toMatchObject([{ level: 3, recipients: expect.arrayContaining(["Director Example"]) }]);
  const open = await answered<readonly Alert[]>(finance("alerts", "--json"));
  const alert = open.find(({ subject }) => subject.startsWith("Example task"));
  const acked = await finance("alerts", "--ack", String(alert?.id));
  expect(acked.stdout).toContain("Acknowledged by Manager Example: Example task");
  const quiet = await sql(
    "select escalation_ack_until > now() at time zone 'UTC' from project_task where name = 'Example task'",
    database,
  );
  expect([quiet, await climbed()]).toEqual(["t", []]);
  const left = await answered<readonly Alert[]>(finance("alerts", "--json"));
  expect(left.map(({ id }) => id)).not.toContain(alert?.id);
}

async function lookAtCloses(finance: Finance): Promise<void> {
  const [close] = await answered<readonly Close[]>(finance("closes", "--period", "2025-01", "--json"));
  expect([close?.state, close?.tasks.length, close?.accountable]).toEqual([
    ...["locked", 12, { role: "director", people: expect.arrayContaining(["Director Example"]) }],
  ]);
  const shown = await finance("closes", `${close?.company} 2025-01`);
  expect(shown.stdout).toMatch(
    /2025-01: locked, 12 of 12 done, 0 late, closed .*\nAnswers for it: .*Director Example\n/,
  );
  expect(shown.stdout).toMatch(/\nReview\n +4\.1 .* done, .* late .* 3\.1 3\.2 3\.3\n/);
  const absent = await finance("closes", "999999999", "--json");
  expect([absent.exitCode, parsed<{ error: { code: string } }>(absent).error.code]).toEqual([14, "finance.no_close"]);
  const beats = await answered<readonly Heartbeat[]>(finance("heartbeats", "--json"));
  expect(beats.find(({ name }) => name === "Finance tasks: escalation")?.every).toEqual({ unit: "hours", count: 2 });
  expect((await finance("heartbeats")).stdout).toMatch(/Finance tasks: escalation +Odoo +every 2 hours/);
}

async function reportMonths(finance: Finance, database: string, place: string): Promise<void> {
  const empty = await finance("report", "--period", "2025-04");
  expect([empty.exitCode, empty.stdout]).toEqual([0, expect.stringContaining("2025-04: no filings due")]);
  // Other companies of the database have theirs.
  const report = async (...args: readonly string[]) => {
    const made = await answered<readonly MonthlyReport[]>(finance("report", "--period", "2025-02", "--json", ...args));
    return made.find(({ filings }) => filings.some(({ confirmation }) => /^EX-DESK-/.test(confirmation ?? "")));
  };
  const first = await report("--pdf", "report.pdf", "--csv", "report.csv", "--xlsx", "report.xlsx");
  expect(first).toMatchObject({ revision: 1, total: 1, filedLate: 1, rate: 0 });
  const pages = await readFile(join(place, "report.pdf"));
  expect([pages.subarray(0, 5).toString(), pages.length > 10_000]).toEqual(["%PDF-", true]);
  expect([...unzip(await readFile(join(place, "report.xlsx"))).keys()]).toContain("xl/worksheets/sheet1.xml");
  expect(await readFile(join(place, "report.csv"), "utf8")).toContain(",1601-C,2025-01,2025-02-10,filed,2025-02-12,");
  expect(await report()).toEqual(first);
  await sql(
    "update ipai_finance_bir_schedule set confirmation_no = 'EX-DESK-2' where confirmation_no = 'EX-DESK-1'",
    database,
  );
  // Looked at, it is what was reported; only made again it is what is true now.
  expect(await report()).toEqual(first);
  expect(await report("--again")).toMatchObject({ revision: 2, filings: [{ confirmation: "EX-DESK-2" }] });
  const rows =
    "select count(*), max(revision) from ipai_finance_monthly_report where period = '2025-02' group by company_id order by max(revision) desc limit 1";
  expect(await sql(rows, database)).toBe("1|2");
  const taken = await finance("report", "--period", "2025-02", "--pdf", "report.pdf", "--json");
  expect(parsed<{ error: { code: string } }>(taken).error.code).toBe("finance.file_exists");
  expect((await finance("filings", "--all", "--xlsx", "filings.xlsx")).exitCode).toBe(0);
  expect([...unzip(await readFile(join(place, "filings.xlsx"))).keys()]).toContain("xl/worksheets/sheet1.xml");
}

async function beRefused(
  place: string,
  url: string,
  { key, staff }: { readonly key: string; readonly staff: string },
): Promise<void> {
  const absent = await (await commandOf(place, url, key))("alerts", "--ack", "999999999", "--json");
  expect([absent.exitCode, parsed<{ error: { code: string } }>(absent).error.code]).toEqual([22, "finance.refused"]);
  const forbidden = await (await commandOf(place, url, staff))("escalate", "--json");
  expect([forbidden.exitCode, parsed<{ error: { code: string } }>(forbidden).error.code]).toEqual([
    ...[24, "finance.not_allowed"],
  ]);
  const serving = parse(await readFile(join(folder, "ipai.yaml"), "utf8")).stacks.sandbox.services.odoo[0]
    .url as string;
  for (const [address, given, code, exitCode] of [
    [url, "of-nobody", "finance.key_refused", 24],
    [serving, key, "finance.addon_missing", 43],
    ["http://127.0.0.1:9", key, "finance.odoo_away", 43],
  ] as const) {
    const ended = await (await commandOf(place, address, given))("alerts", "--json");
    expect([ended.exitCode, parsed<{ error: { code: string } }>(ended).error.code]).toEqual([exitCode, code]);
    expect(ended.stdout + ended.stderr).not.toContain(given);
  }
}

/** Each change was asked for, and then done or not; what was only looked at left nothing. */
async function seeTheChain(): Promise<void> {
  const links = parsed<readonly { action: string; subject: string; detail: Record<string, unknown> }[]>(
    await ipai(["audit", "--json", "--limit", "60"]),
  ).filter(({ action }) => action.startsWith("finance."));
  const told = links.map(({ action, detail }) => `${action.slice(8)} ${detail["what"]}`);
  expect(told).toEqual([
    ...["asked holiday add", "done holiday add", "asked extension add", "done extension add"],
    ...["asked escalate", "done escalate"],
    ...["asked alert acknowledge", "done alert acknowledge", "asked escalate", "done escalate"],
    ...Array.from({ length: 3 }, () => ["asked report", "done report"]).flat(),
    ...["asked alert acknowledge", "failed alert acknowledge", "asked escalate", "failed escalate"],
  ]);
  expect((await ipai(["audit", "verify"])).exitCode).toBe(0);
}
