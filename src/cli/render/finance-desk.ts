import { toCsv } from "../../finance/csv.ts";
import type {
  Alert,
  Close,
  Heartbeat,
  HeldExtension,
  HeldFiling,
  HeldHoliday,
  MonthlyReport,
  Move,
  Step,
} from "../../finance/held.ts";
import type { Terminal } from "../terminal.ts";
import { instant, table } from "./text.ts";

/** What Odoo holds of Finance PPM, for people and for spreadsheets. */

type Styled = Pick<Terminal, "style">;

export function renderFilings(terminal: Styled, filings: readonly HeldFiling[]): string {
  if (filings.length === 0) return "Nothing is to be filed.";
  const late = filings.filter(({ status }) => status === "late").length;
  const rows = filings.map((filing) => [
    filing.deadline,
    filing.form,
    periodOf(filing),
    filing.company,
    filing.status === "late" ? terminal.style("red", "late") : filing.status.replaceAll("_", " "),
    `${Math.round(filing.completion)} %`,
    filing.preparedBy ?? "",
  ]);
  const header = ["DEADLINE", "FORM", "PERIOD", "COMPANY", "STATUS", "DONE", "PREPARED BY"];
  return `${table([header, ...rows])}\n\n${count(filings.length, "filing")}, ${late} late.`;
}

const periodOf = ({ period, reference }: Pick<HeldFiling, "period" | "reference">) =>
  [period, reference].filter(Boolean).join(" ");

const filingColumns = [
  ...(["company", "form", "name", "period", "reference", "periodStart", "periodEnd", "statutory", "adjusted"] as const),
  ...(["effective", "deadline", "payment", "preparation", "review", "approval", "state", "status"] as const),
  ...(["completion", "preparedBy", "reviewedBy", "approvedBy", "filedOn", "confirmation", "confidence"] as const),
];

export function heldFilingsToCsv(filings: readonly HeldFiling[]): string {
  return toCsv([
    [...filingColumns, "why"],
    ...filings.map((filing) => [
      ...filingColumns.map((column) => String(filing[column] ?? "")),
      filing.reasons.join("; "),
    ]),
  ]);
}

export function renderAlerts(terminal: Styled, alerts: readonly Alert[], timeZone: string): string {
  if (alerts.length === 0) return "Nothing is open.";
  const color = { critical: "red", high: "yellow", normal: "dim" } as const;
  const rows = alerts.map(({ id, severity, at, company, subject, recipients, state }) => [
    String(id),
    terminal.style(color[severity], severity),
    instant(at, timeZone),
    company,
    subject,
    recipients.length === 0 ? "nobody" : recipients.join(", "),
    state,
  ]);
  const header = ["ID", "SEVERITY", "SINCE", "COMPANY", "WHAT", "FOR", "STATE"];
  return `${table([header, ...rows])}\n\nAcknowledge one: ipai finance alerts --ack ID`;
}

export function renderHolidays(holidays: readonly HeldHoliday[]): string {
  if (holidays.length === 0) return "No holiday is entered.";
  const rows = holidays.map(({ date, name, type, status, proclamation, regions }) => [
    ...[date, type.replaceAll("_", " "), status, whereOf(regions), name, proclamation],
  ]);
  return table([["DATE", "TYPE", "STATUS", "WHERE", "NAME", "BY"], ...rows]);
}

export function renderExtensions(extensions: readonly HeldExtension[]): string {
  if (extensions.length === 0) return "No extension is entered.";
  const rows = extensions.map(({ authority, issuedOn, forms, dueFrom, dueUntil, newDeadline, regions, state }) => [
    ...[authority, issuedOn, dueFrom === dueUntil ? dueFrom : `${dueFrom} to ${dueUntil}`, newDeadline],
    ...[whereOf(regions), state, forms.join(" ")],
  ]);
  return table([["AUTHORITY", "ISSUED", "DUE", "INSTEAD", "WHERE", "STATE", "FORMS"], ...rows]);
}

const whereOf = (regions: readonly string[]) => (regions.length === 0 ? "nation" : regions.join(" "));

/** `when`: before somebody has consented, or after it is done. */
export function renderMoves(moves: readonly Move[], when: "before" | "after"): string {
  if (moves.length === 0) return when === "before" ? "It would move no open filing." : "It moved no open filing.";
  const rows = moves.map(({ company, form, period, from, to }) => [`  ${company}`, form, period, from, "→", to]);
  const words = when === "before" ? "It would move" : "It moved";
  return `${words} ${count(moves.length, "open filing")}:\n${table(rows)}`;
}

export function renderSteps(steps: readonly Step[]): string {
  if (steps.length === 0) return "No step of the ladder is due.";
  const rows = steps.map(({ level, company, task, reason, recipients }) => [
    ...[String(level), company, task, reason, recipients.length === 0 ? "nobody" : recipients.join(", ")],
  ]);
  return table([["LEVEL", "COMPANY", "TASK", "WHY", "TOLD"], ...rows]);
}

export function renderCloses(terminal: Styled, closes: readonly Close[]): string {
  if (closes.length === 0) return "No close has been opened.";
  const rows = closes.map((close) => {
    const { id, period, company, state, target, accountable } = close;
    const late = lateOf(close);
    return [
      ...[String(id), period, company, state.replaceAll("_", " "), doneOf(close)],
      ...[late === 0 ? "0" : terminal.style("red", String(late)), target ?? "", partText(accountable)],
    ];
  });
  const header = ["ID", "PERIOD", "COMPANY", "STATE", "DONE", "LATE", "TARGET", "ANSWERS FOR IT"];
  return `${table([header, ...rows])}\n\nOne with its tasks: ipai finance closes ID`;
}

