import type { ChannelConfig, Config } from "../config/schema.ts";
import type { Message, Route } from "../engine/message.ts";
import type { Channel } from "../notify/channels.ts";
import { procedures } from "../procedures/registry.ts";

/** The configuration's channels as the room of messages takes them. */
export function notifySettings(config: Pick<Config, "notify">) {
  const routes = routesOf(config);
  const { notify } = config;
  const channels = Object.fromEntries(Object.entries(notify).map(([name, channel]) => [name, toChannel(channel)]));
  return { routes, channels, chapterOf };
}

export function routesOf({ notify }: Pick<Config, "notify">): readonly Route[] {
  return Object.entries(notify).map(([channel, { severity, stacks, chapters }]) => ({
    ...{ channel, severity, stacks, chapters },
  }));
}

function toChannel({ kind, url, secret }: ChannelConfig): Channel {
  return kind === "webhook" ? { kind, url, secret } : { kind, url };
}

/** The practice stack's own procedures are no news. */
function chapterOf(procedure: string): string | undefined {
  const chapter = procedures.find(({ name }) => name === procedure)?.chapter;
  return chapter === "sandbox" ? undefined : chapter;
}

/** What somebody sends who wants to see whether messages arrive. */
export function testMessage(actor: string, now: Date): Message {
  return {
    ...{ key: `test:${now.toISOString()}`, stack: "ipai", chapter: "monitoring", severity: "info" },
    ...{ title: "this is a test", lines: [`Sent by ${actor}. If you can read this, messages arrive.`] },
  };
}
