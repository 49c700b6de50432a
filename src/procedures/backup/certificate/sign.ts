import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { canonicalJson } from "../../../runbook/hash.ts";
import { type Certificate, type CertificateDocument, documentSchema } from "./content.ts";
import { BadSigningKey, CertificateBroken, CertificateKeyUnknown, CertificateUnreadable } from "./errors.ts";

/** Signs certificates and checks them: Ed25519 over canonical JSON, so that anybody can do the same with other programs. */

export interface Signer {
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER), in hexadecimal. */
  readonly fingerprint: string;
  /** PEM. */
  readonly publicKey: string;
  sign(certificate: Omit<Certificate, "key">): CertificateDocument;
}

export function newSigningKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** `where`: what the key was read from, for the error. */
export function signerOf(pem: string, where: string): Signer {
  const key = parseKey(where, () => createPrivateKey(pem));
  const shared = createPublicKey(key);
  const [fingerprint, publicKey] = [fingerprintOf(shared), pemOf(shared)];
  return {
    fingerprint,
    publicKey,
    sign: (given) => {
      const certificate = { ...given, key: fingerprint };
      const text = canonicalJson(certificate);
      return {
        certificate,
        digest: digestOf(text),
        signature: sign(null, Buffer.from(text), key).toString("base64"),
        publicKey,
      };
    },
  };
}

function parseKey(where: string, parse: () => KeyObject): KeyObject {
  try {
    const key = parse();
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (error) {
    throw BadSigningKey({ where }, { cause: error });
  }
  throw BadSigningKey({ where });
}

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");

const pemOf = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();

function fingerprintOf(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** Throws `certificate.unreadable` for what is no certificate at all. `file`: what it was read from. */
export function parseDocument(file: string, text: string): CertificateDocument {
  const unreadable = (reason: string, cause?: unknown) => CertificateUnreadable({ file, reason }, { cause });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw unreadable("it is no JSON", error);
  }
  const parsed = documentSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(`${issue?.path.join(".") || "it"}: ${issue?.message ?? "unknown"}`, parsed.error);
}

/**
 * Throws `certificate.key_unknown` when another key than `trusted` (PEM, public or private) signed, `certificate.broken` when what
 * stands there is not what was signed. The key that a document brings along is not believed.
 */
export function checkDocument(
  file: string,
  document: CertificateDocument,
  trusted: { pem: string; where: string },
): void {
  const { certificate, digest, signature } = document;
  const key = parseKey(trusted.where, () => createPublicKey(trusted.pem));
  const text = canonicalJson(certificate);
  if (certificate.key !== fingerprintOf(key)) throw CertificateKeyUnknown({ file, fingerprint: certificate.key });
  if (digestOf(text) !== digest) throw CertificateBroken({ file, reason: "it was changed after it was signed" });
  if (!verify(null, Buffer.from(text), key, Buffer.from(signature, "base64")))
    throw CertificateBroken({ file, reason: "its signature is not of this text and this key" });
  if (document.publicKey !== pemOf(key))
    throw CertificateBroken({ file, reason: "the public key beside it was exchanged" });
}
