/** What people are told. Pure. */

export type Severity = "info" | "warning" | "critical";

export interface Message {
  /** Names what is told: the same thing is never told twice. */
  readonly key: string;
  /** What happened, for a program: `run.started`, `run.succeeded`, `health.changed`. */
  readonly event: string;
  /** The run that it is about, when it is about one. */
  readonly run: string | null;
  readonly stack: string;
  /** Of the runbook: `backup`, `upgrade`, `monitoring`. */
  readonly chapter: string;
  readonly severity: Severity;
  readonly title: string;
  readonly lines: readonly string[];
}
