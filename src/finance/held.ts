import { z } from "zod";

/** What Odoo holds of Finance PPM, as its door for programs tells it, and this program's API after it. Days are dates in Manila. */

const day = z.iso.date();
/** In UTC. */
const instant = z.iso.datetime();
const named = z.string();

export const heldFilingSchema = z.object({
  id: z.int(),
  company: z.string(),
  form: z.string(),
  name: z.string(),
  period: z.string(),
  reference: z.string().nullable(),
  periodStart: day,
  periodEnd: day,
  statutory: day,
  adjusted: day,
  effective: day,
  deadline: day.describe("The date to work by: the effective one, or what somebody who answers for taxes says instead"),
  payment: day.nullable(),
  preparation: day,
  review: day,
  approval: day,
  state: z.string(),
  status: z.string().describe("The state, or late"),
  completion: z.number().describe("Per cent of its tasks"),
  preparedBy: named.nullable(),
  reviewedBy: named.nullable(),
  approvedBy: named.nullable(),
  filedOn: day.nullable(),
  confirmation: z.string().nullable(),
  reasons: z.array(z.string()).describe("Why it is due then, with the law that says so"),
  confidence: z.enum(["high", "medium", "low"]),
});

export const alertSchema = z.object({
  id: z.int(),
  at: instant,
  company: z.string(),
  kind: z.string(),
  severity: z.enum(["normal", "high", "critical"]),
  state: z.string(),
  subject: z.string(),
  text: z.string(),
  recipients: z.array(named),
  acknowledgedBy: named.nullable(),
});

export const holidaySchema = z.object({
  id: z.int(),
  date: day,
  name: z.string(),
  type: z.enum(["regular", "special_nonworking", "special_working"]),
  status: z.enum(["proclaimed", "estimated"]),
  proclamation: z.string(),
  regions: z.array(z.string()).describe("Where it holds; the nation when there is none"),
  confidence: z.enum(["high", "medium", "low"]),
});

export const extensionSchema = z.object({
  id: z.int(),
  authority: z.string(),
  issuedOn: day,
  forms: z.array(z.string()),
  dueFrom: day,
  dueUntil: day,
  newDeadline: day,
  regions: z.array(z.string()).describe("For whom; the nation when there is none"),
  source: z.string().nullable(),
  state: z.enum(["draft", "confirmed"]),
  confidence: z.enum(["high", "medium", "low"]),
});

const tally = z.object({ total: z.int(), onTime: z.int(), late: z.int() });

const pesos = z.number().nullable().describe("In pesos; null when of no late filing the amount due is known");

const exposureSchema = z.object({
  amount: pesos,
  surcharge: pesos,
  interest: pesos,
  compromise: pesos,
  fines: pesos,
  perDay: pesos,
  until: day.describe("The month's last day: until then what is open is taken to be late"),
  unknown: z.int().describe("Late filings that are not in it, because nobody has entered their amount"),
  size: z.enum(["micro", "small", "medium", "large"]).nullable().describe("Of the taxpayer; null: by the higher rates"),
  basis: z.array(z.string()),
  confidence: z.enum(["high", "medium", "low"]),
});

