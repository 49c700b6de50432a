import { z } from "zod";
import { roles } from "../access/rights.ts";

/** The shapes of the API's answers: what `/api/openapi.json` says, and what the tests hold every answer against. */

const instant = z.iso.datetime().describe("In UTC");

export const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  output: z.string().optional(),
});

const stepSchema = z.object({
  id: z.string(),
  title: z.string(),
  outcome: z.enum(["running", "succeeded", "skipped", "failed", "undone"]),
  seconds: z.number().nullable(),
  attempts: z.int(),
  error: errorSchema.optional(),
});

export const runSchema = z.object({
  run: z.string(),
  procedure: z.string(),
  stack: z.string(),
  title: z.string(),
  actor: z.string().describe("Who started it"),
  planHash: z.string(),
  consentsNeeded: z.int().describe("How many people must consent before it begins"),
  createdAt: instant,
  waitingFor: z.enum(["approval", "decision", "undo"]).nullable(),
  outcome: z
    .enum([
      ...(["succeeded", "failed-and-undone", "failed", "cancelled", "unknown"] as const),
      ...(["planned", "waiting", "running", "undoing"] as const),
    ])
    .describe("Of a run that has not ended, where it stands"),
  startedAt: instant.nullable(),
  finishedAt: instant.nullable(),
  seconds: z.number().nullable(),
  undoClass: z.enum(["instant", "restore", "irreversible"]),
  error: errorSchema.optional(),
  steps: z.array(stepSchema),
});

export const approvalSchema = z.object({
  actor: z.string(),
  at: instant,
  via: z.string(),
  onBehalfOf: z.string().nullable().describe("Whose absence gave the right"),
});

export const planSchema = z.object({
  plan: z.object({
    hash: z.string().length(64),
    risk: z.enum(["read", "change", "destroy"]),
    undoClass: z.enum(["instant", "restore", "irreversible"]),
    forecastSeconds: z.number(),
    plan: z.looseObject({ procedure: z.string(), stack: z.string(), title: z.string(), steps: z.array(z.unknown()) }),
  }),
  text: z.string().describe("For people, with the commands that will run"),
  script: z.string().describe("As a bash script that does the same without ipai"),
});

export const findingSchema = z.object({
  code: z.string(),
  title: z.string(),
  status: z.enum(["ok", "warn", "fail", "unknown"]),
  value: z.union([z.number(), z.string(), z.null()]),
  unit: z.string(),
  hint: z.string().nullish(),
  threshold: z.union([z.number(), z.string(), z.null()]).optional(),
  milliseconds: z.number().optional(),
});

export const checklistSchema = z.array(
  z.object({
    code: z.string(),
    title: z.string(),
    status: z.enum(["ok", "warn", "fail", "unknown"]),
    text: z.string().describe("What was found"),
    next: z.string().nullable().describe("What to do about it; null when all is well"),
  }),
);

export const healthSchema = z.object({
  status: z.enum(["ok", "warn", "fail", "unknown"]),
  at: instant,
  findings: z.array(findingSchema).describe("When asked now all of them; else those that are not well"),
});

const seconds = z.number().nullable();
const daysAgo = z.int().nullable();

