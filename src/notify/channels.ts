import type { Secret } from "../config/secret.ts";
import type { Batch, Carrier } from "../engine/batch.ts";
import type { Message } from "../engine/message.ts";
import type { Answer } from "../engine/outbox.ts";
import { type Bot, postAsBot } from "./bot.ts";
import { type Mailbox, sendMail } from "./email.ts";
import { chatRequest, webhookRequest } from "./hooks.ts";
import { send } from "./http.ts";
import { chatText, chooseFitting, digestOf, mattermost, plainText, type Style, slack } from "./text.ts";

/** The kinds of channels: what goes into one post, and how it is sent. */

export type ChannelSettings = { readonly limit: Carrier["limit"] } & (
  | { readonly kind: "mattermost" | "slack"; readonly url: Secret }
  | { readonly kind: "webhook"; readonly url: Secret; readonly secret: Secret | undefined }
  | ({ readonly kind: "mattermost-bot" } & Bot)
  | ({ readonly kind: "email" } & Mailbox)
);

export interface Channel extends Carrier {
  readonly send: (batch: Batch, now: () => Date) => Promise<Answer>;
}

/** A program reads every message; so many in one request. */
const webhookMax = 100;

export function createChannel(settings: ChannelSettings): Channel {
  const { limit } = settings;
  switch (settings.kind) {
    case "mattermost":
    case "slack": {
      const style = settings.kind === "slack" ? slack : mattermost;
      const { url } = settings;
      return {
        ...{ limit, choose: choosing(style) },
        send: ({ messages, key }, now) => send(chatRequest(style, url, messages, key), now),
      };
    }
    case "webhook":
      return {
        ...{ limit, choose: (due) => due.slice(0, webhookMax) },
        send: ({ messages, key }, now) => send(webhookRequest(settings, messages, key, now()), now),
      };
    case "mattermost-bot":
      return { limit, choose: chooseThread, send: (batch, now) => postAsBot(settings, batch, now) };
    case "email":
      return { limit, choose: choosing(plainText), send: (batch, now) => sendMail(settings, batch, now) };
  }
}

function choosing(style: Style): Carrier["choose"] {
  return (due) => chooseFitting(due, style.lengthMax, (messages) => chatText(style, messages).length);
}

/** A post belongs to one thread, unless there are so many that they are folded together. */
function chooseThread(due: readonly Message[]): readonly Message[] {
  const isFolded = digestOf(due).head !== undefined;
  return choosing(mattermost)(isFolded ? due : due.filter(({ run }) => run === due[0]?.run));
}