export const reportSchema = z.object({
  company: z.string(),
  period: z.string().describe("YYYY-MM: the month in which the deadlines lie"),
  revision: z.int().describe("One more each time that a number has changed"),
  generatedAt: instant,
  delivery: z.enum(["none", "waiting", "sent", "failed"]).describe("What became of this revision's mails"),
  sentTo: z.array(named).describe("Whose mail the mail server has taken"),
  total: z.int(),
  filedOnTime: z.int(),
  filedLate: z.int(),
  openLate: z.int(),
  openInTime: z.int(),
  notApplicable: z.int(),
  rate: z
    .number()
    .nullable()
    .describe("Per cent of all that was due by then and was filed in time; null when nothing was"),
  completion: z.number().nullable(),
  leadDays: z.number().nullable().describe("Days between filing and deadline, of what is filed"),
  escalations: z.array(z.object({ level: z.int(), count: z.int() })),
  closes: z
    .array(
      z.object({
        period: z.string(),
        tasks: z.int(),
        done: z.int(),
        onTime: z
          .int()
          .nullable()
          .describe("Tasks done by their deadline; null in a report that was made before they were counted"),
        late: z.int().nullable().describe("Tasks done after it, or open after it"),
        days: z.int().nullable().describe("Working days from the period's end to its lock; null while it is open"),
      }),
    )
    .describe("The month-end closes that were to be done in this month"),
  byForm: z.array(tally.extend({ form: z.string(), name: z.string() })),
  byPerson: z.array(tally.extend({ person: named.nullable(), stage: z.enum(["preparation", "review", "approval"]) })),
  exposure: exposureSchema
    .nullable()
    .describe("An estimate of what the late filings may cost; null in a report that was made before it was estimated"),
  filings: z.array(
    z.object({
      form: z.string(),
      period: z.string(),
      deadline: day,
      status: z.string(),
      filedOn: day.nullable(),
      late: z.boolean(),
      daysLate: z.int().nullable().describe("Null while it is open"),
      preparedBy: named.nullable(),
      confirmation: z.string().nullable(),
      excusedBy: named
        .nullable()
        .default(null)
        .describe("Who decided that it does not apply, or cancelled it; null where that is not recorded"),
      excusedOn: day.nullable().default(null).describe("When"),
      reason: z.string().nullable().describe("Why it does not apply, or was cancelled"),
    }),
  ),
});

/** The files of a month's reports, as they are mailed. */
export const reportFilesSchema = z.object({ pdf: z.base64(), csv: z.string() });
const part = z
  .object({ role: z.string().nullable(), people: z.array(named) })
  .nullable()
  .describe("Who of the company has this role, or stands in; null when nobody is to");

export const closeSchema = z.object({
  id: z.int(),
  company: z.string(),
  period: z.string().describe("YYYY-MM: the month that is closed"),
  state: z.enum(["open", "in_review", "locked"]),
  target: day.nullable(),
  closedOn: day.nullable(),
  days: z.int().nullable().describe("Working days from the period's end to its lock; null while it is open"),
  completion: z.number().describe("Per cent of its tasks"),
  accountable: part
    .unwrap()
    .default({ role: null, people: [] })
    .describe("Who answers for all of it: whoever does for its last line"),
  tasks: z.array(
    z.object({
      id: z.int(),
      wbs: z.string(),
      name: z.string(),
      phase: z.string().nullable(),
      stage: z.enum(["prep", "review", "approval"]).nullable(),
      start: day.nullable().describe("As planned: the working day after the last that it waits for"),
      due: day.nullable(),
      done: day.nullable(),
      state: z.enum(["open", "done", "cancelled"]),
      daysLate: z.int().describe("Until it was done, or until today"),
      after: z.array(z.string()).describe("WBS codes of what has to be done first"),
      responsible: part,
      accountable: part,
      consulted: part,
      informed: part,
    }),
  ),
});

export const heartbeatSchema = z.object({
  name: z.string(),
  by: z.enum(["Odoo", "n8n"]),
  lastAt: instant.nullable().describe("When it last ran, or asked"),
  every: z.object({ unit: z.enum(["minutes", "hours", "days", "weeks", "months"]), count: z.int() }),
  trouble: z
    .string()
    .nullable()
    .describe("Silent beyond its interval, switched off, failing, a month's close not opened; null when it is well"),
});

/** A step of the ladder: supervisor, manager, director. */
export const stepSchema = z.object({
  task: z.string(),
  company: z.string(),
  level: z.int(),
  reason: z.string(),
  recipients: z.array(named),
});

/** What a holiday or an extension does to the open filings. */
export const moveSchema = z.object({
  id: z.int(),
  company: z.string(),
  form: z.string(),
  period: z.string(),
  from: day,
  to: day,
});

export type HeldFiling = z.infer<typeof heldFilingSchema>;
export type Alert = z.infer<typeof alertSchema>;
export type HeldHoliday = z.infer<typeof holidaySchema>;
export type HeldExtension = z.infer<typeof extensionSchema>;
export type MonthlyReport = z.infer<typeof reportSchema>;
export type ReportFiles = z.infer<typeof reportFilesSchema>;
export type Close = z.infer<typeof closeSchema>;
export type Heartbeat = z.infer<typeof heartbeatSchema>;
export type Step = z.infer<typeof stepSchema>;
export type Move = z.infer<typeof moveSchema>;
