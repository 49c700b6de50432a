import { z } from "zod";
import { endAbsence, listAbsences, listCovers, noteAbsence, noteCover } from "../../access/absences.ts";
import { Forbidden } from "../../access/forbidden.ts";
import { giveGrant, listGrants, takeGrant } from "../../access/grants.ts";
import { addPerson, findPerson, invitePerson, leavePerson, listPeople, type Person } from "../../access/people.ts";
import { type Grant, mayGrant } from "../../access/rights.ts";
import { listTurns, onCallAt } from "../../access/rota.ts";
import { createToken, listTokens, revokeToken } from "../../access/tokens.ts";
import { grantSchema, spanSchema } from "../contract.ts";
import { endpoint, type Guard } from "../endpoint.ts";
import type { ApiPorts } from "../ports.ts";
import { BadRequest, NotFound } from "../problem.ts";

/** People: who she is, what she may, her tokens, who is away, and who is on call. */

const handle = z.object({ handle: z.string() });

export const me = endpoint({
  ...{ method: "get", path: "/api/me", tag: "people", summary: "Who asks, and what she may do" },
  answer: z.object({
    handle: z.string(),
    via: z.string(),
    grants: z.array(grantSchema),
    limits: z.array(grantSchema).nullable().describe("What the token may use of them"),
    deputyFor: z.array(z.string()),
  }),
  handle: async ({ guard }) => {
    guard.signedIn();
    const { handle: name, via, grants, limits, deputyFor } = guard.principal;
    return {
      ...{ handle: name, via, grants: grants.map(plainGrant), limits: limits?.map(plainGrant) ?? null },
      deputyFor: deputyFor.map((absent) => absent.handle),
    };
  },
});

const personSchema = z.object({
  handle: z.string(),
  name: z.string(),
  email: z.string(),
  shellNames: z.array(z.string()),
  leftAt: z.string().nullable(),
  grants: z.array(grantSchema.extend({ id: z.int() })),
});

export const people = endpoint({
  ...{ method: "get", path: "/api/people", tag: "people", summary: "Everybody, with what they may do" },
  answer: z.array(personSchema),
  handle: async ({ ports, guard }) => {
    guard.need("people", {}, "people");
    const all = await listPeople(ports.control.db, ports.now());
    const grants = await listGrants(
      ports.control,
      all.map(({ id }) => id),
    );
    return all.map(({ id, handle: name, name: full, email, shellNames, leftAt }) => ({
      ...{ handle: name, name: full, email, shellNames, leftAt: leftAt?.toISOString() ?? null },
      grants: (grants.get(id) ?? []).map((grant) => ({ id: grant.id, ...plainGrant(grant) })),
    }));
  },
});

export const add = endpoint({
  ...{ method: "post", path: "/api/people", tag: "people", status: 201 },
  summary: "Add a person; the link that is answered lets her set a password, once",
  body: z.object({
    handle: z.string(),
    name: z.string().min(1),
    email: z.email(),
    shellNames: z.array(z.string()).default([]),
  }),
  answer: z.object({ handle: z.string(), link: z.string(), expiresAt: z.string() }),
  handle: async ({ body, ports, guard }) => {
    needInPerson(guard);
    await addPerson(ports.control.db, body, changeOf(ports, guard));
    return invitation(ports, guard, body.handle);
  },
});

export const invite = endpoint({
  ...{ method: "post", path: "/api/people/{handle}/invitation", tag: "people", status: 201 },
  summary: "A new link for setting a password; the one before is void",
  params: handle,
  answer: z.object({ handle: z.string(), link: z.string(), expiresAt: z.string() }),
  handle: async ({ params, ports, guard }) => {
    needInPerson(guard);
    return invitation(ports, guard, (await getPerson(ports, params.handle)).handle);
  },
});

export const leave = endpoint({
  ...{ method: "post", path: "/api/people/{handle}/leave", tag: "people", status: 204 },
  summary: "She cannot sign in any more, and her sessions and tokens end",
  params: handle,
  answer: z.void(),
  handle: async ({ params, ports, guard }) => {
    guard.need("people", {}, "people");
    await leavePerson(ports.control.db, params.handle, changeOf(ports, guard));
  },
});

export const give = endpoint({
  ...{ method: "post", path: "/api/people/{handle}/grants", tag: "people", status: 201, summary: "Give a role" },
  params: handle,
  body: grantSchema,
  answer: z.array(grantSchema.extend({ id: z.int() })),
  handle: async ({ params, body, ports, guard }) => {
    const person = await manage(ports, guard, params.handle, body.stacks);
    await giveGrant(ports.control, person, body, guard.principal.handle, ports.now());
    return grantsOf(ports, person);
  },
});

