import type { FinanceDesk } from "../../src/api/ports.ts";
import type {
  Alert,
  Close,
  Heartbeat,
  HeldExtension,
  HeldFiling,
  HeldHoliday,
  MonthlyReport,
  Move,
} from "../../src/finance/held.ts";

/** What an Odoo with Finance PPM might hold: companies and people of no place. */

export const filing: HeldFiling = {
  ...{ id: 7, company: "Example Trading Corporation", form: "1601-C", name: "Monthly Remittance Return" },
  ...{ period: "2026-09", reference: null, periodStart: "2026-09-01", periodEnd: "2026-09-30" },
  ...{ statutory: "2026-10-10", adjusted: "2026-10-12", effective: "2026-10-12", deadline: "2026-10-12" },
  ...{ payment: "2026-10-12", preparation: "2026-10-06", review: "2026-10-08", approval: "2026-10-09" },
  ...{ state: "not_started", status: "late", completion: 100 / 3 },
  ...{ preparedBy: "Staff Example", reviewedBy: null, approvedBy: "Manager Example" },
  ...{ filedOn: null, confirmation: null, confidence: "high" },
  reasons: ["10th of the next month (RR 2-98; RR 26-2002)", "2026-10-10 is a Saturday (RMC 65-2016)"],
};

export const filings: readonly HeldFiling[] = [
  filing,
  {
    ...filing,
    ...{ id: 8, company: "=Sample/Holdings: Incorporated of Many Words", form: "0619-E", period: "2026-10" },
    ...{ statutory: "2026-11-10", adjusted: "2026-11-10", effective: "2026-11-10", deadline: "2026-11-10" },
    ...{ status: "in_progress", state: "in_progress", reference: "amended" },
  },
];

export const alert: Alert = {
  ...{ id: 12, at: "2026-10-13T00:00:00Z", company: filing.company, kind: "missed", severity: "critical" },
  ...{ state: "sent", subject: "1601-C 2026-09 is overdue since 2026-10-12", text: "- 10th of the next month" },
  ...{ recipients: ["Director Example"], acknowledgedBy: null },
};

export const holiday: HeldHoliday = {
  ...{ id: 3, date: "2026-11-02", name: "All Souls' Day", type: "special_nonworking", status: "proclaimed" },
  ...{ proclamation: "Proclamation 1006 (2025)", regions: [], confidence: "high" },
};

export const extension: HeldExtension = {
  ...{ id: 2, authority: "RMC 99-2026", issuedOn: "2026-10-09", forms: ["1601-C", "0619-E"], dueFrom: "2026-10-12" },
  ...{ dueUntil: "2026-10-15", newDeadline: "2026-10-30", regions: ["Cebu"], source: null, state: "confirmed" },
  confidence: "high",
};

export const move: Move = {
  ...{ id: 7, company: filing.company, form: "1601-C", period: "2026-09", from: "2026-10-12", to: "2026-10-13" },
};

const nobodyExcused = { excusedBy: null, excusedOn: null };

