/**
 * What can be found in a stack: health checks, what the catalogue tells, the checklist of a deployment, what `ipai init` sees. Declared beside
 * the code that judges it, and collected in `findings`, from which `docs/findings.md` is generated. A finding itself says what was met and what to
 * do about that; a declaration says what is asked, and when the answer is not well.
 */

/** Clauses, as `docs/findings.md` has them; each begins with a small letter and ends without a stop. */
export interface FindingSpec {
  /** As it stands before an answer. */
  readonly title: string;
  /** What is asked; and of which stacks, where not of all. */
  readonly asks: string;
  /** Absent: it never warns. */
  readonly warns?: string;
  /** Absent: it never fails. */
  readonly fails?: string;
  /** The first thing to do. A whole sentence. */
  readonly first: string;
}

export interface FindingDefinition extends FindingSpec {
  /** Permanent: `IPAI-DB-001`. */
  readonly code: string;
}

const definitions = new Map<string, FindingDefinition>();

/** Every finding declared by the modules loaded so far, by code. */
export const findings: ReadonlyMap<string, FindingDefinition> = definitions;

/** Declares a finding, and gives what each answer of it begins with. A code is permanent: never reuse one, never rename one. */
export function defineFinding(code: string, spec: FindingSpec): Pick<FindingDefinition, "code" | "title"> {
  if (!/^IPAI-[A-Z]+-\d{3}$/.test(code)) throw new TypeError(`Malformed code of a finding ${code}`);
  if (definitions.has(code)) throw new TypeError(`The finding ${code} is declared twice`);
  definitions.set(code, { code, ...spec });
  return { code, title: spec.title };
}
