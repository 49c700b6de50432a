import { z } from "zod";
import { listDeliveries } from "../../engine/outbox.ts";
import { deliverySchema } from "../contract.ts";
import { endpoint } from "../endpoint.ts";
import { NotFound } from "../problem.ts";

/** Who is told, and whether it arrives. */

export const listMessages = endpoint({
  ...{
    method: "get",
    path: "/api/notifications",
    tag: "notifications",
    summary: "The latest messages, to each channel",
  },
  query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }),
  answer: z.array(deliverySchema),
  handle: async ({ query, ports, guard }) => {
    guard.signedIn();
    return (await listDeliveries(ports.control, query.limit))
      .filter(({ stack }) => guard.can("look", { stack }))
      .map((row) => ({ ...row, at: row.at.toISOString(), next_at: row.next_at?.toISOString() ?? null }));
  },
});

export const testChannel = endpoint({
  ...{ method: "post", path: "/api/channels/{channel}/test", tag: "notifications" },
  summary: "Send a message to a channel now, and say whether it was taken",
  params: z.object({ channel: z.string() }),
  answer: z.object({ channel: z.string(), delivered: z.boolean(), reason: z.string().nullable() }),
  handle: async ({ params: { channel }, ports, guard }) => {
    guard.need("people", {}, `channel ${channel}`);
    const send = Object.hasOwn(ports.channels, channel) ? ports.channels[channel] : undefined;
    if (send === undefined) throw NotFound({ what: `channel ${channel}` });
    const answer = await send(guard.principal.handle);
    return {
      ...{ channel, delivered: answer.kind === "delivered" },
      reason: answer.reason ?? null,
    };
  },
});
