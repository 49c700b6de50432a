import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";

/**
 * A passkey's owner and her device in software: makes P-256 keys and answers the two ceremonies of WebAuthn as a browser would, with
 * attestation "none". What goes wrong in them is chosen by who tests it.
 */

export interface Ceremony {
  readonly origin: string;
  readonly challenge: string;
  readonly rpId: string;
  /** She was asked for a PIN, a finger, a face. */
  readonly isVerified?: boolean;
}

type Cbor = number | string | Buffer | ReadonlyMap<number | string, Cbor>;

export class Authenticator {
  readonly id = randomBytes(32);
  readonly #keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  #counter = 0;

  constructor() {
    this.#keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  }

  /** Answers `navigator.credentials.create`. */
  register(ceremony: Ceremony): object {
    const clientData = clientDataOf("webauthn.create", ceremony);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const credential = Buffer.concat([Buffer.alloc(16), length, this.id, encode(this.#publicKey())]);
    const authData = Buffer.concat([this.#head(ceremony, 0x40), credential]);
    const attestation = new Map<string, Cbor>([
      ["fmt", "none"],
      ["attStmt", new Map()],
      ["authData", authData],
    ]);
    return this.#credential({
      clientDataJSON: clientData.toString("base64url"),
      attestationObject: encode(attestation).toString("base64url"),
      transports: ["internal"],
    });
  }

  /** Answers `navigator.credentials.get`. */
  authenticate(ceremony: Ceremony): object {
    this.#counter += 1;
    const clientData = clientDataOf("webauthn.get", ceremony);
    const authData = this.#head(ceremony, 0);
    const signed = Buffer.concat([authData, createHash("sha256").update(clientData).digest()]);
    return this.#credential({
      clientDataJSON: clientData.toString("base64url"),
      authenticatorData: authData.toString("base64url"),
      signature: createSign("sha256").update(signed).sign(this.#keys.privateKey).toString("base64url"),
    });
  }

  #head({ rpId, isVerified = true }: Ceremony, extra: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.#counter);
    const flags = 0x01 | (isVerified ? 0x04 : 0) | extra;
    return Buffer.concat([createHash("sha256").update(rpId).digest(), Buffer.from([flags]), counter]);
  }

  /** As COSE has it: an elliptic curve's key, for ES256, on P-256. */
  #publicKey(): ReadonlyMap<number, Cbor> {
    const { x = "", y = "" } = this.#keys.publicKey.export({ format: "jwk" });
    return new Map<number, Cbor>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(x, "base64url")],
      [-3, Buffer.from(y, "base64url")],
    ]);
  }

  #credential(response: object): object {
    const id = this.id.toString("base64url");
    return { id, rawId: id, type: "public-key", response, clientExtensionResults: {} };
  }
}

function clientDataOf(type: string, { challenge, origin }: Ceremony): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
}

/** The part of CBOR that is needed. */
function encode(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  const map = value as ReadonlyMap<number | string, Cbor>;
  const members = [...map].flatMap(([key, member]) => [encode(key), encode(member)]);
  return Buffer.concat([head(5, map.size), ...members]);
}

function head(kind: number, count: number): Buffer {
  if (count < 24) return Buffer.from([(kind << 5) | count]);
  if (count < 256) return Buffer.from([(kind << 5) | 24, count]);
  return Buffer.from([(kind << 5) | 25, count >> 8, count & 0xff]);
}
