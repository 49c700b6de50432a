import type { Message, Severity } from "../engine/message.ts";

/** What is said in one post, in a chat or a mail. Pure, and the same whenever the same messages are sent again. */

export interface Digest {
  /** How many there are, when they are too many to be said one by one. */
  readonly head: string | undefined;
  readonly whole: readonly Message[];
  /** The rest in a line each; what is said several times, once. */
  readonly brief: readonly { readonly message: Message; readonly times: number }[];
  readonly tail: string | undefined;
}

/** Up to so many are said whole. */
const wholeMax = 10;

/** What is critical is always said whole. */
export function digestOf(messages: readonly Message[]): Digest {
  if (messages.length <= wholeMax) return { head: undefined, whole: messages, brief: [], tail: undefined };
  const [critical, rest] = [true, false].map((isWanted) =>
    messages.filter(({ severity }) => (severity === "critical") === isWanted),
  ) as [Message[], Message[]];
  const same = Map.groupBy(rest, ({ severity, stack, title }) => [severity, stack, title].join("\0"));
  const first = ([message]: readonly Message[]) => message as Message;
  return {
    head: `${messages.length} messages at once${critical.length === 0 ? "" : `, ${critical.length} of them critical`}:`,
    whole: critical,
    brief: [...same.values()].map((group) => ({ message: first(group), times: group.length })),
    tail: "What they say in full: ipai notify --json",
  };
}

const marks: Readonly<Record<Severity, string>> = { info: "✅", warning: "⚠️", critical: "🔴" };

/** `✅ erp: Backup proven`. A title is one line, whatever a program printed. */
export function headline({ event, severity, stack, title }: Message): string {
  return `${event === "run.started" ? "🔧" : marks[severity]} ${oneLine(stack)}: ${oneLine(title)}`;
}

export function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}\u2028\u2029]+/gu, " ").trim();
}

export function timesOf(times: number): string {
  return times === 1 ? "" : ` (${times} times)`;
}

/** How a chat writes. */
export interface Style {
  readonly bold: string;
  readonly plain: (text: string) => string;
  /** A longer post is refused as a whole. */
  readonly lengthMax: number;
}

export function chatText(style: Style, messages: readonly Message[]): string {
  const { bold, plain } = style;
  const { head, whole, brief, tail } = digestOf(messages);
  const blocks = [
    ...(head === undefined ? [] : [`${bold}${head}${bold}`]),
    ...whole.map((message) => [`${bold}${plain(headline(message))}${bold}`, ...message.lines.map(plain)].join("\n")),
    ...(brief.length === 0
      ? []
      : [brief.map(({ message, times }) => plain(headline(message)) + timesOf(times)).join("\n")]),
    ...(tail === undefined ? [] : [tail]),
  ];
  return blocks.join("\n\n");
}

/** Of what is due, as much as one post has room for; the first at least, if need be cut by `cut`. */
export function chooseFitting(
  due: readonly Message[],
  lengthMax: number,
  lengthOf: (messages: readonly Message[]) => number,
): readonly Message[] {
  let count = due.length;
  while (count > 1) {
    const length = lengthOf(due.slice(0, count));
    if (length <= lengthMax) break;
    count = Math.max(1, Math.min(count - 1, Math.floor((count * lengthMax) / length)));
  }
  return due.slice(0, count);
}

/** Never in the middle of a character. */
export function cut(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  return `${text.slice(0, lengthMax - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

const escapeSlack = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** A person must not be called because a program printed an @, nor a word vanish because it had an underscore. */
const escapeMarkdown = (text: string) => text.replaceAll(/[\\`*_~|[\]]/g, "\\$&").replaceAll("@", "@\u200b");

/** Mattermost takes 16,383 characters, Slack 40,000. */
export const mattermost: Style = { bold: "**", plain: escapeMarkdown, lengthMax: 16_000 };
export const slack: Style = { bold: "*", plain: escapeSlack, lengthMax: 39_000 };
/** A mail has room for more than anybody reads. */
export const plainText: Style = { bold: "", plain: (text) => text, lengthMax: 200_000 };
