import { createHmac } from "node:crypto";
import type { Secret } from "../config/secret.ts";
import type { Message, Severity } from "../engine/message.ts";

/** How a channel wants to be told. Pure: builds requests, sends none. */

export type Channel = (
  | { readonly kind: "mattermost" | "slack" }
  | { readonly kind: "webhook"; readonly secret: Secret | undefined }
) & { readonly url: Secret };

export interface OutgoingRequest {
  readonly url: Secret;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Several messages that are due at once are one post in a chat, and one list for a machine. */
export function render(channel: Channel, messages: readonly Message[], key: string, now: Date): OutgoingRequest {
  const { url } = channel;
  const body = JSON.stringify(
    channel.kind === "webhook" ? { id: key, messages } : { text: textFor(channel.kind, messages) },
  );
  const headers = { "content-type": "application/json", "idempotency-key": key, "user-agent": "ipai" };
  if (channel.kind !== "webhook" || channel.secret === undefined) return { url, headers, body };
  return { url, headers: { ...headers, ...signature(channel.secret, body, now) }, body };
}

/** Over the time and the body, so that a request that was overheard cannot be sent again a day later. */
function signature(secret: Secret, body: string, now: Date): Readonly<Record<string, string>> {
  const time = String(Math.floor(now.getTime() / 1000));
  const digest = createHmac("sha256", secret.reveal()).update(`${time}.${body}`).digest("hex");
  return { "x-ipai-timestamp": time, "x-ipai-signature": `sha256=${digest}` };
}

/** Mattermost takes 16,383 characters, Slack 40,000; a longer post is refused as a whole. */
const lengthMax = { mattermost: 16_000, slack: 39_000 } as const;
const marks: Readonly<Record<Severity, string>> = { info: "✅", warning: "⚠️", critical: "🔴" };

function textFor(kind: "mattermost" | "slack", messages: readonly Message[]): string {
  const bold = kind === "slack" ? "*" : "**";
  const plain = kind === "slack" ? escapeSlack : escapeMarkdown;
  const texts = messages.map(({ severity, stack, title, lines }) =>
    [`${marks[severity]} ${bold}${plain(stack)}: ${plain(title)}${bold}`, ...lines.map(plain)].join("\n"),
  );
  const text = texts.join("\n\n");
  const most = lengthMax[kind];
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A person must not be called because a program printed an @, nor a word vanish because it had an underscore. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_~|[\]]/g, "\\$&").replaceAll("@", "@\u200b");
}
