import { inflateSync } from "node:zlib";
import type { AutomationTold } from "../../procedures/backup/automation/told.ts";
import {
  type Book,
  type Certificate,
  type CertificateDocument,
  isBalanced,
} from "../../procedures/backup/certificate/content.ts";
import { CertificateUnreadable } from "../../procedures/backup/certificate/errors.ts";
import {
  bottom,
  collect,
  gray,
  heading,
  left,
  newPage,
  number,
  type Page,
  type Place,
  rule,
  type Style,
  top,
  width,
  write,
} from "./page.ts";

/**
 * A certificate as one page of A4 for a file: everything that is on it is in the document, which is attached to it. The same document
 * gives the same bytes, so that a page that was changed shows. Black on white: it is read as a copy of a copy.
 */

const gap = 22;
const half = (width - gap) / 2;

export async function renderCertificate(document: CertificateDocument): Promise<Buffer> {
  const { certificate } = document;
  const page = openPage(certificate);
  const whole = collect(page);
  page.file(Buffer.from(`${JSON.stringify(document, null, 2)}\n`), {
    name: attachedName,
    type: "application/json",
    description: "The certificate with its signature",
    creationDate: new Date(certificate.verification.endedAt),
    modifiedDate: new Date(certificate.verification.endedAt),
  });
  let y = header(page, certificate);
  y = verdict(page, certificate, y);
  y = Math.max(
    facts(page, "The backup", backupFacts(certificate), { x: left, y }),
    facts(page, "The verification", verificationFacts(certificate), { x: left + half + gap, y }),
  );
  y = certificate.verdict === "proven" ? whatHeld(page, certificate, y + 10) : whatFailed(page, certificate, y + 10);
  phases(page, certificate, y + 10);
  signature(page, document);
  page.end();
  return await whole;
}

function whatHeld(page: Page, certificate: Certificate, y: number): number {
  return witness(page, certificate, trialBalance(page, certificate, counts(page, certificate, y) + 10) + 10);
}

function whatFailed(page: Page, { failure }: Certificate, y: number): number {
  const start = heading(page, "What failed", { x: left, y });
  const rows: readonly Fact[] = [
    ["Step", failure?.step ?? "none: it was stopped"],
    ["Code", failure?.code ?? "unknown"],
  ];
  const end = rows.reduce((at, row) => fact(page, row, { x: left, y: at }, width), start);
  const words = `${failure?.message ?? ""}\n\nThis verification did not end well, so nothing of what the set holds is certified: no counts, no books, no login. An earlier proof of the set counts for nothing.`;
  return write(page, words.trim(), { x: left, y: end + 4 }, { size: 9, lines: 14 });
}

const attachedName = "certificate.json";

function openPage({ verification, set, stack }: Certificate): Page {
  return newPage({
    title: `Backup verification certificate, ${stack.name}, ${set.id}`,
    author: verification.actor,
    program: verification.program,
    at: new Date(verification.endedAt),
  });
}

function header(page: Page, { stack, verification }: Certificate): number {
  write(page, "IPAI Ops", { x: left, y: top }, { size: 9, face: "bold" });
  write(page, `Certificate ${verification.run}`, { x: left, y: top }, { size: 9, align: "right", width });
  rule(page, top + 15, 1.2);
  const y = write(page, "Backup verification certificate", { x: left, y: top + 24 }, { size: 22, face: "bold" });
  return write(page, `Stack ${stack.name}`, { x: left, y }, { size: 11, color: gray }) + 10;
}

/** A failed one is a black field: nobody takes it for the other at a glance. */
function verdict(page: Page, certificate: Certificate, y: number): number {
  const isProven = certificate.verdict === "proven";
  const color = isProven ? "black" : "white";
  const height = isProven ? 76 : 66;
  page.rect(left, y, width, height);
  if (isProven) page.lineWidth(1.2).strokeColor("black").stroke();
  else page.fillColor("black").fill();
  write(page, isProven ? "PROVEN" : "NOT PROVEN", { x: left + 14, y: y + 8 }, { size: 16, face: "bold", color });
  write(page, sentence(certificate), { x: left + 14, y: y + 29 }, { size: 9.5, color, width: width - 28, lines: 3 });
  return y + height + 14;
}

function sentence({ verdict: found, set, failure, stack }: Certificate): string {
  const what = `The backup ${set.id}${set.takenAt === null ? "" : `, taken ${local(set.takenAt, stack.timezone)},`}`;
  if (found === "proven")
    return (
      `${what} was restored in full on a database server made for this purpose. Every table was found to hold the rows and the checksums that were noted ` +
      "when it was taken, and every attachment its own checksum; Odoo served the copy and accepted a login."
    );
  return `${what} could not be proven: ${failure?.code ?? "unknown"}. Do not rely on it.`;
}

