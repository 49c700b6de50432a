import type { Secret } from "../config/secret.ts";
import type { Answer } from "../engine/outbox.ts";

/** One HTTP request, and what its answer means for a message. */

export interface OutgoingRequest {
  readonly method: "GET" | "POST";
  readonly url: Secret;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

const timeoutMs = 15_000;
/** Of an answer, enough to see what it is about. */
const reasonLengthMax = 200;
const errorLengthMax = 65_536;

/** What is delivered was taken with its status; nobody waits for what else may be said. */
export async function send(request: OutgoingRequest, now: () => Date): Promise<Answer> {
  return answered(async () => judge(await exchange(request, 0), request.url, now()));
}

/** What could not be asked may have arrived: it is asked again. */
export async function answered(work: () => Promise<Answer>): Promise<Answer> {
  return work().catch((error: unknown) => ({ kind: "again" as const, reason: reasonOf(error) }));
}

/** `textMax`: so many characters of a good answer are read. */
export async function exchange({ url, ...request }: OutgoingRequest, textMax: number): Promise<Reply> {
  // A redirect would take the message, and the secret in the address, somewhere that nobody configured.
  const options = { ...request, redirect: "manual", signal: AbortSignal.timeout(timeoutMs) } as const;
  const response = await fetch(url.reveal(), options);
  const text = await readSome(response, response.ok ? textMax : errorLengthMax);
  return { status: response.status, text, retryAfter: response.headers.get("retry-after") };
}

/** An answer may be endless, or break off: its status says what matters. */
async function readSome(response: Response, lengthMax: number): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    while (text.length < lengthMax) {
      const read = await reader?.read();
      if (read === undefined || read.done) return text;
      text += read.value;
    }
    return text;
  } catch {
    return text;
  } finally {
    reader?.cancel().catch(() => undefined);
  }
}

/** 408, 425, 429 and 5xx pass; every other answer but success says that this message is not wanted. */
export function judge({ status, text, retryAfter }: Reply, url: Secret, now: Date): Answer {
  if (status >= 200 && status < 300) return { kind: "delivered" };
  const said = withoutAddress(text, url.reveal()).trim().slice(0, reasonLengthMax);
  const reason = `${status}${said === "" ? "" : `: ${said}`}`;
  if (![408, 425, 429].includes(status) && status < 500) return { kind: "refused", reason };
  const afterSeconds = secondsOf(retryAfter, now);
  return { kind: "again", reason, ...(afterSeconds === undefined ? {} : { afterSeconds }) };
}

/** Receivers like to repeat what they were asked for, and it is a secret. */
function withoutAddress(said: string, address: string): string {
  const { pathname, search, searchParams } = new URL(address);
  // Short words of a path are words; keys are long.
  const words = [...pathname.split("/"), ...searchParams.values()].filter((part) => part.length >= 8);
  const parts = [address, `${pathname}${search}`, pathname, ...words];
  return hide(said, parts);
}

/** Takes secrets out of what somebody else said. */
export function hide(said: string, parts: readonly string[]): string {
  const secrets = parts.filter((part) => part.length > 1).toSorted((a, b) => b.length - a.length);
  return secrets.reduce((text, part) => text.replaceAll(part, "…"), said.replaceAll("\0", ""));
}

/** `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). */
function secondsOf(text: string | null, now: Date): number | undefined {
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - now.getTime()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, Math.ceil(seconds)), 86_400);
}

/** Not the address, which is a secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "it could not be sent";
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return code === "" ? "the connection failed" : code;
}
