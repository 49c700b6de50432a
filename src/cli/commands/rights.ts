import { giveGrant, listGrants, takeGrant } from "../../access/grants.ts";
import { findPerson, listPeople, type Person } from "../../access/people.ts";
import { PersonNotFound } from "../../access/people-errors.ts";
import { type Grant, type Role, roles } from "../../access/rights.ts";
import { createToken, listTokens, revokeToken } from "../../access/tokens.ts";
import { defineError } from "../../errors/error.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { table } from "../render/text.ts";

/** What people may do, and the tokens with which programs act for them. */

export const UnknownRole = defineError<{ given: string }>("usage.unknown_role", {
  exitCode: 14,
  message: (d) => `${d.given} is no role. Nothing was changed.`,
  hint: () =>
    "viewer looks; operator starts what can be taken back; approver consents to what others start; finance does the same for filings; admin does everything.",
});

export const NoSuchGrant = defineError<{ handle: string; given: string }>("usage.no_such_grant", {
  exitCode: 14,
  message: (d) => `${d.handle} has no grant ${d.given}. Nothing was changed.`,
  hint: () => "`ipai people grants` lists them with their numbers.",
});

export const NoSuchToken = defineError<{ handle: string; name: string }>("usage.no_such_token", {
  exitCode: 14,
  message: (d) => `${d.handle} has no token ${d.name}. Nothing was changed.`,
  hint: () => "`ipai tokens` lists them.",
});

export const BadDays = defineError<{ given: string }>("usage.bad_days", {
  exitCode: 14,
  message: (d) => `A token is good for 1 to 365 days, not for ${d.given}. None was made.`,
  hint: () => "Every token ends; make a new one then.",
});

interface Options {
  readonly json?: boolean;
  readonly stacks?: readonly string[];
  readonly procedures?: readonly string[];
  readonly role?: string;
  readonly for?: string;
  readonly days?: string;
}

export async function grants(context: Context, handle: string | undefined, options: Options): Promise<number> {
  await using app = await context.openApp();
  const all = handle === undefined ? await listPeople(app.control.db, new Date()) : [await getPerson(app, handle)];
  const found = await listGrants(
    app.control,
    all.map(({ id }) => id),
  );
  const rows = all.flatMap((person) =>
    (found.get(person.id) ?? []).map((grant) => ({ handle: person.handle, ...grant })),
  );
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) terminal.out("Nobody has a role yet: ipai people grant HANDLE ROLE");
  else
    terminal.out(
      table([
        ["NUMBER", "HANDLE", "ROLE", "STACKS", "PROCEDURES", "GIVEN BY"],
        ...rows.map((row) => [
          ...[String(row.id), row.handle, row.role],
          ...[row.stacks.join(", ") || "all", row.procedures.join(", ") || "all of the role", row.givenBy],
        ]),
      ]),
    );
  return 0;
}

export async function grant(context: Context, handle: string, role: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const person = await getPerson(app, handle);
  const wanted = toGrant(app, role, options);
  const isNew = await giveGrant(app.control, person, wanted, app.actor, new Date());
  const where = wanted.stacks.length === 0 ? "all stacks" : wanted.stacks.join(", ");
  context.terminal.out(`${handle} ${isNew ? "is now" : "was already"} ${role} on ${where}.`);
  return 0;
}

export async function revoke(context: Context, handle: string, given: string): Promise<number> {
  await using app = await context.openApp();
  const person = await getPerson(app, handle);
  const id = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  const taken = await takeGrant(app.control, person, id, app.actor, new Date());
  if (taken === undefined) throw NoSuchGrant({ handle, given });
  context.terminal.out(`${handle} is no longer ${taken.role}.`);
  return 0;
}

export async function tokens(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const people =
    options.for === undefined ? await listPeople(app.control.db, new Date()) : [await getPerson(app, options.for)];
  const rows = await Promise.all(
    people.map(async ({ id, handle }) => (await listTokens(app.control, id)).map((token) => ({ handle, ...token }))),
  );
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(rows.flat(), null, 2));
  else if (rows.flat().length === 0) terminal.out("No token: ipai tokens create NAME --for HANDLE --role ROLE");
  else
    terminal.out(
      table([
        ["NAME", "FOR", "MAY", "UNTIL", "LAST USED"],
        ...rows
          .flat()
          .map(({ name, handle, limits, expiresAt, usedAt }) => [
            ...[name, handle, limits.map(describe).join("; "), day(expiresAt), usedAt === null ? "never" : day(usedAt)],
          ]),
      ]),
    );
  return 0;
}

const dayMs = 86_400_000;

export async function newToken(context: Context, name: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const owner = await getPerson(app, options.for ?? app.actor);
  const limits = [toGrant(app, options.role ?? "viewer", options)];
  const days = Number(options.days ?? 90);
  if (!Number.isInteger(days) || days < 1 || days > 365) throw BadDays({ given: options.days ?? "" });
  const expiresAt = new Date(Date.now() + days * dayMs);
  const token = await createToken(app.control, owner, { name, limits, expiresAt }, app.actor, new Date());
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify({ name, for: owner.handle, token, expiresAt }));
  else {
    terminal.out(token);
    terminal.err(
      `It acts for ${owner.handle}, never beyond her own roles, until ${day(expiresAt)}. It is shown only here.`,
    );
  }
  return 0;
}

export async function dropToken(context: Context, name: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const owner = await getPerson(app, options.for ?? app.actor);
  if (!(await revokeToken(app.control, owner, name, app.actor, new Date())))
    throw NoSuchToken({ handle: owner.handle, name });
  context.terminal.out(`${name} of ${owner.handle} is good no more.`);
  return 0;
}

export async function getPerson(app: App, handle: string): Promise<Person> {
  const found = await findPerson(app.control.db, handle);
  if (found === undefined) throw PersonNotFound({ handle });
  return found;
}

/** Stacks that there are: one that is misspelt would be a right to nothing. */
export function toGrant(app: App, given: string, { stacks = [], procedures = [] }: Options): Grant {
  const role = roles.find((known): known is Role => known === given);
  if (role === undefined) throw UnknownRole({ given });
  return { role, stacks: stacks.map((stack) => app.stack(stack).name), procedures };
}

function describe({ role, stacks, procedures }: Grant): string {
  const what = procedures.length === 0 ? "" : ` (${procedures.join(", ")})`;
  return `${role}${what}${stacks.length === 0 ? "" : ` on ${stacks.join(", ")}`}`;
}

function day(at: Date): string {
  return at.toISOString().slice(0, 10);
}
