import type { Act, Step } from "../../runbook/plan.ts";
import { runId } from "../../runbook/value.ts";
import type { Maintenance, Words } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Running } from "../running.ts";
import { change, require, servingPublic, whileClosed } from "../steps.ts";

/** Users are kept out with a page while something is done: on success, undo and cancel alike it ends. */

export interface Closing extends Running {
  /** Why, for users: plain words. */
  readonly reason: string;
}

/** Without a proxy that runs there is nobody to keep out; without a maintenance mode the proxy is stopped. */
export function whileInMaintenance(stack: Stack, closing: Closing, body: readonly Step[]): readonly Step[] {
  const { maintenance } = stack;
  const { proxy, mode, reason } = closing;
  if (maintenance === undefined || proxy === undefined || mode === undefined) return whileClosed(stack, closing, body);
  // Whoever switched it on ends it.
  if (mode === "on") return [stillClosed(maintenance), ...body];
  const words = { reason, until: undefined };
  return [
    {
      kind: "bracket",
      id: "closed",
      title: "Users are kept out, and told so",
      open: [
        ...putWords(maintenance, words),
        change(
          {
            id: "maintenance on",
            title: "Switch maintenance on",
            action: maintenance.putFlag({ run: runId, of: "run", until: "" }),
          },
          { verify: maintenance.isClosed, timeoutSeconds: 60 },
        ),
      ],
      body,
      close: [liftFlag(maintenance), ...servingPublic(stack, closing)],
    },
  ];
}

function stillClosed({ isClosed }: Maintenance): Act {
  return require({ id: "closed", title: "Users are kept out already, and stay so", probe: isClosed[0] }, {
    verify: isClosed,
  });
}

/** What is to be there before the flag is. */
export function putWords(maintenance: Maintenance, words: Words): readonly [Act, ...Act[]] {
  const there = (name: string) => ({ verify: [maintenance.isThere(name)] });
  return [
    change({ id: "maintenance folder", title: "Make its folder", action: maintenance.makeDirectory() }, there("")),
    change({ id: "page", title: "Write what users are told", action: maintenance.putPage(words) }, there("/page.html")),
    change(
      { id: "answer", title: "Write what programs are told", action: maintenance.putAnswer(words) },
      there("/answer.json"),
    ),
  ];
}

export function liftFlag(maintenance: Maintenance): Act {
  return change(
    { id: "maintenance off", title: "Switch maintenance off", action: maintenance.lift() },
    { verify: [maintenance.isOff], attempts: 3, timeoutSeconds: 60 },
  );
}
