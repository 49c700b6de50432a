import { readFile } from "node:fs/promises";
import { inTransaction, record } from "../../engine/audit.ts";
import { findCertificate, listCertificates } from "../../procedures/backup/certificate/calls.ts";
import {
  type Book,
  type Certificate,
  type CertificateDocument,
  isBalanced,
} from "../../procedures/backup/certificate/content.ts";
import {
  CertificateBroken,
  CertificateFileExists,
  CertificateNotFound,
  NoKeyToCheck,
} from "../../procedures/backup/certificate/errors.ts";
import { checkDocument, parseDocument } from "../../procedures/backup/certificate/sign.ts";
import type { Context } from "../context.ts";
import { writeNew } from "../new-file.ts";
import { findOwnKey, loadSigner } from "../notary.ts";
import { automationWords } from "../render/automation.ts";
import { bytes, duration, instant, table } from "../render/text.ts";
import type { Terminal } from "../terminal.ts";

/** Certificates of backups: shown, written for a file, and checked where there is neither configuration nor control database. */

interface Options {
  readonly json?: boolean;
  readonly pdf?: string;
  readonly key?: string;
  readonly limit?: string;
}

export async function showCertificate(context: Context, wanted: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { name } = app.stack(context.globals.stack);
  const found = await findCertificate(app.records, name, wanted);
  if (found === undefined) throw CertificateNotFound({ of: wanted === "latest" ? `any backup of ${name}` : wanted });
  const { terminal } = context;
  if (options.pdf !== undefined) {
    await writeNew(options.pdf, await (await loadPdf()).renderCertificate(found), (file) =>
      CertificateFileExists({ file }),
    );
    const detail = { digest: found.digest, to: options.pdf };
    const told = { actor: app.actor, action: "proof.exported", stack: name, subject: runOf(found), detail };
    await inTransaction(app.control.db, (tx) => record(tx, told, new Date()));
    terminal.err(`Written to ${options.pdf}. It is checked with: ipai backup certificate verify ${options.pdf}`);
  }
  if (options.json === true) terminal.out(JSON.stringify(found, null, 2));
  else if (options.pdf === undefined) terminal.out(describe(terminal, found));
  return 0;
}

/** Making a page takes libraries that no other command needs. */
const loadPdf = () => import("../render/certificate-pdf.ts");

const runOf = ({ certificate }: CertificateDocument) => certificate.verification.run;

export async function listAll(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { name, config } = app.stack(context.globals.stack);
  const all = await listCertificates(app.records, name, Number(options.limit ?? 50));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(all, null, 2));
  else if (all.length === 0) terminal.out("No certificate yet. The next one is made by: ipai backup verify");
  else
    terminal.out(
      table([
        ["VERIFIED", "SET", "TAKEN", "VERDICT", "STARTED BY", "DIGEST"],
        ...all.map(({ certificate: { verification, set, verdict }, digest }) => [
          instant(verification.endedAt, config.timezone),
          set.id,
          set.takenAt === null ? "?" : instant(set.takenAt, config.timezone),
          verdictWords(terminal, verdict),
          verification.actor,
          digest.slice(0, 16),
        ]),
      ]),
    );
  return 0;
}

function verdictWords(terminal: Terminal, verdict: Certificate["verdict"]): string {
  return verdict === "proven" ? terminal.style("green", "proven") : terminal.style("red", "NOT PROVEN");
}

