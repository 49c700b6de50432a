import type { Batch } from "../engine/batch.ts";
import type { Message, Severity } from "../engine/message.ts";
import { chatText, cut, digestOf, headline, plainText, timesOf } from "./text.ts";

/** What a mail looks like. Pure. */

export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The same whenever these messages are sent again, so that a repeat is seen to be one. */
  readonly messageId: string;
  /** Mails about one run stand together. */
  readonly references: string | undefined;
  readonly isUrgent: boolean;
}

export function mailOf({ key, messages, run }: Batch, from: string): Mail {
  const domain = /@([^\s>]+)>?\s*$/.exec(from)?.[1] ?? "localhost";
  return {
    subject: cut(subjectOf(messages), subjectLengthMax),
    text: cut(chatText(plainText, messages), plainText.lengthMax),
    html: htmlOf(messages),
    messageId: `<${key}@${domain}>`,
    references: run === undefined ? undefined : `<run-${run}@${domain}>`,
    isUrgent: messages.some(({ severity }) => severity === "critical"),
  };
}

const subjectLengthMax = 200;
const order: readonly Severity[] = ["critical", "warning", "info"];

/** Of the worst of them, which is what decides whether a mail is opened. */
function subjectOf(messages: readonly Message[]): string {
  const worst = order.flatMap((severity) => messages.filter((message) => message.severity === severity))[0];
  if (worst === undefined) return "";
  const more = messages.length === 1 ? "" : ` (and ${messages.length - 1} more)`;
  return `[${worst.severity}] ${cut(headline(worst), subjectLengthMax - 40)}${more}`;
}

/** Neither text nor background has a colour of its own: they are the reader's, by day and by night. */
const page = [
  "<!doctype html>",
  '<html lang="en"><head><meta charset="utf-8">',
  '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
  "<style>:root { color-scheme: light dark; }</style></head>",
  '<body style="font-family: sans-serif; font-size: 15px; line-height: 1.45; max-width: 44em; overflow-wrap: anywhere">',
].join("\n");
const borders: Readonly<Record<Severity, string>> = { info: "#2e9e5b", warning: "#d99a00", critical: "#d93025" };

function htmlOf(messages: readonly Message[]): string {
  const { head, whole, brief, tail } = digestOf(messages);
  const rows = brief.map(({ message, times }) => `<li>${escapeHtml(headline(message))}${timesOf(times)}</li>`);
  return [
    page,
    ...(head === undefined ? [] : [`<p><strong>${head}</strong></p>`]),
    ...whole.map(blockOf),
    ...(rows.length === 0 ? [] : ['<ul style="list-style: none; padding: 0">', ...rows, "</ul>"]),
    ...(tail === undefined ? [] : [`<p>${tail}</p>`]),
    "</body></html>",
  ].join("\n");
}

function blockOf(message: Message): string {
  const lines = message.lines.map(
    (line) => `<br>${escapeHtml(cut(line, plainText.lengthMax)).replaceAll("\n", "<br>")}`,
  );
  const style = `border-left: 4px solid ${borders[message.severity]}; padding-left: 12px`;
  return `<p style="${style}"><strong>${escapeHtml(headline(message))}</strong>${lines.join("")}</p>`;
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replaceAll(/[&<>"']/g, (found) => names[found] ?? found);
}