type Fact = readonly [label: string, value: string];

function backupFacts({ set, source, stack }: Certificate): readonly Fact[] {
  return [
    ["Set", set.id],
    ["Taken", set.takenAt === null ? "not known" : local(set.takenAt, stack.timezone)],
    ["Database", set.database ?? "not read"],
    [
      "Size",
      set.databaseBytes === null ? "not known" : `${number(Math.round(set.databaseBytes / 1e5) / 10)} MB in the server`,
    ],
    ["Repository", set.repository],
    ...(source === null
      ? []
      : ([
          ["PostgreSQL", short(source.postgres)],
          [
            "Odoo",
            `base ${source.modules["base"] ?? "unknown"}, ${number(Object.keys(source.modules).length)} modules`,
          ],
        ] satisfies Fact[])),
  ];
}

function verificationFacts({ verification, restored, stack }: Certificate): readonly Fact[] {
  return [
    ["Run", verification.run],
    ["Started by", verification.actor],
    ["Begun", local(verification.startedAt, stack.timezone)],
    ["Ended", local(verification.endedAt, stack.timezone)],
    ["On", verification.place],
    ...(restored === null
      ? []
      : ([
          ["Restored by", `PostgreSQL ${short(restored.postgres)}`],
          ["Served by", restored.odoo],
        ] satisfies Fact[])),
    ["Program", verification.program],
  ];
}

function facts(page: Page, title: string, rows: readonly Fact[], { x, y }: Place): number {
  const start = heading(page, title, { x, y }, x + half);
  return rows.reduce((at, row) => fact(page, row, { x, y: at }, half), start);
}

function fact(page: Page, [label, value]: Fact, { x, y }: Place, room: number): number {
  write(page, label, { x, y }, { size: 9, color: gray, width: 66 });
  return write(page, value, { x: x + 68, y }, { size: 9, width: room - 68 }) + 2;
}

function counts(page: Page, { counts: found, automation }: Certificate, y: number): number {
  if (found === null) return y;
  const start = heading(page, "What came back, and was compared", { x: left, y });
  const cells: readonly Fact[] = [
    ["tables", number(found.tables)],
    ["rows", number(found.rows)],
    ["attachments", number(found.attachments)],
    ["lost before the backup", number(found.unsound)],
  ];
  const cell = width / cells.length;
  for (const [index, [label, value]] of cells.entries()) {
    const place = { x: left + index * cell, y: start };
    write(page, value, place, { size: 15, face: "bold", width: cell - 8 });
    write(page, label, { ...place, y: start + 19 }, { size: 8.5, color: gray, width: cell - 8 });
  }
  if (automation === null || (!automation.isDumped && automation.exported === null)) return start + 31;
  return write(page, automationWords(automation), { x: left, y: start + 34 }, { size: 9 });
}

function automationWords({ isDumped, workflows, credentials, exported }: AutomationTold): string {
  const json = exported === null ? "no workflows as JSON" : `${number(exported)} workflows as JSON`;
  if (!isDumped) return `Of the automation (n8n): ${json}, and no database.`;
  return (
    `The automation's database (n8n) too: ${number(workflows ?? 0)} workflows and ${number(credentials ?? 0)} credentials, every table compared; ` +
    `and ${json}.`
  );
}

const columns = [
  { title: "Company", at: 0, room: 150, align: "left" },
  { title: "", at: 152, room: 26, align: "left" },
  { title: "Debit", at: 178, room: 84, align: "right" },
  { title: "Credit", at: 266, room: 84, align: "right" },
  { title: "Balances", at: 358, room: 38, align: "left" },
  { title: "Entries", at: 396, room: 40, align: "right" },
  { title: "Last", at: 440, room: 47, align: "right" },
] as const;

/** More companies than this do not fit on the page; all are in the attached document. */
const companiesMax = 5;

function trialBalance(page: Page, { books }: Certificate, y: number): number {
  const start = heading(page, "Trial balance of the posted entries", { x: left, y });
  if (books === null || books.length === 0) {
    const words = books === null ? "Accounting is not installed in this database." : "No entry is posted.";
    return write(page, words, { x: left, y: start }, { size: 9 });
  }
  tableRow(
    page,
    columns.map(({ title }) => title),
    start,
    { size: 8.5, color: gray },
  );
  const shown = books.slice(0, companiesMax);
  const end = shown.reduce((at, book) => tableRow(page, bookRow(book), at, { size: 9 }), start + 13);
  const others = books.slice(companiesMax);
  if (others.length === 0) return end;
  const wrong = others.filter((book) => !isBalanced(book)).length;
  const words = `and ${others.length} more companies in the attached document, ${wrong === 0 ? "all of them balanced" : `${wrong} of them NOT balanced`}`;
  return write(page, words, { x: left, y: end }, { size: 9 });
}

