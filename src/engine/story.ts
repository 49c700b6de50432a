import type { Route } from "./route.ts";

/** How what happens is told of, and to whom. */

export interface NewsSettings {
  readonly routes: readonly Route[];
  /** Undefined for what nobody is told of, such as the practice stack's own. */
  readonly storyOf: (procedure: string) => Story | undefined;
  /** An instant as the people of a stack read it. */
  readonly instantOf: (stack: string, at: Date) => string;
}

/** How a procedure is told of. */
export interface Story {
  readonly chapter: string;
  readonly title: string;
  /** How long before it begins it is announced, when it has been planned for a time; seconds. */
  readonly announceSeconds?: readonly number[] | undefined;
  /** Said when it succeeded: `Backup proven`. The run's own title when absent. */
  readonly done?: { readonly title: string; readonly line?: string } | undefined;
}
