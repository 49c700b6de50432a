import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Secret } from "../../config/secret.ts";
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
  return parse((await read(options.file)) ?? (await create(options.file)), options.file);
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

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written aside and linked into place: of two processes that begin at once, both get the secret of the first. */
async function create(file: string): Promise<string> {
  const aside = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  const text = `1:${randomBytes(32).toString("base64url")}\n`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(aside, text, { mode: 0o600, flag: "wx" });
  try {
    await link(aside, file);
    return text;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return await readFile(file, "utf8");
  } finally {
    await unlink(aside);
  }
}
