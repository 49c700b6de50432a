import type { Message } from "../../engine/message.ts";
import { listDeliveries } from "../../engine/outbox.ts";
import { defineError } from "../../errors/error.ts";
import { render } from "../../notify/channels.ts";
import { send } from "../../notify/send.ts";
import type { Context } from "../context.ts";
import { channelsOf } from "../notify.ts";
import { instant, table } from "../render/text.ts";

/** Who is told, and whether it arrives. */

export const NoChannel = defineError<{ given: string; known: string }>("notify.no_channel", {
  exitCode: 14,
  message: (d) => `There is no channel ${d.given}.`,
  hint: (d) => `Configured under notify: ${d.known}.`,
});

export const NotDelivered = defineError<{ channel: string; reason: string }>("notify.not_delivered", {
  exitCode: 19,
  retryable: true,
  message: (d) => `${d.channel} did not take the message: ${d.reason}.`,
  hint: () => "Is the address in the environment the one of its incoming webhook, and does the receiver run?",
});

interface Options {
  readonly json?: boolean;
  readonly limit?: string;
}

/** Sends a message at once, past the outbox: whoever asks wants to see it arrive. */
export async function testChannel(context: Context, given: string | undefined): Promise<number> {
  await using app = await context.openApp();
  const channels = channelsOf(app.config);
  const known = Object.keys(channels);
  const names = given === undefined ? known : known.filter((name) => name === given);
  if (names.length === 0) throw NoChannel({ given: given ?? "at all", known: known.join(", ") || "none" });
  for (const name of names) {
    const now = new Date();
    const message: Message = {
      ...{ key: `test:${now.toISOString()}`, stack: "ipai", chapter: "monitoring", severity: "info" },
      ...{ title: "this is a test", lines: [`Sent by ${app.actor}. If you can read this, messages arrive.`] },
    };
    const channel = channels[name];
    if (channel === undefined) continue;
    const answer = await send(render(channel, [message], message.key, now), () => new Date());
    if (answer.kind !== "delivered") throw NotDelivered({ channel: name, reason: answer.reason });
    context.terminal.out(`${name}: delivered.`);
  }
  return 0;
}

export async function listMessages(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const rows = await listDeliveries(app.control, Number(options.limit ?? 20));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) terminal.out("No message yet.");
  else
    terminal.out(
      table([
        ["WHEN", "CHANNEL", "STATE", "MESSAGE"],
        ...rows.map(({ at, stack, severity, title, channel, state, attempts, error }) => [
          instant(at, app.config.stacks[stack]?.timezone ?? "UTC"),
          channel,
          error === null ? state : `${state} after ${attempts} (${error})`,
          `${severity} ${stack}: ${title}`,
        ]),
      ]),
    );
  return 0;
}
