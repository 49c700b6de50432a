import type { Act, Sequence } from "../../runbook/plan.ts";
import type { SourceImage } from "../../stack/images.ts";
import type { Stack } from "../../stack/stack.ts";
import type { Running } from "../running.ts";
import { change, lookUp, require, serving, startService, stopService } from "../steps.ts";
import { again, discard, renewTools } from "./image.ts";

/**
 * One service after the other gets its process anew, while the others answer: nginx is told to send it nothing, and sends to it again
 * when it shows its login page. One that does not come up stays out until the old code is there again. With one service alone, or no
 * upstreams to write to, users wait for as long as it starts.
 */
export function restartEach(stack: Stack, running: Running, images: readonly SourceImage[]): Sequence {
  const each = (name: string) => restart(stack, name, images);
  if (!isDrained(stack, running)) return [...running.odoo.flatMap(each), ...lookUp(stack)];
  return running.odoo.flatMap((name) => [drain(stack, name), ...each(name), admit(stack, name)]);
}

/** Asked before anything is changed: on the way back services are taken out as well. */
export function canDrain(stack: Stack, running: Running): readonly Act[] {
  const seen = stack.upstreams?.isSeen;
  if (seen === undefined || !isDrained(stack, running)) return [];
  return [require({ id: "upstreams", title: "nginx has the file of its upstreams", probe: seen })];
}

/** The same for the way back, when code and images are again as they were. */
export function restartAgain(stack: Stack, running: Running, images: readonly SourceImage[]): Sequence {
  return again([...renewTools(stack, images), ...restartEach(stack, running, images)]);
}

/** Somebody else must answer meanwhile. */
export function isDrained({ upstreams }: Stack, { odoo, proxy }: Running): boolean {
  return upstreams !== undefined && proxy !== undefined && odoo.length > 1;
}

function restart(stack: Stack, name: string, images: readonly SourceImage[]): Sequence {
  const service = stack.config.services.odoo.find((one) => one.name === name);
  if (service === undefined) throw new TypeError(`${name} is no Odoo service of ${stack.name}`);
  const process = stack.runtime.service(name);
  return [
    stopService(`stop ${name}`, `Stop ${name}`, process),
    ...discard(stack, name, images),
    startService(`start ${name}`, `Start ${name}`, process),
    serving(stack, name, stack.odoo.addressOf(service)),
    ...websocketOf(service).map((url) => serving(stack, `${name} (websockets)`, stack.odoo.addressOf({ url }))),
  ];
}

function websocketOf({ websocket }: Stack["config"]["services"]["odoo"][number]): readonly string[] {
  return websocket === undefined ? [] : [websocket];
}

/** Odoo's process for websockets loads code with the first request that it gets: one that had none would take it from the release. */
export function websocketsLoaded(stack: Stack, running: Running): readonly Act[] {
  const services = stack.config.services.odoo.filter(({ name }) => running.odoo.includes(name));
  return services.flatMap((service) =>
    websocketOf(service).map((url) =>
      require({
        id: `websockets ${service.name}`,
        title: `The process for websockets of ${service.name} has its code`,
        probe: { ...stack.odoo.isReady(service.name, stack.odoo.addressOf({ url })), code: "odoo.not_serving" },
      }, { attempts: 3 }),
    ),
  );
}

function drain({ upstreams }: Stack, name: string): Act {
  if (upstreams === undefined) throw new TypeError("nothing can be drained");
  return change(
    { id: `drain ${name}`, title: `nginx sends nothing to ${name}`, action: upstreams.drain(name) },
    { verify: [upstreams.isDrained(name)], timeoutSeconds: 60 },
  );
}

function admit({ upstreams }: Stack, name: string): Act {
  if (upstreams === undefined) throw new TypeError("nothing can be drained");
  return change(
    { id: `admit ${name}`, title: `nginx sends requests to ${name}`, action: upstreams.admit(name) },
    { verify: [upstreams.isAdmitted(name)], timeoutSeconds: 60, attempts: 3 },
  );
}
