import { z } from "zod";
import { command, type HttpAction, type Probe } from "../../runbook/action.ts";
import type { Act, Plan } from "../../runbook/plan.ts";
import type { Stack } from "../../stack/stack.ts";
import { announcedBefore, type Procedure } from "../procedure.ts";
import { require } from "../steps.ts";
import { sayTick, type Tick, withoutHold } from "./checklist.ts";
import { tickRelease } from "./checklist-facts.ts";
import { awayOf, boundTo, notesOf, roll, titleOf } from "./deploy.ts";
import { NotCodeOnly } from "./errors.ts";
import { type DeployFacts, readDeployFacts } from "./facts.ts";

const check = z.union([
  z.object({ url: z.string().regex(/^https?:\/\//, "must begin with http:// or https://"), has: z.string() }),
  z.object({ command: z.tuple([z.string()], z.string()) }),
]);
const input = z.object({
  to: z.string().nullable().default(null).describe("Branch, tag or commit; the source's branch when absent"),
  verify: check
    .nullable()
    .default(null)
    .describe(
      "How the bug is looked for: an address and a text that its answer must have, or a program that ends with 0",
    ),
});
type HotfixInput = z.infer<typeof input>;

interface HotfixFacts extends DeployFacts {
  readonly ticks: readonly Tick[];
}

export const hotfix: Procedure<HotfixInput, HotfixFacts> = {
  name: "hotfix",
  chapter: "deployment",
  version: 1,
  risk: "change",
  title: "Hot-fix",
  summary:
    "Brings a commit that only changes code: services are restarted one after the other, and no request fails. What would change the " +
    "database is refused. Your own check of the bug decides with the others whether it stays.",
  done: { title: "Hot-fix deployed" },
  announceSeconds: announcedBefore,
  input,
  facts: readHotfixFacts,
  plan: planHotfix,
};

async function readHotfixFacts(...[reader, { to }]: Parameters<typeof hotfix.facts>): Promise<HotfixFacts> {
  const facts = await readDeployFacts(reader, { to, install: [] });
  if (facts.updates.length > 0) throw NotCodeOnly({ reasons: facts.reasons.join("; ") });
  return { ...facts, ticks: withoutHold(await tickRelease(reader, facts)) };
}

function planHotfix(stack: Stack, given: HotfixInput, facts: HotfixFacts): Plan {
  const { verify } = given;
  return {
    procedure: hotfix.name,
    version: hotfix.version,
    stack: stack.name,
    title: titleOf(facts),
    input: { ...given, to: facts.to },
    facts: boundTo(facts),
    lease: "exclusive",
    notes: notesOf(stack, { backup: false }, facts),
    seen: facts.ticks.map(sayTick),
    ...awayOf(stack, facts),
    steps: roll(stack, facts, { besides: verify === null ? [] : [seeFix(stack, verify)] }),
  };
}

function seeFix(stack: Stack, given: z.infer<typeof check>): Act {
  const code = "deploy.fix_not_seen";
  const probe: Probe =
    "url" in given
      ? {
          title: `${given.url} says ${given.has}`,
          action: {
            kind: "http",
            host: stack.host,
            method: "GET",
            url: given.url,
            timeoutSeconds: 60,
            ...trustFor(stack, given.url),
          },
          output: { from: "body" },
          compare: "has",
          with: given.has,
          code,
        }
      : {
          title: "your own check ends with 0",
          action: command(stack.host, given.command, { okExitCodes: everyExitCode }),
          output: { from: "exitCode", as: "number" },
          compare: "eq",
          with: 0,
          code,
        };
  return require({ id: "fix", title: "The bug is gone", probe }, { attempts: 2 });
}

/** The stack's own address may have a certificate that only the configuration vouches for. */
function trustFor({ config: { urls } }: Stack, url: string): Pick<HttpAction, "authority"> {
  const isOwn = new URL(url).origin === new URL(urls.public).origin;
  return isOwn && urls.authority !== undefined ? { authority: urls.authority } : {};
}

/** Whatever it ends with is its answer. */
const everyExitCode = Array.from({ length: 126 }, (_, index) => index);
