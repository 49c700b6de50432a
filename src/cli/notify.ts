import { randomBytes } from "node:crypto";
import type { ChannelConfig } from "../config/channel.ts";
import type { Config } from "../config/schema.ts";
import type { Batch } from "../engine/batch.ts";
import type { Message } from "../engine/message.ts";
import type { Story } from "../engine/news.ts";
import type { Route } from "../engine/route.ts";
import { type ChannelSettings, createChannel } from "../notify/channels.ts";
import { procedures } from "../procedures/registry.ts";

/** The configuration's channels as the room of messages takes them. */
export function notifySettings(config: Pick<Config, "notify">) {
  const channels = Object.fromEntries(
    Object.entries(config.notify).map(([name, channel]) => [name, createChannel(toSettings(channel))]),
  );
  return { routes: routesOf(config), channels, storyOf };
}

export function routesOf({ notify }: Pick<Config, "notify">): readonly Route[] {
  return Object.entries(notify).map(([channel, { severity, stacks, chapters, timezone, quiet, digest }]) => ({
    ...{ channel, severity, stacks, chapters },
    pace: { timezone, quiet, digest },
  }));
}

function toSettings(channel: ChannelConfig): ChannelSettings {
  const limit = channel.limit === undefined ? undefined : { posts: channel.limit.posts, perSeconds: channel.limit.per };
  return { ...channel, limit };
}

/** The practice stack's own procedures are no news. */
function storyOf(procedure: string): Story | undefined {
  const found = procedures.find(({ name }) => name === procedure);
  if (found === undefined || found.chapter === "sandbox") return undefined;
  return { chapter: found.chapter, done: found.done };
}

/** What somebody sends who wants to see whether messages arrive. */
export function testBatch(channel: string, actor: string): Batch {
  const key = randomBytes(16).toString("hex");
  const message: Message = {
    ...{ key: `test:${key}`, event: "test", run: null, stack: "ipai", chapter: "monitoring", severity: "info" },
    ...{ title: "this is a test", lines: [`Sent by ${actor}. If you can read this, messages arrive.`] },
  };
  return { channel, key, messages: [message], firstSentAt: undefined, run: undefined, root: undefined };
}