function bookRow(book: Book): readonly string[] {
  const { company, currency, debit, credit, moves, lastDate } = book;
  return [
    company,
    currency,
    money(debit),
    money(credit),
    isBalanced(book) ? "yes" : "NO",
    number(moves),
    lastDate ?? "",
  ];
}

function tableRow(page: Page, cells: readonly string[], y: number, style: Style): number {
  return Math.max(
    ...columns.map(({ at, room, align }, index) =>
      write(page, cells[index] ?? "", { x: left + at, y }, { ...style, width: room, align }),
    ),
  );
}

function witness(page: Page, { login, restored, source }: Certificate, y: number): number {
  if (login === null || restored === null) return y;
  const start = heading(page, "Where it was restored, and who logged in", { x: left, y });
  const servers =
    `A PostgreSQL made for this verification and removed afterwards (system identifier ${restored.cluster})` +
    `${source?.cluster ? `, not the server that it was taken of (${source.cluster})` : ""}. The copy was neutralized before any Odoo was started on ` +
    "it: no mail, no scheduled action, no call to the outside.";
  const user =
    `Odoo accepted a login of ${login.user} (user ${login.uid}, ${login.company}), with a password that was set on the copy only, and gave ` +
    "that user's record.";
  const end = write(page, servers, { x: left, y: start }, { size: 9, lines: 3 });
  return write(page, user, { x: left, y: end + 2 }, { size: 9, lines: 2 });
}

const phaseWords = {
  check: "repository read",
  fetch: "fetched",
  restore: "restored",
  compare: "compared",
  serve: "served, logged in",
} as const;

function phases(page: Page, { verification }: Certificate, y: number): void {
  const start = heading(page, "How long it took", { x: left, y });
  const cells: readonly Fact[] = [
    ...verification.phases.map(({ name, seconds }): Fact => [phaseWords[name], `${number(seconds)} s`]),
    ["in all", `${number(verification.seconds)} s`],
  ];
  const cell = width / cells.length;
  for (const [index, [label, value]] of cells.entries()) {
    const place = { x: left + index * cell, y: start };
    write(page, value, place, { size: 11, face: "bold", width: cell - 6 });
    write(page, label, { ...place, y: start + 14 }, { size: 8.5, color: gray, width: cell - 6 });
  }
}

/** At the foot, always in the same place. */
function signature(page: Page, { certificate, digest, signature: signed }: CertificateDocument): void {
  const start = bottom - 90;
  rule(page, start, 1.2);
  const rows: readonly Fact[] = [
    ["SHA-256", digest],
    ["Ed25519", signed],
    ["Key", certificate.key],
    ["Plan", certificate.verification.plan],
  ];
  const end = rows.reduce((at, [label, value]) => {
    write(page, label, { x: left, y: at }, { size: 8, color: gray, width: 44 });
    return write(page, value, { x: left + 46, y: at }, { size: 8 }) + 1.5;
  }, start + 8);
  const words =
    `The certificate with its signature is attached to this file (${attachedName}); this page says what it says, and nothing else. Both are checked, without ` +
    "network or database, by: ipai backup certificate verify FILE --key PUBLIC-KEY. What is signed is the member certificate as canonical JSON " +
    "(RFC 8785); its digest stands in the audit chain of the control plane.";
  write(page, words, { x: left, y: end + 4 }, { size: 8, color: gray, lines: 3 });
}

/** Wall-clock time of the stack's zone, which is named. */
function local(instant: string, timeZone: string): string {
  const text = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(
    new Date(instant),
  );
  return `${text} ${timeZone}`;
}

/** Without what its distribution says of the package. */
function short(version: string): string {
  return version.split(" (", 1).join("");
}

/** As it was summed up, with at least two decimals. */
function money(exact: string): string {
  const [whole = "0", fraction = ""] = exact.split(".");
  return `${BigInt(whole).toLocaleString("en-US")}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

/** The document that is attached to a page. Throws `certificate.unreadable`. */
export function readAttached(file: string, pdf: Buffer): string {
  const text = pdf.toString("latin1");
  const found = /\/Type \/EmbeddedFile\b[\s\S]*?\/Length (\d+)([\s\S]*?)>>\s*stream\r?\n/.exec(text);
  if (found === null) throw CertificateUnreadable({ file, reason: "nothing is attached to it" });
  const begin = found.index + found[0].length;
  const stream = pdf.subarray(begin, begin + Number(found[1]));
  try {
    return (found[0].includes("/FlateDecode") ? inflateSync(stream) : stream).toString("utf8");
  } catch (error) {
    throw CertificateUnreadable({ file, reason: "what is attached to it cannot be unpacked" }, { cause: error });
  }
}