export const take = endpoint({
  ...{ method: "delete", path: "/api/people/{handle}/grants/{grant}", tag: "people", status: 204 },
  summary: "Take a role away",
  params: handle.extend({ grant: z.coerce.number().int() }),
  answer: z.void(),
  handle: async ({ params, ports, guard }) => {
    guard.need("people", {}, "people");
    const person = await getPerson(ports, params.handle);
    const taken = await takeGrant(ports.control, person, params.grant, guard.principal.handle, ports.now());
    if (taken === undefined) throw NotFound({ what: `grant ${params.grant} of ${params.handle}` });
  },
});

const tokenSchema = z.object({
  name: z.string(),
  limits: z.array(grantSchema),
  createdAt: z.string(),
  expiresAt: z.string(),
  usedAt: z.string().nullable(),
});

export const tokens = endpoint({
  ...{ method: "get", path: "/api/tokens", tag: "people", summary: "One's own tokens, without their secrets" },
  answer: z.array(tokenSchema),
  handle: async ({ ports, guard }) => {
    guard.signedIn();
    return (await listTokens(ports.control, personIn(guard).id)).map((token) => ({
      ...{ name: token.name, limits: token.limits, createdAt: token.createdAt.toISOString() },
      ...{ expiresAt: token.expiresAt.toISOString(), usedAt: token.usedAt?.toISOString() ?? null },
    }));
  },
});

const dayMs = 86_400_000;

export const newToken = endpoint({
  ...{ method: "post", path: "/api/tokens", tag: "people", status: 201 },
  summary: "A token that acts in one's name, within limits; it is shown this once",
  body: z.object({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
    limits: z.array(grantSchema).min(1).describe("Of one's own grants, what it may use"),
    days: z.int().min(1).max(365).default(90),
  }),
  answer: z.object({ token: z.string(), expiresAt: z.string() }),
  handle: async ({ body, ports, guard }) => {
    guard.signedIn();
    // A token that could make tokens would never end.
    if (!isInPerson(guard)) throw Forbidden({ who: guard.principal.handle, right: "people", what: "tokens" });
    const expiresAt = new Date(ports.now().getTime() + body.days * dayMs);
    const wanted = { name: body.name, limits: body.limits, expiresAt };
    const token = await createToken(ports.control, personIn(guard), wanted, guard.principal.handle, ports.now());
    return { token, expiresAt: expiresAt.toISOString() };
  },
});

export const dropToken = endpoint({
  ...{ method: "delete", path: "/api/tokens/{name}", tag: "people", status: 204, summary: "End a token" },
  params: z.object({ name: z.string() }),
  answer: z.void(),
  handle: async ({ params, ports, guard }) => {
    guard.signedIn();
    const { handle: actor } = guard.principal;
    if (!(await revokeToken(ports.control, personIn(guard), params.name, actor, ports.now())))
      throw NotFound({ what: `token ${params.name}` });
  },
});

const absenceSchema = spanSchema.extend({ id: z.int(), deputy: z.string().nullable() });

export const absences = endpoint({
  ...{
    method: "get",
    path: "/api/absences",
    tag: "people",
    summary: "Who is away, or will be, and who consents meanwhile",
  },
  answer: z.array(absenceSchema),
  handle: async ({ ports, guard }) => {
    guard.signedIn();
    return (await listAbsences(ports.control, ports.now())).map(({ id, handle: name, from, until, deputy }) => ({
      ...{ id, handle: name, from: from.toISOString(), until: until.toISOString(), deputy },
    }));
  },
});

export const away = endpoint({
  ...{ method: "post", path: "/api/absences", tag: "people", status: 201 },
  summary: "Say that one is away, and who consents meanwhile; for others, with the right to people",
  body: z.object({
    handle: z.string().optional().describe("Whose; one's own when absent"),
    from: z.iso.datetime({ offset: true }),
    until: z.iso.datetime({ offset: true }),
    deputy: z.string().optional(),
  }),
  answer: z.object({ id: z.int() }),
  handle: async ({ body, ports, guard }) => {
    const own = guard.principal.handle;
    const person = await getPerson(ports, body.handle ?? own);
    guard.signedIn();
    if (person.handle !== own || !isInPerson(guard)) guard.need("people", {}, `the absence of ${person.handle}`);
    const deputy = body.deputy === undefined ? undefined : await getPerson(ports, body.deputy);
    const [from, until] = [new Date(body.from), new Date(body.until)];
    if (until <= from || until <= ports.now())
      throw BadRequest({ reason: "the absence ends before it begins, or is past" });
    if (deputy?.id === person.id) throw BadRequest({ reason: "nobody is her own deputy" });
    return { id: await noteAbsence(ports.control, person, { from, until, deputy }, own, ports.now()) };
  },
});

export const back = endpoint({
  ...{
    method: "delete",
    path: "/api/absences/{absence}",
    tag: "people",
    status: 204,
    summary: "She is back, or will not go",
  },
  params: z.object({ absence: z.coerce.number().int() }),
  answer: z.void(),
  handle: async ({ params, ports, guard }) => {
    guard.signedIn();
    const found = (await listAbsences(ports.control, ports.now())).find(({ id }) => id === params.absence);
    if (found === undefined) throw NotFound({ what: `absence ${params.absence}` });
    if (found.handle !== guard.principal.handle || !isInPerson(guard))
      guard.need("people", {}, `the absence of ${found.handle}`);
    await endAbsence(ports.control, found.id, guard.principal.handle, ports.now());
  },
});

