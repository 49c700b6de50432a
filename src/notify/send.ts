import type { Answer } from "../engine/outbox.ts";
import type { OutgoingRequest } from "./channels.ts";

const timeoutMs = 15_000;
/** Of an answer, enough to see what it is about. */
const reasonLengthMax = 200;

/** One request, and what its answer means for the message. */
export async function send({ url, headers, body }: OutgoingRequest, now: () => Date): Promise<Answer> {
  try {
    // A redirect would take the message, and the secret in the address, somewhere that nobody configured.
    const options = {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    } as const;
    const response = await fetch(url.reveal(), options);
    const said = withoutAddress(await response.text(), url.reveal())
      .trim()
      .slice(0, reasonLengthMax);
    return judge(response.status, said, response.headers.get("retry-after"), now());
  } catch (error) {
    return { kind: "again", reason: reasonOf(error) };
  }
}

/** Receivers like to repeat what they were asked for, and it is a secret. */
function withoutAddress(said: string, address: string): string {
  const { pathname, search, searchParams } = new URL(address);
  // Short words of a path are words; keys are long.
  const words = [...pathname.split("/"), ...searchParams.values()].filter((part) => part.length >= 8);
  const parts = [address, `${pathname}${search}`, pathname, ...words];
  const secrets = parts.filter((part) => part.length > 1).toSorted((a, b) => b.length - a.length);
  return secrets.reduce((text, part) => text.replaceAll(part, "…"), said.replaceAll("\0", ""));
}

/** 408, 425, 429 and 5xx pass; every other answer but success says that this message is not wanted. */
export function judge(status: number, said: string, retryAfter: string | null, now: Date): Answer {
  if (status >= 200 && status < 300) return { kind: "delivered" };
  const reason = `${status}${said === "" ? "" : `: ${said}`}`;
  if (![408, 425, 429].includes(status) && status < 500) return { kind: "refused", reason };
  const afterSeconds = secondsOf(retryAfter, now);
  return { kind: "again", reason, ...(afterSeconds === undefined ? {} : { afterSeconds }) };
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
