import { z } from "zod";
import type { Records } from "../../../engine/records.ts";
import { Bug } from "../../../errors/error.ts";
import type { CallFunction } from "../../../host/perform.ts";
import type { Json } from "../../../runbook/value.ts";
import { automationTold } from "../automation/told.ts";
import { findBackup } from "../calls.ts";
import {
  books,
  type Certificate,
  type CertificateDocument,
  certificateKind,
  documentSchema,
  login,
  phasesOf,
  type StepAccount,
} from "./content.ts";
import { SetUnreadable } from "./errors.ts";
import type { Signer } from "./sign.ts";

/**
 * Certificates, one for each verification, whatever came of it. They are kept for good: longer than the set, which retention removes.
 */

/** What a certificate needs of the program around it. */
export interface Notary {
  readonly signer: () => Promise<Signer>;
  /** What the journal knows of a run. */
  readonly account: (run: string) => Promise<RunAccount>;
  /** Has a procedure carried out by a worker, once for the run that asks. */
  readonly ask: (wanted: Wanted) => Promise<void>;
  readonly now: () => Date;
  /** Name and version of this program. */
  readonly program: string;
}

export interface Wanted {
  readonly stack: string;
  readonly procedure: string;
  readonly input: Json;
  readonly name: string;
  readonly actor: string;
  /** When the run began that asks for it. */
  readonly at: Date;
}

export interface RunAccount {
  readonly actor: string;
  readonly planHash: string;
  readonly startedAt: string;
  /** The steps that have ended, in whatever way. */
  readonly steps: readonly StepAccount[];
  /** Why the run is being taken back. */
  readonly failure: { readonly step: string | null; readonly code: string; readonly message: string } | null;
}

/** What the set says about itself. */
const about = z.looseObject({
  database: z.string(),
  databaseBytes: z.number(),
  takenAt: z.iso.datetime({ offset: true }),
  server: z.string(),
  systemIdentifier: z.string().nullish(),
  modules: z.record(z.string(), z.string().nullable()),
});

const subject = z.object({
  stack: z.string(),
  timezone: z.string(),
  backup: z.string(),
  repository: z.string(),
  place: z.string(),
});

const provenInput = subject.extend({
  about: z.unknown(),
  postgres: z.string(),
  cluster: z.string(),
  odoo: z.string(),
  tables: z.int(),
  rows: z.int(),
  attachments: z.int(),
  unsound: z.int(),
  automation: automationTold.nullable().default(null),
  books,
  login,
});

/** A backup that is to be proven as soon as it is made: a run of its own, so that the backup is done when it is stored. */
export function requestProof(notary: Notary): CallFunction {
  return async (given, { scope }) => {
    const { stack } = z.object({ stack: z.string() }).parse(given);
    const { id: backup, startedAt } = scope.run;
    const { actor } = await notary.account(backup);
    await notary.ask({
      ...{ stack, actor, procedure: "backup verify", input: { backup } },
      ...{ name: "proof", at: new Date(startedAt) },
    });
    return null;
  };
}

/** Signs what a verification has found, before its proof counts. */
export function certify(records: Records, notary: Notary): CallFunction {
  return async (given, { scope }) => {
    const input = provenInput.parse(given);
    const { tables, rows, attachments, unsound } = input;
    const said = parseAbout(input.backup, input.about);
    return issue(records, notary, scope.run.id, input, {
      verdict: "proven",
      set: {
        ...{ takenAt: new Date(said.takenAt).toISOString(), database: said.database },
        databaseBytes: said.databaseBytes,
      },
      source: { postgres: said.server, cluster: said.systemIdentifier ?? null, modules: said.modules },
      restored: { postgres: input.postgres, cluster: input.cluster, odoo: input.odoo },
      counts: { tables, rows, attachments, unsound },
      automation: input.automation,
      books: input.books,
      login: input.login,
      failure: null,
    });
  };
}

