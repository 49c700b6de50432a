import { type DeliveryRow, listDeliveries } from "../../engine/outbox.ts";
import { defineError } from "../../errors/error.ts";
import type { Context } from "../context.ts";
import { channelsOf, testBatch } from "../notify.ts";
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
  hint: () =>
    "Are its address, and its password or token, in the environment the right ones, and does the receiver run?",
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
    const channel = channels[name];
    if (channel === undefined) continue;
    const answer = await channel.send(testBatch(name, app.actor), () => new Date());
    if (answer.kind !== "delivered") throw NotDelivered({ channel: name, reason: answer.reason });
    context.terminal.out(`${name}: delivered${answer.reason === undefined ? "" : `, ${answer.reason}`}.`);
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
        ...rows.map((row) => {
          const timezone = app.config.stacks[row.stack]?.timezone ?? "UTC";
          return [
            instant(row.at, timezone),
            row.channel,
            stateOf(row, timezone),
            `${row.severity} ${row.stack}: ${row.title}`,
          ];
        }),
      ]),
    );
  return 0;
}

/** What is held, until quiet hours end or a digest is sent, says until when. */
function stateOf({ state, attempts, error, next_at }: DeliveryRow, timezone: string): string {
  if (error !== null) return `${state} after ${attempts} (${error})`;
  return next_at !== null && next_at > new Date() ? `${state} ${instant(next_at, timezone)}` : state;
}
