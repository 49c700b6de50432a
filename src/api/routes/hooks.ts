import { noteForbidden } from "../../access/forbidden.ts";
import { giveConsent } from "../../engine/consent.ts";
import { getRun } from "../../engine/journal.ts";
import { beginOnce, findBegun } from "../../engine/requests.ts";
import { deliveryOf, knowsSecret } from "../hook.ts";
import type { ApiPorts } from "../ports.ts";
import { BadRequest, NotSignedIn } from "../problem.ts";

/** Somebody outside knocks. Of what he sends nothing goes into a plan: the configuration says what is done. */
export async function openHook(ports: ApiPorts, name: string, request: Request): Promise<Response> {
  const { control } = ports;
  const hook = Object.hasOwn(ports.hooks, name) ? ports.hooks[name] : undefined;
  const body = await request.text();
  const now = ports.now();
  if (hook === undefined || !knowsSecret(hook, request.headers, body, now)) {
    const who = { handle: `hook ${name}`, via: "hook" };
    if (hook !== undefined && ports.mayNote())
      await noteForbidden(control, who, { stack: hook.stack }, "it does not know the secret", name, now);
    // The same for one that there is not: names are not to be tried out.
    throw NotSignedIn({ reason: "the secret of the hook is not the right one" });
  }
  const actor = `hook ${name}`;
  const key = deliveryOf(request.headers);
  if (key !== undefined && key.length > 200) throw BadRequest({ reason: "its idempotency key is too long" });
  const { stack, procedure, input } = hook;
  const asked = key === undefined ? undefined : { actor, key, content: { stack, procedure } };
  const before = asked === undefined ? undefined : await findBegun(control, asked);
  if (before !== undefined) return answer(ports, before);
  const plan = await ports.plan(procedure, stack, input);
  const begin = async (tables: Parameters<typeof giveConsent>[0]) => {
    const run = await ports.record(tables, plan, actor);
    await giveConsent(tables, run, actor, { via: "hook" });
    return run;
  };
  // One at a time: a sender that is in a hurry does not pile up runs.
  return answer(ports, await beginOnce(control, { request: asked, aloneOn: { stack, actor }, begin }, now));
}

async function answer(ports: ApiPorts, id: string): Promise<Response> {
  const run = await getRun(ports.control, id);
  // Also when a second person is needed: then it waits for her.
  if (run.status !== "ended") ports.carryOut(id);
  return Response.json({ run: id, outcome: run.outcome ?? run.status }, { status: 202 });
}
