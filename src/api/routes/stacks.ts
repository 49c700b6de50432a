import { z } from "zod";
import { checklistSchema, exposureSchema, healthSchema, resourceSchema } from "../contract.ts";
import { type Asked, endpoint } from "../endpoint.ts";
import type { StackEntry } from "../ports.ts";
import { NotFound } from "../problem.ts";

/** What there is: stacks, how they are, and what can be done to them. */

const params = z.object({ stack: z.string() });

export const listStacks = endpoint({
  ...{ method: "get", path: "/api/stacks", tag: "stacks", summary: "The stacks that may be seen" },
  answer: z.array(z.object({ name: z.string(), timezone: z.string(), url: z.string() })),
  handle: async ({ ports, guard }) => {
    guard.signedIn();
    return Object.values(ports.stacks)
      .filter(({ name }) => guard.can("look", { stack: name }))
      .map(({ name, timezone, url }) => ({ name, timezone, url }));
  },
});

export const listProcedures = endpoint({
  ...{ method: "get", path: "/api/procedures", tag: "stacks", summary: "What can be done, and with which input" },
  answer: z.array(
    z.object({
      name: z.string(),
      chapter: z.string(),
      title: z.string(),
      summary: z.string(),
      input: z.unknown().describe("JSON Schema"),
    }),
  ),
  handle: async ({ ports, guard }) => {
    guard.signedIn();
    return ports.procedures();
  },
});

export const listResources = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/resources", tag: "stacks" },
  summary: "What is open beside the stack, such as a past that somebody looks at: whose it is, and until when",
  params,
  answer: z.array(resourceSchema),
  handle: async (asked) => {
    const { name } = findStack(asked);
    const found = await asked.ports.records.list("resource", name, 5000);
    return found
      .map(({ data }) => openOrClosed.parse(data))
      .filter(({ closed }) => closed === null)
      .toSorted((a, b) => a.expires.localeCompare(b.expires))
      .map(({ closed: _, ...open }) => open);
  },
});

const openOrClosed = resourceSchema.extend({ closed: z.unknown().nullable() });

export const showHealth = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/health", tag: "stacks", summary: "How a stack is" },
  params,
  query: z.object({
    now: z.stringbool().default(false).describe("Ask the checks now; else the last answers that a worker kept"),
  }),
  answer: healthSchema,
  handle: async (asked) => {
    const stack = findStack(asked);
    const { ports, query } = asked;
    if (query.now) {
      const { status, checks } = report.parse(await stack.health());
      return { status, at: ports.now().toISOString(), findings: checks };
    }
    const [last] = await ports.records.list("health", stack.name, 1);
    if (last === undefined) throw NotFound({ what: `answer of the checks of ${stack.name} yet` });
    return { ...z.looseObject({}).parse(last.data), at: last.at.toISOString() };
  },
});

export const showExposure = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/exposure", tag: "stacks" },
  summary: "What would be lost if its server died now, and when users would be back",
  params,
  answer: exposureSchema,
  handle: async (asked) => {
    const stack = findStack(asked);
    return { at: asked.ports.now().toISOString(), ...z.looseObject({}).parse(await stack.exposure()) };
  },
});

export const showChecklist = endpoint({
  ...{ method: "get", path: "/api/stacks/{stack}/checklist", tag: "stacks" },
  summary: "What is asked before a release comes, asked now; what is red holds a deployment up",
  params,
  query: z.object({
    to: z.string().optional().describe("Branch, tag or commit; the source's branch when absent"),
  }),
  answer: checklistSchema,
  handle: async (asked) => {
    return z.array(z.unknown()).parse(await findStack(asked).checklist(asked.query.to ?? null));
  },
});

const report = z.object({ status: z.string(), checks: z.array(z.unknown()) });

export function findStack({
  params: { stack },
  ports,
  guard,
}: Pick<Asked<{ stack: string }, unknown, unknown>, "params" | "ports" | "guard">): StackEntry {
  const found = Object.hasOwn(ports.stacks, stack) ? ports.stacks[stack] : undefined;
  if (!guard.can("look", { stack }) || found === undefined) throw NotFound({ what: `stack ${stack}` });
  return found;
}
