import { parseConfig } from "../../src/config/load.ts";
import type { StackConfig } from "../../src/config/schema.ts";
import type { Secret } from "../../src/config/secret.ts";
import { LocalExecutor } from "../../src/host/local.ts";
import { createPerformer } from "../../src/host/perform.ts";
import { sandboxConfig } from "../../src/procedures/sandbox/definition.ts";
import type { Action } from "../../src/runbook/action.ts";

/** Single actions on this machine, without a plan around them. */

export interface Given {
  readonly run?: string;
  readonly secrets?: Readonly<Record<string, Secret>>;
  readonly timeoutMs?: number;
}

export function perform(action: Action, { run = "one", secrets = {}, timeoutMs = 60_000 }: Given = {}) {
  const executor = new LocalExecutor();
  const performer = createPerformer({ executors: () => executor, calls: { get: () => undefined } });
  const scope = {
    run: { id: run, startedAt: "" },
    output: () => undefined,
    secret: (name: string): Secret => {
      const found = secrets[name];
      if (found === undefined) throw new TypeError(name);
      return found;
    },
  };
  return performer.perform(action, scope, { signal: new AbortController().signal, timeoutMs });
}

/** The definition of a practice stack that is not there. */
export function practiceStack(folder: string): StackConfig {
  const settings = { folder, basePort: 10_000, odoo: { command: ["odoo"], addons: [], environment: {} } };
  const { sandbox } = parseConfig(sandboxConfig(settings), "ipai.yaml", {}).stacks;
  if (sandbox === undefined) throw new TypeError("the practice stack has no definition");
  return sandbox;
}