/** It comes out of a set, whoever wrote that: what is wrong with it is no fault of this program, which would leave the run standing. */
function parseAbout(backup: string, given: unknown): z.output<typeof about> {
  const parsed = about.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw SetUnreadable({ backup, reason: `${issue?.path.join(".")}: ${issue?.message}` });
}

/** Of a verification that is taken back: what failed is evidence too. */
export function certifyFailure(records: Records, notary: Notary): CallFunction {
  return async (given, { scope }) => {
    const input = subject.parse(given);
    const known = await findBackup(records, input.backup);
    const { failure } = await notary.account(scope.run.id);
    return issue(records, notary, scope.run.id, input, {
      verdict: "failed",
      set: {
        ...{ takenAt: known?.takenAt ?? null, database: null },
        databaseBytes: known?.databaseBytes ?? null,
      },
      ...{ source: null, restored: null, counts: null, automation: null, books: null, login: null },
      failure: failure ?? { step: null, code: "run.cancelled", message: "The verification was taken back." },
    });
  };
}

type Found = Omit<Certificate, "format" | "stack" | "set" | "verification" | "key"> & {
  readonly set: Pick<Certificate["set"], "takenAt" | "database" | "databaseBytes">;
};

/** Done again after an interruption it is the same certificate: what was once signed is not signed anew. */
async function issue(
  records: Records,
  notary: Notary,
  run: string,
  { stack, timezone, backup, repository, place }: z.output<typeof subject>,
  found: Found,
): Promise<{ digest: string }> {
  const before = await findOfRun(records, run);
  if (before !== undefined) return { digest: before.digest };
  const account = await notary.account(run);
  const ended = notary.now();
  const document = (await notary.signer()).sign({
    format: "ipai backup certificate 1",
    stack: { name: stack, timezone },
    verification: {
      ...{ run, plan: account.planHash, actor: account.actor, place, program: notary.program },
      ...{ startedAt: account.startedAt, endedAt: ended.toISOString() },
      seconds: Math.round((ended.getTime() - Date.parse(account.startedAt)) / 100) / 10,
      phases: phasesOf(account.steps),
    },
    ...found,
    set: { id: backup, repository, ...found.set },
  });
  const { digest, certificate } = document;
  const detail = { digest, verdict: certificate.verdict, set: backup, key: certificate.key };
  await records.put(
    { kind: certificateKind, id: run, stack, run, data: document },
    { actor: account.actor, action: "proof.certified", stack, subject: run, detail },
  );
  return { digest };
}

/** Of one verification. */
async function findOfRun(records: Records, run: string): Promise<CertificateDocument | undefined> {
  const found = await records.find(certificateKind, run);
  return found === undefined ? undefined : parseKept(found);
}

/** Newest first. */
export async function listCertificates(
  records: Records,
  stack: string,
  limit: number,
): Promise<readonly CertificateDocument[]> {
  return (await records.list(certificateKind, stack, limit)).map(({ data }) => parseKept(data));
}

/** The newest of a set, or that of a run; `latest` is the newest of all. */
export async function findCertificate(
  records: Records,
  stack: string,
  wanted: string,
): Promise<CertificateDocument | undefined> {
  if (wanted === "latest") return (await listCertificates(records, stack, 1))[0];
  const entry = await findBackup(records, wanted);
  for (const run of [wanted, entry?.doubt?.run, entry?.proof?.run]) {
    const found = run === undefined ? undefined : await findOfRun(records, run);
    // A run, or a set, of another stack is none here.
    if (found?.certificate.stack.name === stack) return found;
  }
  // A set that the catalogue does not know, since its verification failed.
  const all = await listCertificates(records, stack, listedMax);
  return all.find(({ certificate }) => certificate.set.id === wanted);
}

/** Ten years of a verification each night. */
const listedMax = 5000;

function parseKept(found: unknown): CertificateDocument {
  const parsed = documentSchema.safeParse(found);
  if (!parsed.success) throw Bug({ what: `a certificate that is kept is malformed: ${parsed.error.message}` });
  return parsed.data;
}
