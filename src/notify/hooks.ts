import { createHmac } from "node:crypto";
import type { Secret } from "../config/secret.ts";
import type { Message } from "../engine/message.ts";
import type { OutgoingRequest } from "./http.ts";
import { chatText, cut, type Style } from "./text.ts";

/** Requests to incoming webhooks: a chat's, or a program's. Pure: builds requests, sends none. */

/** The text of a post, in Mattermost and in whatever is compatible with Slack. */
export function chatRequest(style: Style, url: Secret, messages: readonly Message[], key: string): OutgoingRequest {
  const body = JSON.stringify({ text: cut(chatText(style, messages), style.lengthMax) });
  return { method: "POST", url, headers: headersOf(key), body };
}

export function webhookRequest(
  { url, secret }: { readonly url: Secret; readonly secret: Secret | undefined },
  messages: readonly Message[],
  key: string,
  now: Date,
): OutgoingRequest {
  const body = JSON.stringify({ id: key, messages });
  const signed = secret === undefined ? {} : signature(secret, body, now);
  return { method: "POST", url, headers: { ...headersOf(key), ...signed }, body };
}

function headersOf(key: string): Readonly<Record<string, string>> {
  return { "content-type": "application/json", "idempotency-key": key, "user-agent": "ipai" };
}

/** Over the time and the body, so that a request that was overheard cannot be sent again a day later. */
function signature(secret: Secret, body: string, now: Date): Readonly<Record<string, string>> {
  const time = String(Math.floor(now.getTime() / 1000));
  const digest = createHmac("sha256", secret.reveal()).update(`${time}.${body}`).digest("hex");
  return { "x-ipai-timestamp": time, "x-ipai-signature": `sha256=${digest}` };
}