export const report: MonthlyReport = {
  ...{ company: filing.company, period: "2026-10", revision: 2, generatedAt: "2026-11-01T01:00:00Z" },
  ...{ delivery: "sent", sentTo: ["Manager Example", "Director Example"] },
  ...{ total: 4, filedOnTime: 2, filedLate: 1, openLate: 1, openInTime: 0, notApplicable: 1 },
  ...{ rate: 50, completion: 75, leadDays: 1.5 },
  escalations: [
    { level: 1, count: 3 },
    { level: 3, count: 1 },
  ],
  closes: [{ period: "2026-09", tasks: 12, done: 12, onTime: 11, late: 1, days: 6 }],
  exposure: {
    ...{ amount: 18_246.58, surcharge: 10_000, interest: 2_246.58, compromise: 6_000, fines: 0, perDay: 24.66 },
    ...{ until: "2026-10-31", unknown: 1, size: "small", basis: ["RA 11976; RR 6-2024"], confidence: "medium" },
  },
  byForm: [
    {
      form: "1601-C",
      name: "Monthly Remittance Return of Income Taxes Withheld on Compensation",
      total: 2,
      onTime: 1,
      late: 1,
    },
    {
      form: "0619-E",
      name: "Monthly Remittance Form of Creditable Income Taxes Withheld",
      total: 2,
      onTime: 1,
      late: 1,
    },
  ],
  byPerson: [
    { person: "Staff Example", stage: "preparation", total: 3, onTime: 2, late: 1 },
    { person: null, stage: "preparation", total: 1, onTime: 0, late: 1 },
    { person: "Manager Example", stage: "approval", total: 4, onTime: 2, late: 2 },
  ],
  filings: [
    {
      ...{ form: "1601-C", period: "2026-09", deadline: "2026-10-12", status: "filed", filedOn: "2026-10-09" },
      ...{ late: false, daysLate: 0, preparedBy: "Staff Example", confirmation: "EX-1", reason: null },
      ...nobodyExcused,
    },
    {
      ...{ form: "0619-E", period: "2026-09", deadline: "2026-10-12", status: "filed", filedOn: "2026-10-14" },
      ...{ late: true, daysLate: 2, preparedBy: "Staff Example", confirmation: "EX-2", reason: null },
      ...nobodyExcused,
    },
    {
      ...{ form: "0619-F", period: "2026-09", deadline: "2026-10-12", status: "late", filedOn: null },
      ...{ late: true, daysLate: null, preparedBy: null, confirmation: null, reason: null },
      ...nobodyExcused,
    },
    {
      ...{ form: "1600-VT", period: "2026-09", deadline: "2026-10-12", status: "not_applicable", filedOn: null },
      ...{ late: false, daysLate: null, preparedBy: null, confirmation: null, reason: "nothing was withheld" },
      ...{ excusedBy: "Manager Example", excusedOn: "2026-10-05" },
    },
    {
      ...{ form: "1600-PT", period: "2026-09", deadline: "2026-10-12", status: "cancelled", filedOn: null },
      ...{ late: false, daysLate: null, preparedBy: null, confirmation: null, reason: null },
      ...nobodyExcused,
    },
  ],
};

export const emptyReport: MonthlyReport = {
  ...report,
  ...{ company: "Sample Holdings", revision: 1, total: 0, filedOnTime: 0, filedLate: 0, openLate: 0, notApplicable: 0 },
  ...{ rate: null, completion: null, leadDays: null, escalations: [], closes: [], exposure: null },
  ...{ delivery: "none", sentTo: [] },
  ...{ byForm: [], byPerson: [], filings: [] },
};

export const close: Close = {
  ...{ id: 4, company: filing.company, period: "2026-09", state: "open", target: "2026-10-07", closedOn: null },
  ...{ days: null, completion: 50, accountable: { role: "director", people: ["Director Example"] } },
  tasks: [
    {
      ...{ id: 41, wbs: "1.1", name: "Close accounts payable", phase: "Cut-off", stage: "prep", start: "2026-09-30" },
      ...{ due: "2026-09-30", done: "2026-10-01", state: "done", daysLate: 1, after: [] },
      responsible: { role: "staff", people: ["Staff Example"] },
      accountable: { role: "supervisor", people: [] },
      ...{ consulted: null, informed: null },
    },
    {
      ...{ id: 42, wbs: "2.1", name: "Accruals", phase: "Accruals", stage: "prep", start: "2026-10-01" },
      ...{ due: "2026-10-01", done: null, state: "open", daysLate: 0, after: ["1.1"] },
      responsible: { role: null, people: [] },
      ...{ accountable: null, consulted: null, informed: null },
    },
  ],
};

export const heartbeat: Heartbeat = {
  ...{ name: "deadlines", by: "n8n", lastAt: "2026-10-13T00:00:00Z", every: { unit: "days", count: 1 } },
  trouble: "silent",
};

export const heldFinance: FinanceDesk = {
  filings: async () => filings,
  alerts: async () => [alert],
  holidays: async () => [holiday],
  extensions: async () => [extension],
  closes: async () => [close],
  heartbeats: async () => [heartbeat],
  reports: async () => [report, emptyReport],
};
