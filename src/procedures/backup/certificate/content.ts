import { z } from "zod";
import { automationTold } from "../automation/told.ts";

/**
 * What a certificate says of one verification: plain data, in the words of an auditor. What is not known is null, never left out.
 * Amounts are text, because a double cannot hold them exactly.
 */

/** Of its records. */
export const certificateKind = "certificate";

const instant = z.iso.datetime().describe("In UTC");
const amount = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .describe("Exact decimal");

const foreign = z.strictObject({ currency: z.string(), debit: amount, credit: amount });

/** The posted journal items of one company, in its own currency. */
const book = z.strictObject({
  company: z.string(),
  currency: z.string(),
  debit: amount,
  credit: amount,
  moves: z.int().describe("Posted journal entries"),
  unbalanced: z.int().describe("Those of them whose own debit is not their credit"),
  lastDate: z.iso.date().nullable().describe("Accounting date of the last one"),
  foreign: z.array(foreign).describe("What of it is in other currencies, in these; it need not balance by itself"),
});
export type Book = z.output<typeof book>;
export const books = z.array(book).nullable();

export const login = z.strictObject({ user: z.string(), uid: z.int(), company: z.string() });

export const phaseNames = ["check", "fetch", "restore", "compare", "serve"] as const;
export type PhaseName = (typeof phaseNames)[number];

export const certificateSchema = z.strictObject({
  format: z.literal("ipai backup certificate 1"),
  verdict: z.enum(["proven", "failed"]),
  stack: z.strictObject({ name: z.string(), timezone: z.string() }),
  set: z.strictObject({
    id: z.string(),
    repository: z.string(),
    takenAt: instant.nullable(),
    database: z.string().nullable(),
    databaseBytes: z.number().nullable(),
  }),
  /** What the set was taken of, as it says itself. */
  source: z
    .strictObject({
      postgres: z.string(),
      cluster: z.string().nullable().describe("System identifier of the server; older sets do not say it"),
      modules: z.record(z.string(), z.string().nullable()).describe("Installed modules and their versions"),
    })
    .nullable(),
  verification: z.strictObject({
    run: z.string(),
    plan: z.string().describe("SHA-256 of the plan that was carried out"),
    actor: z.string().describe("Who started it: a person, or a schedule"),
    place: z.string().describe("The machine, or the container, on which it was done"),
    program: z.string(),
    startedAt: instant,
    endedAt: instant,
    seconds: z.number(),
    phases: z.array(z.strictObject({ name: z.enum(phaseNames), seconds: z.number() })),
  }),
  /** Where it was restored: a server that was made for it and removed afterwards. */
  restored: z.strictObject({ postgres: z.string(), cluster: z.string(), odoo: z.string() }).nullable(),
  counts: z
    .strictObject({
      tables: z.int(),
      rows: z.int(),
      attachments: z.int(),
      unsound: z.int().describe("Attachments that were missing or altered in the live filestore already"),
    })
    .nullable(),
  automation: automationTold
    .nullable()
    .describe(
      "What the set has of n8n; its database, if it is there, was restored and compared. Null: it did not come to it",
    ),
  books: books.describe("Null: accounting is not installed, or it did not come to it"),
  login: login.nullable().describe("The user whose login Odoo on the neutralized copy accepted"),
  failure: z.strictObject({ step: z.string().nullable(), code: z.string(), message: z.string() }).nullable(),
  key: z.string().describe("Fingerprint of the key that signs it"),
});
export type Certificate = z.output<typeof certificateSchema>;

export const documentSchema = z.strictObject({
  certificate: certificateSchema,
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("SHA-256 of the certificate as canonical JSON (RFC 8785)"),
  signature: z.base64().describe("Ed25519 over the same text"),
  publicKey: z.string().describe("For comparison only: who signed is known by a key that came another way"),
});
/** A certificate with its signature: what is kept, exported and checked. */
export type CertificateDocument = z.output<typeof documentSchema>;

/** A step of the verification as the journal knows it. */
export interface StepAccount {
  readonly id: string;
  readonly seconds: number;
}

/** What the steps of the plan are for. */
const phaseOf: Readonly<Record<string, PhaseName>> = {
  check: "check",
  ...{ fetch: "fetch", "own set": "fetch", about: "fetch" },
  ...{ "start cluster": "restore", restore: "restore" },
  ...{ attachments: "compare", manifest: "compare", "attachment list": "compare", sequences: "compare" },
  ...{ books: "compare", "restore automation": "restore" },
  ...{ "automation manifest": "compare", "automation sequences": "compare" },
  ...{ filestore: "serve", neutralize: "serve", "start copy": "serve", "serve the copy": "serve", login: "serve" },
};

/** How long each phase took, those that were begun, in their order. */
export function phasesOf(steps: readonly StepAccount[]): Certificate["verification"]["phases"] {
  return phaseNames.flatMap((name) => {
    const own = steps.filter(({ id }) => phaseOf[id] === name);
    if (own.length === 0) return [];
    return [{ name, seconds: Math.round(own.reduce((sum, { seconds }) => sum + seconds, 0) * 10) / 10 }];
  });
}

export function isBalanced({ debit, credit, unbalanced }: Book): boolean {
  return compareAmounts(debit, credit) === 0 && unbalanced === 0;
}

/** Exact, whatever number of decimals the two are written with. */
function compareAmounts(a: string, b: string): number {
  const decimals = Math.max(...[a, b].map((one) => (one.split(".")[1] ?? "").length));
  const scaled = (text: string) => {
    const [whole = "0", fraction = ""] = text.split(".");
    return BigInt(whole + fraction.padEnd(decimals, "0"));
  };
  return Number(scaled(a) - scaled(b));
}
