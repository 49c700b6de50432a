import type { Plan, UndoClass } from "../runbook/plan.ts";

/** Who may do what: roles as a table, granted on stacks and procedures. Pure. */

export const roles = ["viewer", "operator", "approver", "finance", "admin"] as const;
export type Role = (typeof roles)[number];

/**
 * What a person may want to do. `look`: read everything that is kept of a stack. `start`: have a procedure planned and carried out.
 * `consent`: to a plan that somebody else has started. `steer`: cancel, resume, decide, signal. `schedule`: pause, let go on, run
 * once. `people`: people, their grants and tokens, channels.
 */
export type Right = "look" | "start" | "consent" | "steer" | "schedule" | "people";

export interface Grant {
  readonly role: Role;
  /** On these stacks; on all when there is none. */
  readonly stacks: readonly string[];
  /** For these procedures only, by name; for all that the role has when there is none. */
  readonly procedures: readonly string[];
}

/** What is to be done something to. What belongs to no stack is only for those who have the right on all. */
export interface Subject {
  readonly stack?: string | undefined;
  readonly procedure?: SubjectProcedure | undefined;
}

export interface SubjectProcedure {
  readonly name: string;
  readonly chapter: string;
  /** How its plan would be taken back; absent while there is none. */
  readonly undoClass?: UndoClass;
}

type Reach = (procedure: SubjectProcedure | undefined) => boolean;

const anything: Reach = () => true;
/** Finance is not for who operates, nor operating for finance: a filing is no machine. */
const operations: Reach = (procedure) => procedure?.chapter !== "finance";
const finance: Reach = (procedure) => procedure?.chapter === "finance";
/** What cannot be taken back is for somebody who answers for more than a night. */
const undoable: Reach = (procedure) => operations(procedure) && procedure?.undoClass !== "irreversible";

/** Which role has which right, and for which procedures. Who may start something may consent to it, too. */
const table: Readonly<Record<Role, Readonly<Partial<Record<Right, Reach>>>>> = {
  viewer: { look: anything },
  operator: { look: anything, start: undoable, consent: undoable, steer: operations, schedule: operations },
  approver: { look: anything, consent: operations },
  finance: { look: anything, start: finance, consent: finance, steer: finance, schedule: finance },
  admin: {
    ...{ look: anything, start: anything, consent: anything, steer: anything, schedule: anything, people: anything },
  },
};

export function may(grants: readonly Grant[], right: Right, subject: Subject = {}): boolean {
  return grants.some((grant) => covers(grant, subject) && table[grant.role][right]?.(subject.procedure) === true);
}

function covers({ stacks, procedures }: Grant, { stack, procedure }: Subject): boolean {
  if (stacks.length > 0 && (stack === undefined || !stacks.includes(stack))) return false;
  // A grant for some procedures lets their runs be seen, and nothing else.
  return procedures.length === 0 || (procedure !== undefined && procedures.includes(procedure.name));
}

/** The stacks of which somebody may see anything at all. */
export function stacksOf(grants: readonly Grant[], all: readonly string[]): readonly string[] {
  return all.filter((name) => grants.some(({ stacks }) => stacks.length === 0 || stacks.includes(name)));
}

/** Whether somebody who has these grants may give that one: nobody gives what he does not have. */
export function mayGrant(grants: readonly Grant[], { stacks }: Pick<Grant, "stacks">): boolean {
  if (stacks.length === 0) return may(grants, "people");
  return stacks.every((stack) => may(grants, "people", { stack }));
}

/** How many people a plan needs. What only adds, such as a backup, is no change of a stack; what is overridden is never one person's matter. */
export function peopleFor(
  second: "never" | "irreversible" | "change",
  { lease, override }: Pick<Plan, "lease" | "override">,
  undoClass: UndoClass,
): 1 | 2 {
  if (override !== undefined) return 2;
  if (second === "never") return 1;
  return undoClass === "irreversible" || (second === "change" && lease === "exclusive") ? 2 : 1;
}
