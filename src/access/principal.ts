import { type Grant, may, type Right, type Subject } from "./rights.ts";

/** Whoever acts: a person, by the way on which she came, with what she may do. Pure. */
export interface Principal {
  /** Under which she appears everywhere as the actor; of a shell that belongs to no known person, its log-in name. */
  readonly handle: string;
  /** The person's id; absent for a shell that belongs to no known person. */
  readonly person: string | undefined;
  /** `shell`, `session`, `token NAME`. */
  readonly via: string;
  readonly grants: readonly Grant[];
  /** What a token may use of them; absent when nothing is withheld. */
  readonly limits?: readonly Grant[];
  /** Those who are away and whose place she takes when a plan needs consent. */
  readonly deputyFor: readonly Absent[];
}

export interface Absent {
  readonly handle: string;
  readonly grants: readonly Grant[];
}

export function can({ grants, limits }: Principal, right: Right, subject: Subject = {}): boolean {
  return may(grants, right, subject) && (limits === undefined || may(limits, right, subject));
}

/** By what right somebody may consent to a plan: her own, or that of somebody who is away. Undefined: by none. */
export function rightToConsent(principal: Principal, subject: Subject): { readonly onBehalfOf?: string } | undefined {
  if (can(principal, "consent", subject)) return {};
  const { limits, deputyFor } = principal;
  if (limits !== undefined && !may(limits, "consent", subject)) return undefined;
  const absent = deputyFor.find(({ grants }) => may(grants, "consent", subject));
  return absent === undefined ? undefined : { onBehalfOf: absent.handle };
}
