import type { ChannelConfig } from "../config/channel.ts";
import type { Config } from "../config/schema.ts";
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