type CloseTask = Close["tasks"][number];

const lateOf = ({ tasks }: Close) => tasks.filter(({ state, daysLate }) => state === "open" && daysLate > 0).length;
const doneOf = ({ tasks }: Close) => `${tasks.filter(({ state }) => state !== "open").length} of ${tasks.length}`;
const partText = (part: CloseTask["responsible"]) =>
  part === null ? "" : part.people.join(", ") || (part.role === null ? "nobody" : `nobody (${part.role})`);

/** One close: its phases, and below each its tasks by WBS code. */
export function renderClose(terminal: Styled, close: Close): string {
  const { company, period, state, target, closedOn, days, accountable, tasks } = close;
  const ended = closedOn === null ? `target ${target ?? "unknown"}` : `closed ${closedOn}, on working day ${days}`;
  const said = [state.replaceAll("_", " "), `${doneOf(close)} done`, `${lateOf(close)} late`, ended];
  const [header, ...rows] = table([
    ["  WBS", "TASK", "DUE", "STATE", "WHO", "ANSWERS FOR IT", "AFTER"],
    ...tasks.map((task) => [
      ...[`  ${task.wbs}`, task.name, task.due ?? "", taskState(terminal, task), partText(task.responsible)],
      ...[partText(task.accountable), task.after.join(" ")],
    ]),
  ]).split("\n");
  const phases = Map.groupBy(tasks.keys(), (index) => tasks[index]?.phase ?? "Without a phase");
  return [
    `${company} ${period}: ${said.join(", ")}`,
    `Answers for it: ${partText(accountable)}`,
    "",
    header,
    ...[...phases].flatMap(([phase, indexes]) => [phase, ...indexes.map((index) => rows[index])]),
  ].join("\n");
}

function taskState(terminal: Styled, { state, daysLate }: CloseTask): string {
  const late = `${count(daysLate, "day")} late`;
  if (state === "open") return daysLate > 0 ? terminal.style("red", late) : state;
  return daysLate > 0 ? `${state}, ${late}` : state;
}

export function renderHeartbeats(terminal: Styled, heartbeats: readonly Heartbeat[], timeZone: string): string {
  const rows = heartbeats.map(({ name, by, every, lastAt, trouble }) => [
    ...[name, by, `every ${every.count === 1 ? every.unit.slice(0, -1) : `${every.count} ${every.unit}`}`],
    lastAt === null ? "not yet" : instant(lastAt, timeZone),
    trouble === null ? "well" : terminal.style("red", trouble),
  ]);
  return table([["WHAT", "BY", "HOW OFTEN", "LAST", "STATE"], ...rows]);
}

/** A paragraph for each company. */
export function renderReports(reports: readonly MonthlyReport[], timeZone: string): string {
  if (reports.length === 0) return "No company files.";
  return reports.map((report) => reportText(report, timeZone)).join("\n\n");
}

function reportText(report: MonthlyReport, timeZone: string): string {
  const { company, period, revision, generatedAt, rate, total } = report;
  const counts = [
    `${total} due`,
    `${report.filedOnTime} filed in time`,
    `${report.filedLate} filed late`,
    `${report.openLate} late and open`,
    `${report.openInTime} open in time`,
    `${report.notApplicable} not applicable`,
  ];
  const late = report.filings.filter((filing) => filing.late);
  return [
    `${company}, ${period}: ${rate === null ? (total === 0 ? "no filings due" : "nothing due yet") : `${rate} % filed in time`}`,
    `  ${counts.join(", ")}`,
    ...late.map(
      ({ form, period: of, deadline, daysLate, filedOn }) =>
        `  ${form} ${of}, due ${deadline}: ${filedOn === null ? "not filed yet" : `filed ${filedOn}, ${count(daysLate ?? 0, "day")} late`}`,
    ),
    ...report.filings.filter(isExcused).map(excusedText),
    ...exposureText(report),
    `  revision ${revision}, ${instant(generatedAt, timeZone)}, ${deliveryText(report)}`,
  ].join("\n");
}

type ReportedFiling = MonthlyReport["filings"][number];

const isExcused = ({ status }: ReportedFiling) => status === "cancelled" || status === "not_applicable";

function excusedText({ form, period, status, excusedBy, excusedOn, reason }: ReportedFiling): string {
  const who = [excusedBy ?? "who is not recorded", excusedOn].filter((part) => part !== null).join(", ");
  return `  ${form} ${period}, ${status.replaceAll("_", " ")}: ${reason ?? "no reason is recorded"} (${who})`;
}

function exposureText({ exposure, openLate, filedLate }: MonthlyReport): readonly string[] {
  if (exposure === null || openLate + filedLate === 0) return [];
  const { amount, until, perDay, unknown } = exposure;
  const left = unknown === 0 ? "" : `; of ${count(unknown, "late filing")} no amount is entered`;
  if (amount === null) return [`  exposure not estimated${left}`];
  const more = perDay === null || perDay === 0 ? "" : `, ${pesos(perDay)} more each day`;
  return [`  exposure, an estimate: ${pesos(amount)} until ${until}${more}${left}`];
}

function pesos(value: number): string {
  return `₱${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

function deliveryText({ delivery, sentTo }: MonthlyReport): string {
  if (sentTo.length > 0) return `mailed to ${sentTo.join(", ")}`;
  return { none: "not mailed", waiting: "its mail waits", sent: "mailed", failed: "could not be mailed" }[delivery];
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