export const onCall = endpoint({
  ...{ method: "get", path: "/api/oncall", tag: "people", summary: "Who is on call now, and the next turns" },
  query: z.object({ days: z.coerce.number().int().min(1).max(90).default(28) }),
  answer: z.array(
    z.object({
      rota: z.string(),
      stacks: z.array(z.string()),
      now: z.string().nullable(),
      because: z.enum(["turn", "cover", "absence"]).nullable(),
      turns: z.array(spanSchema.extend({ because: z.enum(["turn", "cover", "absence"]) })),
    }),
  ),
  handle: async ({ query, ports, guard }) => {
    guard.signedIn();
    const now = ports.now();
    const away = await listAbsences(ports.control, now);
    return Promise.all(
      ports.rotas.map(async (rota) => {
        const covers = await listCovers(ports.control, rota.name, now);
        const on = onCallAt(rota, away, covers, now);
        const turns = listTurns(rota, away, covers, now, new Date(now.getTime() + query.days * dayMs));
        return {
          ...{ rota: rota.name, stacks: rota.stacks, now: on?.handle ?? null, because: on?.because ?? null },
          turns: turns.map(({ from, until, ...turn }) => ({
            ...turn,
            from: from.toISOString(),
            until: until.toISOString(),
          })),
        };
      }),
    );
  },
});

export const cover = endpoint({
  ...{ method: "post", path: "/api/oncall/{rota}/covers", tag: "people", status: 204 },
  summary: "Take over, or give to somebody with the right to people, a time on call",
  params: z.object({ rota: z.string() }),
  body: z.object({
    handle: z.string().optional().describe("Who is on call; oneself when absent"),
    from: z.iso.datetime({ offset: true }),
    until: z.iso.datetime({ offset: true }),
  }),
  answer: z.void(),
  handle: async ({ params, body, ports, guard }) => {
    guard.signedIn();
    const rota = ports.rotas.find(({ name }) => name === params.rota);
    if (rota === undefined) throw NotFound({ what: `rota ${params.rota}` });
    const own = guard.principal.handle;
    const person = await getPerson(ports, body.handle ?? own);
    const isOwn = person.handle === own && isInPerson(guard) && rota.people.includes(own);
    if (!isOwn) guard.need("people", {}, `rota ${rota.name}`);
    const [from, until] = [new Date(body.from), new Date(body.until)];
    if (until <= from || until <= ports.now()) throw BadRequest({ reason: "it ends before it begins, or is past" });
    await noteCover(ports.control, person, { rota: rota.name, from, until }, own, ports.now());
  },
});

function plainGrant({ role, stacks, procedures }: Grant) {
  return { role, stacks: [...stacks], procedures: [...procedures] };
}

/** A link to set a password outlives any token, so no token gets one. */
function needInPerson(guard: Guard): void {
  guard.need("people", {}, "people");
  if (!isInPerson(guard)) throw Forbidden({ who: guard.principal.handle, right: "people", what: "people, by a token" });
}

/** By her own session, not by a token that acts for her. */
function isInPerson({ principal }: Guard): boolean {
  return principal.limits === undefined;
}

function personIn({ principal }: Guard): { readonly id: string; readonly handle: string } {
  return { id: principal.person ?? "", handle: principal.handle };
}

function changeOf(ports: ApiPorts, { principal }: Guard) {
  return { actor: principal.handle, now: ports.now() };
}

async function getPerson(ports: Pick<ApiPorts, "control">, name: string): Promise<Person> {
  const found = await findPerson(ports.control.db, name);
  if (found === undefined || found.leftAt !== null) throw NotFound({ what: `person ${name}` });
  return found;
}

/** Whoever gives a role has as much, on those stacks. */
async function manage(ports: ApiPorts, guard: Guard, name: string, stacks: readonly string[]): Promise<Person> {
  guard.signedIn();
  const { grants, limits, handle: who } = guard.principal;
  const isEnough = mayGrant(grants, { stacks }) && (limits === undefined || mayGrant(limits, { stacks }));
  if (!isEnough) throw Forbidden({ who, right: "people", what: `roles of ${name}` });
  return getPerson(ports, name);
}

async function grantsOf(ports: ApiPorts, { id }: Person) {
  const grants = await listGrants(ports.control, [id]);
  return (grants.get(id) ?? []).map((grant) => ({ id: grant.id, ...plainGrant(grant) }));
}

async function invitation(ports: ApiPorts, guard: Guard, name: string) {
  const change = { ...changeOf(ports, guard), afresh: false };
  const { token, expiresAt } = await invitePerson(ports.control.db, name, change);
  return { handle: name, link: `${ports.url}/set-up#${token}`, expiresAt: expiresAt.toISOString() };
}
