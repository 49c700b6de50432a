import type { Act, Sequence, Step } from "../../../runbook/plan.ts";

/** The program of another series, and how it comes into its place: by a link, or by the image that a project's variables name. */
export interface Program {
  /** It is still as it was when the plan was made. */
  readonly unmoved: Sequence;
  /** While the body runs its Odoo can be worked with, beside the one that serves. */
  beside(body: readonly Step[]): readonly Step[];
  /** From here on services start with it. */
  exchange(code: NewCode): Sequence;
  /** Those that were started have it. */
  served(services: readonly string[]): Sequence;
}

/** What comes into its place with the program. */
export interface NewCode {
  readonly bring: readonly Act[];
  /** What must be found then; undefined where nothing is known of it. */
  readonly seen: Act | undefined;
}
