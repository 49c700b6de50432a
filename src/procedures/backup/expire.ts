import { z } from "zod";
import type { Plan, ProcedureStep, Step } from "../../runbook/plan.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader, Procedure } from "../procedure.ts";
import { listExpired, type Resource, type ResourceKind } from "../resources.ts";
import { change } from "../steps.ts";

const input = z.object({});
type ExpireInput = z.infer<typeof input>;

interface ExpireFacts {
  readonly expired: readonly Pick<Resource, "id" | "kind" | "title" | "by" | "expires" | "close">[];
}

export const expireResources: Procedure<ExpireInput, ExpireFacts> = {
  name: "resources expire",
  chapter: "backup",
  version: 1,
  risk: "destroy",
  title: "Closing of what expired",
  summary:
    "Closes opened pasts, copies, kept databases and maintenances whose time is over, each by the procedure that it names. " +
    "One that cannot be closed comes last the next time, so that it keeps no other from being closed.",
  input,
  facts: readExpired,
  plan: planExpire,
};

async function readExpired({ records, stack }: FactReader): Promise<ExpireFacts> {
  const expired = (await listExpired(records, stack.name)).toSorted((a, b) => a.attempts - b.attempts);
  return {
    expired: expired.map(({ id, kind, title, by, expires, close }) => ({ id, kind, title, by, expires, close })),
  };
}

function planExpire(stack: Stack, _: ExpireInput, { expired }: ExpireFacts): Plan {
  return {
    procedure: expireResources.name,
    version: expireResources.version,
    stack: stack.name,
    title: expired.length === 0 ? "Close nothing: nothing expired" : `Close ${expired.map(({ id }) => id).join(", ")}`,
    input: {},
    facts: { expired: expired.map(({ id, expires }) => ({ id, expires })) },
    lease: leaseOf(expired),
    notes: expired.map(({ id, title, by, expires }) => `${id}: ${title}, opened by ${by}, expired ${expires}`),
    steps: expired.flatMap((one) => closeOne(stack, one)),
  };
}

type Expired = ExpireFacts["expired"];

/** A past and a maintenance stand beside the stack, and can be had again; the others lie in its own server and filestore. */
const isBeside = (kind: ResourceKind) => kind === "past" || kind === "maintenance";

function leaseOf(expired: Expired): Plan["lease"] {
  if (expired.length === 0) return "none";
  return expired.every(({ kind }) => isBeside(kind)) ? "shared" : "exclusive";
}

/** Of what was set aside or worked in there is no second one. */
function mandateOf(kind: ResourceKind): ProcedureStep["mandate"] {
  return isBeside(kind) ? { risk: "change", undoClass: "instant" } : { risk: "destroy", undoClass: "irreversible" };
}

function closeOne(stack: Stack, { id, kind, title, close }: Expired[number]): readonly Step[] {
  const input = { stack: stack.name, id };
  return [
    change(
      {
        id: `count ${id}`,
        title: `Note that closing ${id} is tried`,
        action: { kind: "call", name: "resource.attempt", version: 1, input },
      },
      { timeoutSeconds: 60 },
    ),
    {
      kind: "procedure",
      id: `close ${id}`,
      title: `Close ${id}: ${title}`,
      name: close.procedure,
      input: close.input,
      mandate: mandateOf(kind),
    },
  ];
}
