import { Forbidden, noteForbidden, UnknownPerson } from "../access/forbidden.ts";
import { principalOf } from "../access/identify.ts";
import { rightToConsent } from "../access/principal.ts";
import { approveRun } from "../engine/consent.ts";
import type { Run } from "../engine/journal.ts";
import type { IpaiError } from "../errors/error.ts";
import type { App } from "./app.ts";

/**
 * Consent from a shell. Who has one may do everything; but where two people are needed, both must be people that are known, and
 * have the right themselves.
 */
export async function consentTo(app: App, run: Run): Promise<void> {
  const { control, principal } = app;
  const right = run.consents === 1 ? {} : await findRight(app, run);
  if (!("code" in right)) return approveRun(control, run, principal.handle, right);
  await noteForbidden(control, principal, app.subjectOf(run), right.code, run.id, new Date());
  throw right;
}

async function findRight(app: App, run: Run): Promise<{ readonly onBehalfOf?: string } | IpaiError> {
  const { person, handle, via } = app.principal;
  if (person === undefined) return UnknownPerson({ name: handle });
  const own = await principalOf(app.control, person, via, new Date());
  const right = own === undefined ? undefined : rightToConsent(own, app.subjectOf(run));
  return right ?? Forbidden({ who: handle, right: "consent", what: `run ${run.id}` });
}
