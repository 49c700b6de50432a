import type { Act, Step } from "../../runbook/plan.ts";
import { runId } from "../../runbook/value.ts";
import type { Look, Maintenance, Words } from "../../stack/maintenance.ts";
import { parseLook } from "../../stack/maintenance.ts";
import type { Stack } from "../../stack/stack.ts";
import type { FactReader } from "../procedure.ts";
import { change, require, serving, whileClosed } from "../steps.ts";

/** Users are kept out with a page while something is done: on success, undo and cancel alike it ends. */

/** What is known of a maintenance mode; undefined where none is configured. */
export type Mode = "on" | "off" | undefined;

export async function readMode(reader: FactReader): Promise<Mode> {
  const { maintenance } = reader.stack;
  if (maintenance === undefined) return undefined;
  return (await readFlag(reader, maintenance)).found === undefined ? "off" : "on";
}

export async function readFlag(reader: FactReader, maintenance: Maintenance): Promise<Look> {
  return parseLook(await reader.text(maintenance.look));
}

export interface Closing {
  readonly proxy: string | undefined;
  readonly odoo: readonly string[];
  readonly mode: Mode;
  /** Why, for users: plain words. */
  readonly reason: string;
}

/** Without a proxy that runs there is nobody to keep out; without a maintenance mode the proxy is stopped. */
export function whileInMaintenance(stack: Stack, closing: Closing, body: readonly Step[]): readonly Step[] {
  const { maintenance } = stack;
  const { proxy, odoo, mode, reason } = closing;
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
      close: [
        liftFlag(maintenance),
        ...(odoo.length === 0 ? [] : [serving(stack, "the public address", stack.odoo.publicAddress)]),
      ],
    },
  ];
}

function stillClosed(maintenance: Maintenance): Act {
  const [first, ...others] = maintenance.isClosed;
  if (first === undefined) throw new TypeError("A maintenance mode has no probe");
  return require({ id: "closed", title: "Users are kept out already, and stay so", probe: first }, {
    verify: [first, ...others],
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
