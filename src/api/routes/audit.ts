import { z } from "zod";
import { exportLinks, type Link, listLinks } from "../../engine/audit.ts";
import { linkSchema } from "../contract.ts";
import { endpoint, type Guard } from "../endpoint.ts";

/** Who did what. */

export const listAudit = endpoint({
  ...{
    method: "get",
    path: "/api/audit",
    tag: "audit",
    summary: "The latest entries of the audit chain that may be seen",
  },
  query: z.object({ limit: z.coerce.number().int().min(1).max(1000).default(100) }),
  answer: z.array(linkSchema),
  handle: async ({ query, ports, guard }) => {
    guard.signedIn();
    return (await listLinks(ports.control, query.limit)).filter((link) => isVisible(guard, link));
  },
});

export const exportAudit = endpoint({
  ...{ method: "get", path: "/api/audit/export", tag: "audit", stream: "application/jsonl" },
  summary: "The whole chain, an entry a line, for whoever may see all of it: `ipai audit verify FILE` checks it",
  answer: linkSchema,
  handle: async ({ ports, guard }) => {
    guard.need("look", {}, "the audit chain");
    const { handle: actor, via } = guard.principal;
    const links = await exportLinks(ports.control, actor, via, ports.now());
    return links.map((link) => `${JSON.stringify(link)}\n`).join("");
  },
});

/** What belongs to no stack, such as people and their roles, is for those who may look at all of them. */
function isVisible(guard: Guard, { stack }: Link): boolean {
  return guard.can("look", stack === null ? {} : { stack });
}