export const exposureSchema = z.object({
  at: instant,
  text: z.string().describe("The whole answer as one sentence"),
  rpoSeconds: z.number().describe("How much work may be lost, as promised"),
  rtoSeconds: z.number().describe("How long users may have to wait, as promised"),
  exposure: z
    .object({
      dataAtRiskSeconds: seconds.describe("The most work that would be lost; null: everything"),
      cause: z.enum(["archive", "files", "set", "everything"]).describe("What decides about that"),
      archiveSeconds: seconds.describe(
        "Changes that are not in the archive; null without one, or when that is not known",
      ),
      filesSeconds: seconds.describe("Age of the oldest file that is not stored; null likewise"),
      setSeconds: seconds.describe("Age of the last backup"),
      offsiteSeconds: seconds.describe("Age of what is safe from the loss of the machine; null: nothing is"),
      isOnSameDisk: z.boolean().nullable().describe("Backups lie on the disk of what they keep; null: not known"),
      recoverSeconds: seconds.describe("Forecast until users are back; null: nothing was ever measured"),
      recoverBy: z
        .object({
          by: z.enum(["drill", "recovery", "proof"]),
          what: z.enum(["database", "server"]),
          at: instant,
          factor: z.number().describe("How much larger everything is now"),
        })
        .nullable(),
      proofAgeDays: daysAgo,
      doubtAgeDays: daysAgo.describe("Days since a verification that has not ended well; null when there is none"),
      drillAgeDays: daysAgo,
    })
    .nullable()
    .describe("Null: no repository is configured"),
});

export const occurrenceSchema = z.object({
  schedule: z.string(),
  procedure: z.string(),
  at: instant,
  state: z.enum(["due", "started", "missed", "failed", "dropped"]),
  actor: z.string(),
  run: z.string().nullable(),
  error: errorSchema.nullable(),
});

export const scheduleSchema = z.object({
  name: z.string(),
  procedure: z.string(),
  input: z.unknown(),
  cron: z.string(),
  timezone: z.string(),
  missed: z.enum(["latest", "all", "none"]),
  next: instant.nullable(),
  paused: z.object({ by: z.string(), at: instant }).nullable(),
});

export const deliverySchema = z.object({
  at: instant,
  event: z.string().describe("What happened: run.started, run.succeeded, health.changed"),
  run: z.string().nullable(),
  stack: z.string(),
  severity: z.enum(["info", "warning", "critical"]),
  title: z.string(),
  lines: z.array(z.string()),
  channel: z.string(),
  state: z.string(),
  attempts: z.int(),
  error: z.string().nullable(),
  next_at: instant.nullable().describe("When it goes out, as long as it is due"),
});

export const grantSchema = z.object({
  role: z.enum(roles),
  stacks: z.array(z.string()).default([]).describe("On these; on all when there is none"),
  procedures: z.array(z.string()).default([]).describe("For these only; for all that the role has when there is none"),
});

export const linkSchema = z.object({
  number: z.int(),
  at: instant,
  actor: z.string(),
  action: z.string(),
  stack: z.string().nullable(),
  subject: z.string(),
  detail: z.record(z.string(), z.unknown()),
  previous: z.string(),
  hash: z.string(),
});

export const spanSchema = z.object({ handle: z.string(), from: instant, until: instant });

export const resourceSchema = z.object({
  id: z.string(),
  kind: z.string().describe("past, copy or kept"),
  title: z.string(),
  by: z.string().describe("Who opened it"),
  run: z.string(),
  openedAt: z.string(),
  expires: z.string(),
  close: z
    .object({ procedure: z.string(), input: z.record(z.string(), z.unknown()) })
    .describe("Start this to close it"),
  attempts: z.number().describe("How often it was tried to close it because it had expired"),
});

export const certificateSchema = z.object({
  certificate: z.looseObject({
    format: z.string(),
    verdict: z.enum(["proven", "failed"]),
    stack: z.object({ name: z.string(), timezone: z.string() }),
    set: z.looseObject({ id: z.string() }),
    verification: z.looseObject({ run: z.string(), actor: z.string(), endedAt: instant, seconds: z.number() }),
  }),
  digest: z.string().length(64).describe("SHA-256 of the certificate as canonical JSON (RFC 8785)"),
  signature: z.string().describe("Ed25519 over the same text, base64"),
  publicKey: z.string().describe("PEM; for comparison only: trust one that came another way"),
});

export const problemSchema = z.object({
  type: z.string(),
  status: z.int(),
  title: z.string().describe("What happened, and what was not changed"),
  detail: z.string().describe("The next action"),
  code: z.string(),
  retryable: z.boolean(),
});
