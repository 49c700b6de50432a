import { randomBytes } from "node:crypto";
import { Secret } from "../../config/secret.ts";
import { loadOwnFile } from "../../engine/own-file.ts";
import { defineError } from "../../errors/error.ts";

/**
 * What sessions are signed and second factors encrypted with. It is kept outside of the control database, so that a copy of that
 * database alone lets nobody in.
 */

export const BadAuthSecret = defineError<{ where: string }>("access.bad_secret", {
  exitCode: 18,
  message: (d) => `${d.where} holds no secret for sessions that could be used. Nobody can sign in.`,
  hint: () =>
    "It is one or more of VERSION:SECRET, newest first, on lines of their own or with commas between, each secret at least 32 characters long. Restore it from a backup: with a new one, authenticator apps have to be set up again.",
});

/** The newest first. It signs; the older ones still decrypt what was encrypted with them. */
export type AuthSecrets = readonly { readonly version: number; readonly value: Secret }[];

/** What the configuration says, or else the file, which is made when it is first needed. */
export async function loadAuthSecrets(options: { file: string; given?: Secret | undefined }): Promise<AuthSecrets> {
  if (options.given !== undefined) return parse(options.given.reveal(), "The variable that serve.secret names");
  const make = () => `1:${randomBytes(32).toString("base64url")}\n`;
  return parse(await loadOwnFile(options.file, make), options.file);
}

function parse(text: string, where: string): AuthSecrets {
  const entries = text
    .split(/[\n,]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => /^(?:(\d{1,6}):)?(\S{32,})$/.exec(entry));
  const secrets = entries.map((match) => ({ version: Number(match?.[1] ?? 1), value: new Secret(match?.[2] ?? "") }));
  const isUsable = entries.length > 0 && entries.every((match) => match !== null);
  if (!isUsable || new Set(secrets.map(({ version }) => version)).size < secrets.length) throw BadAuthSecret({ where });
  return secrets;
}
