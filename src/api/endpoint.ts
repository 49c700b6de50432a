import type { z } from "zod";
import { Forbidden } from "../access/forbidden.ts";
import { can, type Principal } from "../access/principal.ts";
import type { Right, Subject } from "../access/rights.ts";
import { Bug } from "../errors/error.ts";
import type { ApiPorts } from "./ports.ts";
import { NotFound } from "./problem.ts";

/** One thing that can be asked of the API, as data: its contract, and what answers it. */
export interface Endpoint {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/api/runs/{run}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  readonly status: 200 | 201 | 202 | 204;
  /** What else the answer may be, besides JSON. */
  readonly stream?: "text/event-stream" | "application/jsonl" | "application/pdf";
  readonly handle: (asked: AnyAsked) => Promise<unknown>;
}

export interface Asked<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  /** Ends when whoever asked is gone. */
  readonly signal: AbortSignal;
  readonly ports: ApiPorts;
  readonly guard: Guard;
}
export type AnyAsked = Asked<never, never, never>;

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;

interface Definition<P, Q, B> extends Omit<Endpoint, "handle" | "params" | "query" | "body" | "status"> {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly status?: Endpoint["status"];
  readonly handle: (asked: Asked<Output<P>, Output<Q>, Output<B>>) => Promise<unknown>;
}

export function endpoint<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
>(definition: Definition<P, Q, B>): Endpoint {
  return { status: 200, ...definition } as unknown as Endpoint;
}

/** Whoever asks, and what she may. An endpoint that has not asked for a right answers nothing. */
export class Guard {
  readonly principal: Principal;
  #isAsked = false;

  constructor(principal: Principal) {
    this.principal = principal;
  }

  /** Whether she may; for lists, which leave out what she may not see. */
  can(right: Right, subject?: Subject): boolean {
    this.#isAsked = true;
    return can(this.principal, right, subject);
  }

  /** Throws `access.forbidden`, or says that there is nothing where she may not even look. */
  need(right: Right, subject: Subject, what: string): void {
    if (this.can(right, subject)) return;
    if (subject.stack !== undefined && !this.can("look", subject)) throw NotFound({ what });
    throw Forbidden({ who: this.principal.handle, right, what });
  }

  /** For everybody who is known: what is one's own, and lists, which leave out what may not be seen. */
  signedIn(): void {
    this.#isAsked = true;
  }

  check(): void {
    if (!this.#isAsked) throw Bug({ what: "an endpoint that asks for no right" });
  }
}
