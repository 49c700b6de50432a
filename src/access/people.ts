import { createHash, randomBytes, randomUUID } from "node:crypto";
import { type Kysely, type Selectable, sql } from "kysely";
import { inTransaction, record } from "../engine/audit.ts";
import type { ControlSchema, PeopleTable } from "../engine/schema.ts";
import type { Json } from "../runbook/value.ts";
import { BadName, NameTaken, PersonLeft, PersonNotFound } from "./people-errors.ts";

/**
 * Who there is. People are added, renamed and leave, but are never deleted: whoever reads the audit chain must find them. Every change
 * stands in the chain, in the transaction that makes it; each function joins the transaction that it is called in.
 */

type Connection = Kysely<ControlSchema>;
type Row = Selectable<PeopleTable>;

export interface Person {
  readonly id: string;
  /** Under which she appears everywhere as the actor. */
  readonly handle: string;
  readonly name: string;
  readonly email: string;
  readonly shellNames: readonly string[];
  readonly formerHandles: readonly string[];
  readonly leftAt: Date | null;
}

/** A person, and how she can sign in. */
export interface PersonDetail extends Person {
  readonly hasPassword: boolean;
  readonly providers: readonly string[];
  readonly hasAuthenticatorApp: boolean;
  readonly passkeys: number;
  readonly sessions: number;
  readonly invitedUntil: Date | null;
}

/** Who changes something, and when. */
export interface Change {
  readonly actor: string;
  readonly now: Date;
}

export async function listPeople(db: Connection, now: Date): Promise<readonly PersonDetail[]> {
  const rows = await db
    .selectFrom("people as p")
    .selectAll("p")
    .select((of) => [
      of
        .selectFrom("accounts")
        .select(sql<string[]>`coalesce(array_agg(provider order by provider), '{}')`.as("all"))
        .whereRef("person", "=", "p.id")
        .as("accounts"),
      of
        .selectFrom("passkeys")
        .select(sql<number>`count(*)::integer`.as("all"))
        .whereRef("person", "=", "p.id")
        .as("keys"),
      of
        .selectFrom("sessions")
        .select(sql<number>`count(*)::integer`.as("all"))
        .whereRef("person", "=", "p.id")
        .where("expires_at", ">", now)
        .as("open"),
      of
        .selectFrom("invitations")
        .select("expires_at")
        .whereRef("person", "=", "p.id")
        .where("expires_at", ">", now)
        .as("invited_until"),
    ])
    .orderBy("p.handle")
    .execute();
  return rows.map((row) => ({
    ...toPerson(row),
    hasPassword: row.accounts?.includes(passwordProvider) ?? false,
    providers: (row.accounts ?? []).filter((provider) => provider !== passwordProvider),
    hasAuthenticatorApp: row.two_factor_enabled,
    passkeys: row.keys ?? 0,
    sessions: row.open ?? 0,
    invitedUntil: row.invited_until,
  }));
}

/** What better-auth calls an account that has a password. */
export const passwordProvider = "credential";

export function toPerson(row: Row): Person {
  return {
    id: row.id,
    handle: row.handle,
    name: row.name,
    email: row.email,
    shellNames: row.shell_names,
    formerHandles: row.former_handles,
    leftAt: row.left_at,
  };
}

export async function findPerson(db: Connection, handle: string): Promise<Person | undefined> {
  const row = await db.selectFrom("people").selectAll().where("handle", "=", handle).executeTakeFirst();
  return row === undefined ? undefined : toPerson(row);
}

/** The person whom the audit chain, or a machine, knows under that name: a handle, one that she had, a shell name. */
export async function findByActor(db: Connection, name: string): Promise<Person | undefined> {
  const row = await db
    .selectFrom("people")
    .selectAll()
    .where(sql<boolean>`handle = ${name} or ${name} = any(former_handles) or ${name} = any(shell_names)`)
    .executeTakeFirst();
  return row === undefined ? undefined : toPerson(row);
}

/** One who works here: who left can be found, but not changed. */
async function getPresent(tx: Connection, handle: string): Promise<Person> {
  const person = await findPerson(tx, handle);
  if (person === undefined) throw PersonNotFound({ handle });
  if (person.leftAt !== null) throw PersonLeft({ handle, since: person.leftAt.toISOString().slice(0, 10) });
  return person;
}

