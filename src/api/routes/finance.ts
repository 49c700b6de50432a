import { z } from "zod";
import {
  alertSchema,
  closeSchema,
  extensionSchema,
  heartbeatSchema,
  heldFilingSchema,
  holidaySchema,
  reportSchema,
} from "../../finance/held.ts";
import { endpoint } from "../endpoint.ts";
import { findStack } from "./stacks.ts";

/** What the stack's Odoo holds of Finance PPM, asked now, with the rights of the key that the configuration names. Nothing is kept here. */

const params = z.object({ stack: z.string() });
const month = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, "must be a month such as 2026-01");
const year = z.string().regex(/^\d{4}$/, "must be a year such as 2026");

export const listFilings = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/filings", tag: "finance" },
  summary: "Filings with their deadlines and states",
  params,
  query: z.object({
    all: z.stringbool().default(false).describe("Also those that are filed, cancelled or do not apply"),
    year: year.optional().describe("In which the deadline lies"),
  }),
  answer: z.array(heldFilingSchema),
  handle: async (asked) => {
    const { all, year: wanted } = asked.query;
    return findStack(asked)
      .finance()
      .filings({ all, ...(wanted === undefined ? {} : { year: wanted }) });
  },
});

export const listAlerts = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/alerts", tag: "finance" },
  summary: "What was told and nobody has acknowledged",
  params,
  answer: z.array(alertSchema),
  handle: async (asked) => findStack(asked).finance().alerts(),
});

export const listHolidays = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/holidays", tag: "finance" },
  summary: "The days on which nobody works",
  params,
  query: z.object({ year: year.optional().describe("Of which year; all of them when absent") }),
  answer: z.array(holidaySchema),
  handle: async (asked) => findStack(asked).finance().holidays(asked.query.year),
});

export const listExtensions = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/extensions", tag: "finance" },
  summary: "Extensions of deadlines, confirmed or not",
  params,
  answer: z.array(extensionSchema),
  handle: async (asked) => findStack(asked).finance().extensions(),
});

export const listCloses = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/closes", tag: "finance" },
  summary: "Month-end closes: tasks as planned and as done, what waits for what, who has which part",
  params,
  query: z.object({ period: month.optional().describe("The month that is closed; all of them when absent") }),
  answer: z.array(closeSchema),
  handle: async (asked) => findStack(asked).finance().closes(asked.query.period),
});

export const listHeartbeats = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/heartbeats", tag: "finance" },
  summary: "When each scheduled action and each workflow last ran, and which of them is silent",
  params,
  answer: z.array(heartbeatSchema),
  handle: async (asked) => findStack(asked).finance().heartbeats(),
});

export const listReports = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/finance/reports", tag: "finance" },
  summary: "The compliance reports of a month that were made, one for each company",
  params,
  query: z.object({
    period: month.describe("The month in which the deadlines lie"),
  }),
  answer: z.array(reportSchema),
  handle: async (asked) => findStack(asked).finance().reports(asked.query.period),
});
