import type { ChannelConfig, Config } from "../config/schema.ts";
import type { Route } from "../engine/message.ts";
import type { Channel } from "../notify/channels.ts";
import type { Procedures } from "../procedures/registry.ts";

/** The configuration's channels as the room of messages takes them. */
export function notifySettings(config: Pick<Config, "notify">, procedures: Procedures) {
  return {
    routes: routesOf(config),
    channels: channelsOf(config),
    chapterOf: (procedure: string) => chapterOf(procedures, procedure),
  };
}

export function channelsOf({ notify }: Pick<Config, "notify">): Readonly<Record<string, Channel>> {
  return Object.fromEntries(Object.entries(notify).map(([name, channel]) => [name, toChannel(channel)]));
}

export function routesOf({ notify }: Pick<Config, "notify">): readonly Route[] {
  return Object.entries(notify).map(([channel, { severity, stacks, chapters }]) => ({
    ...{ channel, severity, stacks, chapters },
  }));
}

function toChannel({ kind, url, secret }: ChannelConfig): Channel {
  return kind === "webhook" ? { kind, url, secret } : { kind, url };
}

/** The practice stack's own procedures are no news. One that is not there any more was the user's own. */
function chapterOf({ all }: Procedures, procedure: string): string | undefined {
  const chapter = all.find(({ name }) => name === procedure)?.chapter ?? "custom";
  return chapter === "sandbox" ? undefined : chapter;
}