export interface NewPerson {
  readonly handle: string;
  readonly name: string;
  readonly email: string;
  readonly shellNames?: readonly string[];
}

export async function addPerson(db: Connection, given: NewPerson, change: Change): Promise<Person> {
  const { handle, name, shellNames = [] } = given;
  const email = given.email.toLowerCase();
  requireWellFormed(given);
  return await changing(db, async (tx) => {
    await requireFree(tx, [handle, ...shellNames], undefined);
    await requireFreeAddress(tx, email);
    const row = await tx
      .insertInto("people")
      .values({
        id: randomUUID(),
        ...{ handle, name, email, image: null, shell_names: [...shellNames] },
        ...{ created_at: change.now, updated_at: change.now },
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await tell(tx, change, "added", handle, { name, shellNames: [...shellNames] });
    return toPerson(row);
  });
}

export interface Invitation {
  readonly token: string;
  readonly expiresAt: Date;
}

const invitationHours = 24;

/**
 * A link with which she sets her password, once. The one before is void. `afresh`: what she has lost is taken away too, the authenticator
 * app, passkeys, and the ties to OIDC providers; and every session ends, since whoever has found them may be in one.
 */
export function invitePerson(
  db: Connection,
  handle: string,
  change: Change & { readonly afresh: boolean },
): Promise<Invitation> {
  const { actor, now, afresh } = change;
  const token = randomBytes(32).toString("base64url");
  const expiresAt = new Date(now.getTime() + invitationHours * 3_600_000);
  return changing(db, async (tx) => {
    const { id } = await getPresent(tx, handle);
    const invitation = {
      ...{ token_hash: hashOfToken(token), invited_by: actor, created_at: now, expires_at: expiresAt },
    };
    await tx
      .insertInto("invitations")
      .values({ person: id, ...invitation })
      .onConflict((existing) => existing.column("person").doUpdateSet(invitation))
      .execute();
    const removed = afresh ? await takeFactorsAway(tx, id, now) : undefined;
    await tell(tx, change, "invited", handle, { until: expiresAt.toISOString() });
    if (removed !== undefined && Object.values(removed).some((count) => count !== 0))
      await tell(tx, change, "factor_removed", handle, removed);
    return { token, expiresAt };
  });
}

/** The token is long and random, so a plain hash of it tells nothing. */
export function hashOfToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

async function takeFactorsAway(tx: Connection, id: string, now: Date): Promise<Readonly<Record<string, Json>>> {
  const removals = [
    tx.deleteFrom("second_factors").where("person", "=", id),
    tx.deleteFrom("passkeys").where("person", "=", id),
    tx.deleteFrom("accounts").where("person", "=", id).where("provider", "!=", passwordProvider),
    tx.deleteFrom("sessions").where("person", "=", id),
  ];
  const counts: number[] = [];
  for (const removal of removals) counts.push(Number((await removal.executeTakeFirst()).numDeletedRows));
  await tx.updateTable("people").set({ two_factor_enabled: false, updated_at: now }).where("id", "=", id).execute();
  const [apps = 0, passkeys = 0, providers = 0, sessions = 0] = counts;
  return { apps, passkeys, providers, sessions };
}

/** From now on she cannot sign in, and whatever she is signed in to ends with the next request. */
export function leavePerson(db: Connection, handle: string, change: Change): Promise<void> {
  return changing(db, async (tx) => {
    const { id } = await getPresent(tx, handle);
    await tx.updateTable("people").set({ left_at: change.now, updated_at: change.now }).where("id", "=", id).execute();
    await tx.deleteFrom("invitations").where("person", "=", id).execute();
    const ended = await deleteSessions(tx, id);
    await tell(tx, change, "left", handle, { sessionsEnded: ended });
  });
}

export function endSessions(db: Connection, handle: string, change: Change): Promise<number> {
  return changing(db, async (tx) => {
    const { id } = await getPresent(tx, handle);
    const ended = await deleteSessions(tx, id);
    await tell(tx, change, "sessions_ended", handle, { ended });
    return ended;
  });
}

export interface OpenSession {
  readonly method: string;
  readonly secondFactor: boolean;
  readonly source: string;
  readonly program: string;
  readonly since: Date;
  readonly until: Date;
}

export async function listSessions(db: Connection, handle: string, now: Date): Promise<readonly OpenSession[]> {
  const person = await findPerson(db, handle);
  if (person === undefined) throw PersonNotFound({ handle });
  const rows = await db
    .selectFrom("sessions")
    .select(["method", "second_factor", "ip_address", "user_agent", "created_at", "expires_at"])
    .where("person", "=", person.id)
    .where("expires_at", ">", now)
    .orderBy("created_at", "desc")
    .execute();
  return rows.map((row) => ({
    ...{ method: row.method, secondFactor: row.second_factor, since: row.created_at, until: row.expires_at },
    ...{ source: row.ip_address ?? "", program: row.user_agent ?? "" },
  }));
}

export async function deleteSessions(tx: Connection, id: string): Promise<number> {
  const { numDeletedRows } = await tx.deleteFrom("sessions").where("person", "=", id).executeTakeFirst();
  return Number(numDeletedRows);
}

export type PersonChanges = Partial<Pick<NewPerson, "handle" | "name" | "email" | "shellNames">>;

/**
 * What is not given stays. An old handle stays hers for ever, since the audit chain knows her under it; a new address counts as not
 * verified.
 */
export async function changePerson(
  db: Connection,
  handle: string,
  wanted: PersonChanges,
  change: Change,
): Promise<Person> {
  requireWellFormed(wanted);
  const email = wanted.email?.toLowerCase();
  return await changing(db, async (tx) => {
    const before = await getPresent(tx, handle);
    if (Object.keys(wanted).length === 0) return before;
    const after = {
      ...{ handle: wanted.handle ?? before.handle, name: wanted.name ?? before.name, email: email ?? before.email },
      shell_names: [...(wanted.shellNames ?? before.shellNames)],
    };
    await requireFree(tx, [after.handle, ...after.shell_names], before.id);
    if (after.email !== before.email) await requireFreeAddress(tx, after.email);
    const former = [...new Set([...before.formerHandles, before.handle])].filter((one) => one !== after.handle);
    const row = await tx
      .updateTable("people")
      .set({ ...after, former_handles: former, updated_at: change.now })
      .$if(after.email !== before.email, (query) => query.set({ email_verified: false }))
      .where("id", "=", before.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const told = {
      ...(wanted.shellNames === undefined ? {} : { shellNames: after.shell_names }),
      ...(after.handle === before.handle ? {} : { from: before.handle }),
    };
    await tell(tx, change, "changed", after.handle, { ...told, what: Object.keys(wanted) });
    return toPerson(row);
  });
}

function requireWellFormed({ handle, name, email, shellNames = [] }: PersonChanges): void {
  // What everybody is who works as root is nobody in particular.
  if (handle !== undefined && (handle === "root" || !/^[a-z][a-z0-9._-]{0,62}$/.test(handle)))
    throw BadName({ given: handle, what: "a handle" });
  if (name?.trim() === "") throw BadName({ given: name, what: "a person's name" });
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email)) throw BadName({ given: email, what: "an address" });
  const bad = shellNames.find((one) => !/^[^\s\p{C}]{1,128}$/u.test(one));
  if (bad !== undefined) throw BadName({ given: bad, what: "a shell name" });
}

/** One change of people at a time: that a name is free is looked up in three columns, which no constraint spans. */
function changing<T>(db: Connection, change: (tx: Connection) => Promise<T>): Promise<T> {
  return inTransaction(db, async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('people', 4))`.execute(tx);
    return await change(tx);
  });
}

/** A name is one person's only, whatever it is to her. Who left keeps hers: what she did stays hers. */
async function requireFree(tx: Connection, names: readonly string[], own: string | undefined): Promise<void> {
  for (const name of names) {
    const holder = await findByActor(tx, name);
    if (holder !== undefined && holder.id !== own) throw NameTaken({ name, holder: holder.handle });
  }
}

async function requireFreeAddress(tx: Connection, email: string): Promise<void> {
  const holder = await tx.selectFrom("people").select("handle").where("email", "=", email).executeTakeFirst();
  if (holder !== undefined) throw NameTaken({ name: email, holder: holder.handle });
}

function tell(
  tx: Connection,
  { actor, now }: Change,
  action: string,
  subject: string,
  detail: Readonly<Record<string, Json>>,
): Promise<void> {
  return record(tx, { actor, action: `person.${action}`, stack: null, subject, detail }, now);
}
