import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { getCACertificates, setDefaultCACertificates } from "node:tls";

/** A real mail server on the loopback, as `smtp-server.py` says. */

export interface SmtpOptions {
  readonly rcpt?: readonly (string | null)[];
  readonly data?: readonly (string | null)[];
  readonly refused?: readonly string[];
  readonly tls?: "starttls" | "implicit";
  readonly login?: { readonly user: string; readonly password: string };
}

export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came over the wire. */
  readonly mail: string;
  readonly isTls: boolean;
}

export interface SmtpServer extends AsyncDisposable {
  readonly port: number;
  /** What it has told of so far. */
  taken(): readonly TakenMail[];
  /** Ends it, and says what it took: what it printed last may still be on its way while it runs. */
  stop(): Promise<readonly TakenMail[]>;
}

const script = join(import.meta.dirname, "smtp-server.py");

export async function startSmtp(options: SmtpOptions = {}, certificate?: Certificate): Promise<SmtpServer> {
  const given = JSON.stringify({ ...options, certificate: certificate?.certificate, key: certificate?.key });
  // Debian's own Python: its packages are there.
  const server = spawn("/usr/bin/python3", [script, given], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: server.stdout });
  const [first] = (await Promise.race([
    once(lines, "line"),
    once(server, "exit").then(() => {
      throw new TypeError("the mail server ended");
    }),
  ])) as [string];
  const mails: TakenMail[] = [];
  lines.on("line", (line) => mails.push(JSON.parse(line) as TakenMail));
  const ended = once(lines, "close");
  const stop = async () => {
    server.kill("SIGKILL");
    await ended;
    return mails;
  };
  return { port: Number(first), taken: () => mails, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

export interface Certificate extends Disposable {
  readonly certificate: string;
  readonly key: string;
}

/** For this machine, under these names, signed by nobody but itself. */
export function makeCertificate(names = "IP:127.0.0.1,DNS:localhost"): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "ipai-smtp-"));
  const [certificate, key] = [join(folder, "certificate"), join(folder, "key")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=localhost", "-addext", `subjectAltName=${names}`],
      ...["-out", certificate, "-keyout", key],
    ],
    { stdio: "ignore" },
  );
  return { certificate, key, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** From now on, in this process. */
export function trust({ certificate }: Certificate): void {
  setDefaultCACertificates([...getCACertificates("default"), readFileSync(certificate, "utf8")]);
}

/** Through Python's own reader of mails, so that what arrives is judged by somebody else than who wrote it. */
export function readMail(mail: string): {
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly html: string;
} {
  const program = `
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
part = lambda kind: mail.get_body((kind,)).get_content()
print(json.dumps({"headers": {k.lower(): str(v) for k, v in mail.items()}, "text": part("plain"), "html": part("html")}))`;
  return JSON.parse(execFileSync("/usr/bin/python3", ["-c", program], { input: mail, encoding: "utf8" }));
}
