import type { Output, Probe } from "../runbook/action.ts";
import type { Act, Bracket, Pivot, Sequence, Step, Wait } from "../runbook/plan.ts";
import type { Beside } from "../stack/beside.ts";
import type { Address } from "../stack/odoo/odoo.ts";
import type { Service, Stoppable } from "../stack/runtime/runtime.ts";
import type { Stack } from "../stack/stack.ts";
import type { Running } from "./running.ts";

/** Steps that several procedures share, and short ways to write the common ones. */

type Required = Pick<Act, "id" | "title" | "action">;
type ActOptions = Partial<Omit<Act, "kind" | "id" | "title" | "action">>;

/** A question whose answer later steps need. May be asked again at any time. */
export function read(act: Required & { outputs: Readonly<Record<string, Output>> }, options: ActOptions = {}): Act {
  return {
    kind: "act",
    effect: "read",
    verify: [],
    undo: "nothing",
    onFail: "undo",
    onInterrupt: "again",
    timeoutSeconds: 120,
    attempts: 1,
    ...act,
    ...options,
  };
}

/** A check that must hold before the plan goes on. */
export function require(act: { id: string; title: string; probe: Probe }, options: ActOptions = {}): Act {
  return read(
    { id: act.id, title: act.title, action: act.probe.action, outputs: {} },
    { verify: [act.probe], ...options },
  );
}

/** Something that changes the world and can simply be repeated when it was interrupted. */
export function change(act: Required, options: ActOptions = {}): Act {
  return {
    kind: "act",
    effect: "change",
    verify: [],
    undo: "nothing",
    onFail: "undo",
    onInterrupt: "again",
    timeoutSeconds: 300,
    attempts: 1,
    ...act,
    ...options,
  };
}

/** A step that takes back another one: tried a few times, since a stack half taken back is the worst place to stop. */
export function takeBack(act: Required, options: ActOptions = {}): Act {
  return change(act, { attempts: 3, ...options });
}

export function waitFor(
  step: { id: string; title: string; probe: Probe; timeoutSeconds: number },
  options: Partial<Wait> = {},
): Wait {
  const { probe, ...rest } = step;
  return { kind: "wait", onTimeout: "undo", until: { probe }, ...rest, ...options };
}

export function startService(id: string, title: string, service: Service): Act {
  return change(
    { id, title, action: service.start },
    { done: service.isRunning, verify: [service.isRunning], attempts: 2, timeoutSeconds: 120 },
  );
}

export function stopService(id: string, title: string, service: Stoppable): Act {
  return change(
    { id, title, action: service.stop },
    { done: service.isStopped, verify: [service.isStopped], timeoutSeconds: service.stopSeconds + 30 },
  );
}

/** Odoo shows its login form: ready means that, not that a process exists. */
export function serving(stack: Stack, service: string, address: Address, code = "odoo.not_serving"): Wait {
  return waitFor({
    id: `serve ${service}`,
    title: `Wait until ${service} serves its login page`,
    probe: { ...stack.odoo.isReady(service, address), code },
    timeoutSeconds: stack.config.odoo.startSeconds,
  });
}

/** Keeps Odoo stopped, its schedulers with it, while the body runs, whatever happens in it; afterwards each service serves again. */
export function whileOdooStopped(stack: Stack, services: readonly string[], body: readonly Step[]): readonly Step[] {
  return whileStopped(stack, "stopped", "Odoo and its schedulers are stopped", services, body, [
    servingTogether(stack, services),
    ...lookUp(stack),
  ]);
}

/** Several that were started one after the other are waited for at the same time. */
function servingTogether(stack: Stack, names: readonly string[]): Wait {
  const services = stack.config.services.odoo.filter(({ name }) => names.includes(name));
  const all = names.join(", ");
  return waitFor({
    id: `serve ${all}`,
    title: `Wait until ${all} ${names.length === 1 ? "serves its" : "serve their"} login page`,
    probe: { ...stack.odoo.areReady(services), code: "odoo.not_serving" },
    timeoutSeconds: stack.config.odoo.startSeconds,
  });
}

/** Services may have come back with other addresses. Whether users are served is asked when they are let in. */
export function lookUp(stack: Stack): readonly Act[] {
  if (stack.lookUp === undefined) return [];
  const { action, isDone } = stack.lookUp;
  return [
    change(
      { id: "addresses", title: "nginx looks up where services are", action },
      { verify: [isDone], timeoutSeconds: 60, onFail: "continue" },
    ),
  ];
}

/** Keeps a container beside the services while the body works in it, and removes it whatever happens. `what`: of what it is. */
export function whileBeside(beside: Beside, what: string, body: readonly Step[]): Bracket {
  return {
    kind: "bracket",
    id: "beside",
    title: `A container ${what}, beside the services`,
    open: [
      change(
        { id: "start beside", title: `Start a container ${what}`, action: beside.start },
        { verify: [beside.isStarted], attempts: 2 },
      ),
    ],
    body,
    close: [
      takeBack(
        { id: "remove beside", title: "Remove that container", action: beside.remove },
        { verify: [beside.isRemoved] },
      ),
    ],
  };
}

/**
 * The last of what is done while users are kept out: from the moment in which they may be let in they write, and whatever fails then is a
 * question to a person, also that the public address does not serve, and a cancel.
 */
export const pivot: Pivot = {
  kind: "pivot",
  id: "open",
  title: "Users are let in: from here on their work would be lost by taking this back",
};

/** Keeps users out by stopping the proxy; afterwards the public address serves again, if an Odoo is there to be served. */
export function whileClosed(stack: Stack, running: Running, body: readonly Step[]): readonly Step[] {
  const names = running.proxy === undefined ? [] : [running.proxy];
  return whileStopped(stack, "closed", "Users are kept out", names, body, servingPublic(stack, running));
}

/** Users have the login form again, if there is an Odoo for them, and nobody keeps them out on purpose. */
export function servingPublic(stack: Stack, { odoo, mode }: Running): readonly Wait[] {
  return odoo.length === 0 || mode === "on" ? [] : [serving(stack, "the public address", stack.odoo.publicAddress)];
}

/** Starting it is not waiting for it: whoever goes back to what did not work before waits for nothing. */
export function whileAutomationStopped(stack: Stack, body: readonly Step[]): readonly Step[] {
  const { name } = stack.automation ?? {};
  return whileStopped(stack, "stopped", "n8n is stopped", name === undefined ? [] : [name], body, []);
}

/** With no service to stop, the body stands alone. */
function whileStopped(
  stack: Stack,
  id: string,
  title: string,
  services: readonly string[],
  body: readonly Step[],
  serve: Sequence,
): readonly Step[] {
  const start = (name: string) => startService(`start ${name}`, `Start ${name}`, stack.runtime.service(name));
  const [first, ...others] = services;
  const all = services.join(", ");
  if (first === undefined) return body;
  return [
    {
      kind: "bracket",
      id,
      title,
      open: [stopService(`stop ${all}`, `Stop ${all}`, stack.runtime.together(services))],
      body,
      close: [start(first), ...others.map(start), ...serve],
    },
  ];
}