function describe(terminal: Terminal, { certificate, digest }: CertificateDocument): string {
  const { set, stack, verification, source, restored, counts, automation, books, login, failure } = certificate;
  const when = (at: string) => instant(at, stack.timezone);
  return table([
    ["verdict", verdictWords(terminal, certificate.verdict)],
    ["set", `${set.id}${set.takenAt === null ? "" : `, taken ${when(set.takenAt)}`}`],
    ["repository", set.repository],
    ...(set.databaseBytes === null ? [] : [["database", `${set.database ?? "?"}, ${bytes(set.databaseBytes)}`]]),
    ["verified", `${when(verification.endedAt)} by ${verification.actor}, run ${verification.run}`],
    ["took", [duration(verification.seconds), ...verification.phases.map(phaseWords)].join(", ")],
    ...(failure === null ? [] : [["failed", `${failure.step ?? "stopped"}: ${failure.message} (${failure.code})`]]),
    ...(source === null
      ? []
      : [["taken of", `PostgreSQL ${source.postgres}, ${Object.keys(source.modules).length} modules`]]),
    ...(restored === null ? [] : [["restored on", `PostgreSQL ${restored.postgres} of its own; ${restored.odoo}`]]),
    ...(counts === null
      ? []
      : [
          [
            "counted",
            `${counts.tables} tables, ${counts.rows} rows, ${counts.attachments} attachments, ${counts.unsound} lost before`,
          ],
        ]),
    ...(automation === null ? [] : [["automation", automationWords(automation)]]),
    ...(books === null
      ? [["books", counts === null ? "not read" : "accounting is not installed"]]
      : books.map((book) => bookRow(terminal, book))),
    ["login", login === null ? "none" : `${login.user} (user ${login.uid}, ${login.company})`],
    ["digest", digest],
    ["key", certificate.key],
  ]);
}

const phaseWords = ({ name, seconds }: { name: string; seconds: number }) => `${name} ${duration(seconds)}`;

function bookRow(terminal: Terminal, book: Book): readonly string[] {
  const verdict = isBalanced(book) ? terminal.style("green", "balanced") : terminal.style("red", "NOT BALANCED");
  return [
    "books",
    `${book.company}: debit ${book.debit}, credit ${book.credit} ${book.currency}, ${book.moves} posted entries, the last of ${book.lastDate ?? "?"}: ${verdict}`,
  ];
}

/** The public key, for whoever checks: it has to come to him another way than the certificates. */
export async function showKey(context: Context, options: Options): Promise<number> {
  const { publicKey, fingerprint } = await loadSigner(context.environment);
  if (options.json === true) context.terminal.out(JSON.stringify({ fingerprint, publicKey }, null, 2));
  else context.terminal.out(publicKey.trimEnd());
  context.terminal.err(`Fingerprint: ${fingerprint}`);
  return 0;
}

/** Needs the file and a public key, nothing else. */
export async function verifyCertificate(context: Context, file: string, options: Options): Promise<number> {
  const content = await readFile(file);
  const isPage = content.subarray(0, 5).toString() === "%PDF-";
  const pdf = isPage ? await loadPdf() : undefined;
  const document = parseDocument(file, pdf?.readAttached(file, content) ?? content.toString());
  const trusted =
    options.key === undefined
      ? await findOwnKey(context.environment)
      : { pem: await readFile(options.key, "utf8"), where: options.key };
  if (trusted === undefined) throw NoKeyToCheck({ file });
  checkDocument(file, document, trusted);
  const page =
    pdf === undefined ? null : await judgePage(file, document, content, await pdf.renderCertificate(document));
  const { terminal } = context;
  if (options.json === true) {
    const { certificate, digest } = document;
    terminal.out(JSON.stringify({ holds: true, page, digest, certificate }, null, 2));
    return 0;
  }
  terminal.out(describe(terminal, document));
  terminal.err("The signature holds: this is what was signed, by the key above.");
  if (page === "other version")
    terminal.err(
      "The page was laid out by another version of ipai and cannot be compared: rely on what stands here, not on the page.",
    );
  if (page === "as signed") terminal.err("The page says exactly that.");
  return 0;
}

/** The same certificate gives the same page, byte for byte, as long as the program that lays it out is the same. */
async function judgePage(
  file: string,
  { certificate }: CertificateDocument,
  given: Buffer,
  made: Buffer,
): Promise<"as signed" | "other version"> {
  if (given.equals(made)) return "as signed";
  const { version } = await import("../version.ts");
  if (certificate.verification.program !== `ipai ${version}`) return "other version";
  throw CertificateBroken({ file, reason: "the page is not the one that belongs to what was signed" });
}
