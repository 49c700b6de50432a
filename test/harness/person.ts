import { createHmac } from "node:crypto";
import { addPerson, invitePerson } from "../../src/access/people.ts";
import type { Control } from "../../src/engine/control.ts";
import { type AuthServer, Visitor } from "./visitor.ts";

/** People for tests, and what they do with their hands: typing passwords, reading codes off a telephone. */

export const goodPassword = "correct horse battery 7";
const change = () => ({ actor: "root", now: new Date() });

export async function addMember(control: Control, handle: string): Promise<void> {
  await addPerson(control.db, { handle, name: `The ${handle}`, email: `${handle}@example.com` }, change());
}

/** Somebody who has set her password, and is not signed in. */
export async function addWithPassword(control: Control, server: AuthServer, handle: string): Promise<Visitor> {
  await addMember(control, handle);
  const { token } = await invitePerson(control.db, handle, { ...change(), afresh: false });
  const visitor = new Visitor(server);
  const answer = await visitor.post("/set-up", { token, password: goodPassword });
  if (answer.status !== 200) throw new Error(`set-up: ${JSON.stringify(answer.body)}`);
  return visitor;
}

export async function signIn(visitor: Visitor, name: string, password = goodPassword) {
  return await visitor.post("/sign-in/email", { email: name, password });
}

export async function addSignedIn(control: Control, server: AuthServer, handle: string): Promise<Visitor> {
  const visitor = await addWithPassword(control, server, handle);
  const answer = await signIn(visitor, handle);
  if (answer.status !== 200) throw new Error(`sign-in: ${JSON.stringify(answer.body)}`);
  return visitor;
}

/** RFC 6238 with its usual figures. `uri`: what the QR code says. `steps`: of half a minute, from now. */
export function codeOf(uri: string, steps = 0): string {
  const secret = decodeBase32(new URL(uri).searchParams.get("secret") ?? "");
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", secret).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 0xf;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

function decodeBase32(text: string): Buffer {
  const bits = [...text.replace(/=+$/, "").toUpperCase()]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from((bits.match(/[01]{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** Sets up an authenticator app; what its QR code says, and the backup codes. */
export async function addApp(visitor: Visitor): Promise<{ uri: string; backupCodes: string[] }> {
  const enabled = await visitor.post("/two-factor/enable", { password: goodPassword });
  const { totpURI: uri, backupCodes } = enabled.body;
  const verified = await visitor.post("/two-factor/verify-totp", { code: codeOf(uri) });
  if (verified.status !== 200) throw new Error(`verify: ${JSON.stringify([enabled.body, verified.body])}`);
  return { uri, backupCodes };
}

export async function actionsOf(control: Control, handle: string): Promise<string[]> {
  const rows = await control.db
    .selectFrom("audit")
    .select("action")
    .where("subject", "=", handle)
    .orderBy("number")
    .execute();
  return rows.map(({ action }) => action.replace("person.", ""));
}
