import { defineError, type IpaiError, toIpaiError } from "../errors/error.ts";

/** Errors as RFC 9457 has them. The program's own code, message and hint are in it, so that a client shows what a terminal shows. */
export interface Problem {
  readonly type: string;
  readonly status: number;
  /** What happened, and what was not changed. */
  readonly title: string;
  /** The next action. */
  readonly detail: string;
  readonly code: string;
  readonly retryable: boolean;
}

export const NotSignedIn = defineError<{ reason: string }>("api.not_signed_in", {
  exitCode: 24,
  message: (d) => `Who asks is not known: ${d.reason}. Nothing was changed.`,
  hint: () => "Sign in, or send a token that is still good: Authorization: Bearer ipai_…",
});

export const BadRequest = defineError<{ reason: string }>("api.bad_request", {
  exitCode: 14,
  message: (d) => `The request is not understood: ${d.reason}. Nothing was changed.`,
  hint: () => "/api/openapi.json says what every request may have.",
});

export const NotFound = defineError<{ what: string }>("api.not_found", {
  exitCode: 14,
  message: (d) => `There is no ${d.what}, or it is not for you to see.`,
  hint: () => "/api/openapi.json lists every address; GET /api/me says what you may see.",
});

export const SecondFactorDue = defineError<Record<never, never>>("api.second_factor_due", {
  exitCode: 24,
  message: () => "A second factor is due that has not been shown. Nothing was changed.",
  hint: () => "Sign in with a passkey, or set up an authenticator app: /second-factor",
});

export const PlanIsOther = defineError<{ given: string; plan: string }>("api.plan_is_other", {
  exitCode: 22,
  message: (d) =>
    `The plan that was read is ${d.given.slice(0, 12)}, and now it would be ${d.plan.slice(0, 12)}. Nothing was recorded.`,
  hint: () => "Read the plan as it is now: POST /api/plans.",
});

export const ForeignOrigin = defineError<{ origin: string }>("api.foreign_origin", {
  exitCode: 24,
  message: (d) => `A page of ${d.origin} may not do this in a person's name. Nothing was changed.`,
  hint: () => "Open ipai at the address that is configured as serve.url.",
});

const statuses: Readonly<Record<string, number>> = {
  [NotSignedIn.code]: 401,
  [SecondFactorDue.code]: 401,
  [NotFound.code]: 404,
  "run.request_key_reused": 422,
  [ForeignOrigin.code]: 403,
  "access.forbidden": 403,
  "access.unknown_person": 403,
  "run.not_found": 404,
  "schedule.unknown": 404,
  "config.unknown_stack": 404,
  "finance.not_configured": 404,
  "finance.odoo_away": 503,
  "internal.bug": 500,
};

/** By code, or by the family that its exit code stands for: 10s the request, 20s refused as things stand, 30s and 60s something is away. */
function statusOf({ code, exitCode }: IpaiError): number {
  const known = statuses[code];
  if (known !== undefined) return known;
  if (exitCode < 20) return 400;
  if (exitCode < 30) return 409;
  if (exitCode < 40 || exitCode >= 60) return 503;
  return 409;
}

export function toProblem(thrown: unknown): Problem {
  const error = toIpaiError(thrown);
  const status = statusOf(error);
  // What went wrong inside is for the log, not for whoever asks.
  const isInner = status === 500;
  return {
    type: `urn:ipai:error:${error.code}`,
    status,
    title: isInner ? "Something went wrong inside of ipai." : error.message,
    detail: isInner ? "The log of the server has it; please report it." : error.hint,
    code: error.code,
    retryable: error.retryable,
  };
}

export function problemResponse(problem: Problem): Response {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
