import type { Certificate, CertificateDocument } from "../../src/procedures/backup/certificate/content.ts";
import { newSigningKey, signerOf } from "../../src/procedures/backup/certificate/sign.ts";

/** A certificate as a verification signs it, with a key of the tests; `change` replaces what it says. */

export const testSigner = signerOf(newSigningKey(), "the key of the tests");

export function certificateOf(
  stack = "erp",
  change: Partial<Omit<Certificate, "key">> = {},
  signer = testSigner,
): CertificateDocument {
  return signer.sign({
    format: "ipai backup certificate 1",
    verdict: "proven",
    stack: { name: stack, timezone: "Asia/Manila" },
    set: {
      ...{ id: "20261125t180000_ab12", repository: "/var/lib/ipai/repository" },
      ...{ takenAt: "2026-11-25T18:00:03.123Z", database: "odoo", databaseBytes: 412_345_678 },
    },
    source: {
      postgres: "15.18 (Debian 15.18-0+deb12u1)",
      cluster: "7398123456789012345",
      modules: { account: "19.0.1.4", base: "19.0.1.3" },
    },
    verification: {
      ...{ run: "20261125t200000_cd34", plan: "5".repeat(64), actor: "schedule proof", place: "local" },
      ...{ program: "ipai 0.1.0", startedAt: "2026-11-25T20:00:00.000Z", endedAt: "2026-11-25T20:01:10.500Z" },
      seconds: 70.5,
      phases: [
        { name: "check", seconds: 4.2 },
        { name: "fetch", seconds: 8.1 },
        { name: "restore", seconds: 22.7 },
        { name: "compare", seconds: 13 },
        { name: "serve", seconds: 9.9 },
      ],
    },
    restored: {
      ...{ postgres: "15.18 (Debian 15.18-0+deb12u1)", cluster: "7412123456789012345" },
      odoo: "Odoo Server 19.0-20251101",
    },
    counts: { tables: 612, rows: 1_234_567, attachments: 15_234, unsound: 1 },
    automation: { isDumped: true, workflows: 12, credentials: 3, exported: 12 },
    books: [
      {
        ...{
          company: "Se\u00f1ora Pe\u00f1a Trading, Inc.",
          currency: "PHP",
          debit: "1234567890.12",
          credit: "1234567890.120",
        },
        ...{ moves: 151_234, unbalanced: 0, lastDate: "2026-11-24" },
        foreign: [{ currency: "USD", debit: "1000.00", credit: "1000.00" }],
      },
    ],
    login: { user: "ana@example.com", uid: 2, company: "Se\u00f1ora Pe\u00f1a Trading, Inc." },
    failure: null,
    ...change,
  });
}
