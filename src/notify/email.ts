import { createTransport } from "nodemailer";
import type { Secret } from "../config/secret.ts";
import type { Batch } from "../engine/batch.ts";
import type { Answer } from "../engine/outbox.ts";
import { hide } from "./http.ts";
import { mailOf } from "./mail.ts";
import { oneLine } from "./text.ts";

/** Mails by SMTP: one to everybody for each batch, and what the server's answer means for it. */

export interface Mailbox {
  /** `smtp://USER:PASSWORD@HOST:PORT`, or `smtps://` for a port that speaks TLS from the beginning. */
  readonly url: Secret;
  readonly from: string;
  readonly to: readonly string[];
  /** Only with TLS, and a certificate that is right. */
  readonly tls: boolean;
}

/** Shorter than a batch stays taken, so that nobody else sends it meanwhile. */
const timeoutMs = 45_000;
const stepTimeoutMs = 15_000;

export async function sendMail(mailbox: Mailbox, batch: Batch, now: () => Date): Promise<Answer> {
  const { from, to } = mailbox;
  const { isUrgent, references, ...mail } = mailOf(batch, from);
  try {
    const info = await createTransport(serverOf(mailbox)).sendMail({
      ...{ ...mail, from, to: [...to], date: now() },
      ...(references === undefined ? {} : { references, inReplyTo: references }),
      priority: isUrgent ? "high" : "normal",
      // Who is away need not say so to a program (RFC 3834).
      headers: { "Auto-Submitted": "auto-generated" },
      ...{ disableFileAccess: true, disableUrlAccess: true },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return judgeRecipients(info.rejectedErrors ?? [], mailbox);
  } catch (error) {
    return judgeFailure(error as Failure, mailbox);
  }
}

function serverOf({ url, tls }: Mailbox) {
  const { protocol, hostname, port, username, password } = new URL(url.reveal());
  const secure = protocol === "smtps:";
  return {
    host: hostname.replaceAll(/[[\]]/g, ""),
    port: Number(port) || (secure ? 465 : 587),
    secure,
    ...{ requireTLS: tls && !secure, ignoreTLS: !tls },
    ...(username === "" ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    ...{ connectionTimeout: stepTimeoutMs, greetingTimeout: stepTimeoutMs, socketTimeout: stepTimeoutMs },
    ...{ dnsTimeout: stepTimeoutMs, disableFileAccess: true, disableUrlAccess: true },
  };
}

interface Failure {
  readonly code?: string | undefined;
  readonly message: string;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly recipient?: string | undefined;
}

/**
 * 5xx: this mail is not wanted. 4xx, no connection, one that broke off, a wrong certificate: again, under the same Message-ID. So is a log-in
 * that failed: it says nothing about the mail, and somebody will mend the password; but seldom, since servers lock out who keeps trying.
 */
function judgeFailure(failure: Failure, mailbox: Mailbox): Answer {
  const reason = reasonOf(failure, mailbox);
  const { code, responseCode = 0 } = failure;
  const isLogin = code === "EAUTH" || code === "ENOAUTH" || loginCodes.includes(responseCode);
  if (isLogin) return { kind: "again", reason, afterSeconds: 900 };
  return responseCode >= 500 && code !== "ETLS" ? { kind: "refused", reason } : { kind: "again", reason };
}

/** RFC 4954: log in first, too weak, wrong, only with TLS. */
const loginCodes = [530, 534, 535, 538];

/** Some took it, some did not. Who has it already gets it again with the same Message-ID when another one may still take it. */
function judgeRecipients(failures: readonly Failure[], mailbox: Mailbox): Answer {
  if (failures.length === 0) return { kind: "delivered" };
  const reason = failures.map((failure) => `${failure.recipient}: ${reasonOf(failure, mailbox)}`).join("; ");
  const isPassing = failures.some(({ responseCode = 0 }) => responseCode < 500);
  return isPassing ? { kind: "again", reason } : { kind: "delivered", reason: `not to ${reason}` };
}

const reasonLengthMax = 200;

/** The server's words, or what happened to the connection; without its address, which is a secret. */
function reasonOf({ code, message, response }: Failure, { url }: Mailbox): string {
  if (code === "EABORT") return `not done within ${timeoutMs / 1000} s`;
  const { hostname, username, password } = new URL(url.reveal());
  const parts = [hostname, ...[username, password].flatMap((part) => [part, decodeURIComponent(part)])];
  return oneLine(hide(response ?? message, parts)).slice(0, reasonLengthMax);
}
