import { randomBytes } from "node:crypto";
import type { ChannelConfig } from "../config/channel.ts";
import type { Config } from "../config/schema.ts";
import type { Batch } from "../engine/batch.ts";
import type { Message } from "../engine/message.ts";
import type { Route } from "../engine/route.ts";
import type { Story } from "../engine/story.ts";
import { type Channel, type ChannelSettings, createChannel } from "../notify/channels.ts";
import type { Procedures } from "../procedures/registry.ts";
import { instant } from "./render/text.ts";

/** The configuration's channels as the room of messages takes them. */
export function notifySettings(config: Pick<Config, "notify" | "stacks">, procedures: Procedures) {
  return {
    routes: routesOf(config),
    channels: channelsOf(config),
    storyOf: (procedure: string) => storyOf(procedures, procedure),
    instantOf: (stack: string, at: Date) => instant(at, config.stacks[stack]?.timezone ?? "UTC"),
  };
}

export function channelsOf({ notify }: Pick<Config, "notify">): Readonly<Record<string, Channel>> {
  return Object.fromEntries(
    Object.entries(notify).map(([name, channel]) => [name, createChannel(toSettings(channel))]),
  );
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

/** The practice stack's own procedures are no news, nor what a finding tells of. One that is not there any more was the user's own. */
function storyOf({ all }: Procedures, procedure: string): Story | undefined {
  const found = all.find(({ name }) => name === procedure);
  if (found === undefined) return { chapter: "custom", title: procedure };
  const isNoNews = found.chapter === "sandbox" || found.toldBy !== undefined;
  return isNoNews ? undefined : found;
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
