import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { certificateOf, testSigner } from "../../../../test/harness/certificate.ts";
import { type Book, isBalanced, phasesOf } from "./content.ts";
import { checkDocument, newSigningKey, parseDocument, signerOf } from "./sign.ts";

const trusted = { pem: testSigner.publicKey, where: "public.pem" };
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "holds";
};
const check = (text: string, key = trusted) =>
  codeOf(() => checkDocument("c.json", parseDocument("c.json", text), key));

/** Every place in a document that holds a value. */
function placesOf(value: unknown, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => placesOf(member, [...path, name]));
}

function changedAt(document: object, path: readonly (string | number)[]): object {
  const copy = structuredClone(document) as Record<string, never>;
  const owner = path.slice(0, -1).reduce<Record<string, never>>((at, name) => at[name] as never, copy);
  const name = path.at(-1) ?? "";
  const was: unknown = owner[name];
  owner[name] = changed(was) as never;
  return copy;
}

function changed(was: unknown): unknown {
  if (typeof was === "number") return was + 1;
  if (typeof was !== "string") return "something";
  // Another digit keeps the form of instants, amounts and digests.
  return /\d/.test(was) ? was.replace(/\d/, (digit) => (digit === "1" ? "2" : "1")) : `${was}x`;
}

describe("a certificate", () => {
  it("holds as it was signed, in whatever order and with whatever spaces its members are written", () => {
    const document = certificateOf();
    expect(check(JSON.stringify(document))).toBe("holds");
    const turned = Object.fromEntries(Object.entries(document.certificate).reverse());
    expect(check(JSON.stringify({ ...document, certificate: turned }, null, 4))).toBe("holds");
  });

  it("does not hold when any one value of it is another", () => {
    const document = certificateOf();
    const places = placesOf(document);
    expect(places.length).toBeGreaterThan(50);
    const held = places.filter((path) => check(JSON.stringify(changedAt(document, path))) === "holds");
    expect(held).toEqual([]);
  });

  it("does not hold when a member is left out or added", () => {
    const { certificate, ...rest } = certificateOf();
    const { login: _, ...less } = certificate;
    expect(check(JSON.stringify({ ...rest, certificate: less }))).toBe("certificate.unreadable");
    expect(check(JSON.stringify({ ...rest, certificate: { ...certificate, more: 1 } }))).toBe("certificate.unreadable");
    const [book] = certificate.books ?? [];
    expect(check(JSON.stringify({ ...rest, certificate: { ...certificate, books: [book, book] } }))).toBe(
      "certificate.broken",
    );
  });

  it("is not believed for the key that it brings along", () => {
    const forged = certificateOf("erp", {}, signerOf(newSigningKey(), "somebody else's"));
    expect(check(JSON.stringify(forged))).toBe("certificate.key_unknown");
    const claimed = { ...forged, certificate: { ...forged.certificate, key: testSigner.fingerprint } };
    expect(check(JSON.stringify(claimed))).toBe("certificate.broken");
  });

  it("is checked with an Ed25519 key, public or private, and with no other", () => {
    const text = JSON.stringify(certificateOf());
    const pem = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ type: "spki", format: "pem" });
    expect(check(text, { pem: pem.toString(), where: "rsa.pem" })).toBe("certificate.bad_key");
    expect(check(text, { pem: "nothing", where: "empty.pem" })).toBe("certificate.bad_key");
    const own = newSigningKey();
    const document = certificateOf("erp", {}, signerOf(own, "own"));
    expect(check(JSON.stringify(document), { pem: own, where: "certificate.key" })).toBe("holds");
  });
});

describe("the books of a company", () => {
  const book = (debit: string, credit: string, unbalanced = 0): Book => ({
    ...{ company: "A", currency: "PHP", debit, credit, moves: 1, unbalanced, lastDate: null, foreign: [] },
  });

  it("balance exactly, beyond what a double can hold", () => {
    expect(isBalanced(book("90071992547409910.10", "90071992547409910.1"))).toBe(true);
    expect(isBalanced(book("90071992547409910.11", "90071992547409910.10"))).toBe(false);
    expect(isBalanced(book("0", "0.00"))).toBe(true);
    // Two entries that are wrong by the same amount hide each other in the sum.
    expect(isBalanced(book("10", "10", 2))).toBe(false);
  });

  it("balance only when the amounts are equal, for any amounts", () => {
    const amount = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.integer({ min: 0, max: 999 }));
    fc.assert(
      fc.property(amount, amount, ([a, x], [b, y]) => {
        const text = (whole: bigint, part: number) => `${whole}.${String(part).padStart(3, "0")}`;
        expect(isBalanced(book(text(a, x), text(b, y)))).toBe(a === b && x === y);
        expect(isBalanced(book(text(a, x), `${text(a, x)}00`))).toBe(true);
      }),
    );
  });
});

describe("the times of a certificate", () => {
  it("are those of the phases that were begun, in their order", () => {
    const steps = [
      ...[
        { id: "restore", seconds: 20.04 },
        { id: "check", seconds: 1 },
      ],
      ...[
        { id: "manifest", seconds: 3 },
        { id: "sequences", seconds: 0.5 },
        { id: "certify", seconds: 9 },
      ],
    ];
    expect(phasesOf(steps)).toEqual([
      { name: "check", seconds: 1 },
      { name: "restore", seconds: 20 },
      { name: "compare", seconds: 3.5 },
    ]);
  });
});
