import { describe, expect, it } from "vitest";
import { certificateOf } from "../../../test/harness/certificate.ts";
import { parseDocument } from "../../procedures/backup/certificate/sign.ts";
import { readAttached, renderCertificate } from "./certificate-pdf.ts";

const pagesOf = (pdf: Buffer) => pdf.toString("latin1").match(/\/Type \/Page\b/g)?.length;

describe("the page of a certificate", () => {
  it("is the same to the byte for the same document, and brings it along", async () => {
    const document = certificateOf();
    const pdf = await renderCertificate(document);
    expect((await renderCertificate(structuredClone(document))).equals(pdf)).toBe(true);
    expect((await renderCertificate(certificateOf("shop"))).equals(pdf)).toBe(false);
    expect(parseDocument("c.pdf", readAttached("c.pdf", pdf))).toEqual(document);
  });

  it("is one page, however much there is to say", async () => {
    const [book] = certificateOf().certificate.books ?? [];
    if (book === undefined) throw new TypeError("there is a book");
    const long = "A very long name of a company that does business in many places ".repeat(5);
    const books = Array.from({ length: 40 }, () => ({ ...book, company: long }));
    const failure = { step: long, code: "backup.manifest_mismatch", message: `${long}\n`.repeat(60) };
    const set = { ...certificateOf().certificate.set, repository: `sftp:${long.replaceAll(" ", "-")}` };
    const crowded = [
      certificateOf("erp", { books, set, login: { user: long, uid: 2, company: long } }),
      certificateOf("erp", { verdict: "failed", failure, books: null, counts: null, source: null, restored: null }),
      certificateOf("erp", { books: [] }),
      certificateOf("erp", { books: null }),
    ];
    for (const document of crowded) expect(pagesOf(await renderCertificate(document))).toBe(1);
  });

  it("is no certificate when nothing is attached to it", () => {
    expect(() => readAttached("c.pdf", Buffer.from("%PDF-1.7\n%%EOF\n"))).toThrow("nothing is attached");
  });
});
