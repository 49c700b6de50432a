import { giveGrant } from "../../access/grants.ts";
import {
  addPerson,
  changePerson,
  endSessions,
  type Invitation,
  invitePerson,
  leavePerson,
  listPeople,
  listSessions,
  type PersonDetail,
} from "../../access/people.ts";
import { inTransaction } from "../../engine/audit.ts";
import type { App } from "../app.ts";
import type { Context } from "../context.ts";
import { table } from "../render/text.ts";
import { toGrant } from "./rights.ts";

/** Who may sign in. Whoever may run this is root here already, so it asks nobody for leave. */

interface Options {
  readonly json?: boolean;
  readonly name?: string;
  readonly email?: string;
  readonly handle?: string;
  readonly shell?: readonly string[];
  readonly role?: string;
  readonly afresh?: boolean;
  readonly end?: boolean;
}

const by = ({ actor }: App) => ({ actor, now: new Date() });

export async function list(context: Context, options: Options): Promise<number> {
  await using app = await context.openApp();
  const people = await listPeople(app.control.db, new Date());
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(people, null, 2));
  else if (people.length === 0) terminal.out('Nobody yet: ipai people add HANDLE --name "NAME" --email ADDRESS');
  else
    terminal.out(
      table([
        ["HANDLE", "NAME", "ADDRESS", "SHELL", "SIGNS IN WITH", "NOW"],
        ...people.map((person) => [
          person.handle,
          person.name,
          person.email,
          person.shellNames.join(", "),
          waysOf(person).join(", ") || "nothing yet",
          stateOf(person),
        ]),
      ]),
    );
  return 0;
}

function waysOf({ hasPassword, hasAuthenticatorApp, passkeys, providers }: PersonDetail): readonly string[] {
  return [
    ...(hasPassword ? ["password"] : []),
    ...(hasAuthenticatorApp ? ["authenticator app"] : []),
    ...(passkeys === 0 ? [] : [passkeys === 1 ? "a passkey" : `${passkeys} passkeys`]),
    ...providers,
  ];
}

function stateOf({ leftAt, sessions, invitedUntil }: PersonDetail): string {
  if (leftAt !== null) return `left on ${leftAt.toISOString().slice(0, 10)}`;
  const signedIn = sessions === 0 ? "" : `signed in ${sessions === 1 ? "once" : `${sessions} times`}`;
  const invited = invitedUntil === null ? "" : `invited until ${minute(invitedUntil)}`;
  return [signedIn, invited].filter((words) => words !== "").join(", ");
}

function minute(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** Person and link in one transaction: what is to be true of her from the first moment on belongs in it too. */
export async function add(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { name = "", email = "", shell = [], role } = options;
  const invitation = await inTransaction(app.control.db, async (tx) => {
    const person = await addPerson(tx, { handle, name, email, shellNames: shell }, by(app));
    if (role !== undefined) await giveGrant({ db: tx }, person, toGrant(app, role, {}), app.actor, new Date());
    return await invitePerson(tx, handle, { ...by(app), afresh: false });
  });
  printInvitation(context, app, handle, invitation, options);
  return 0;
}

export async function invite(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const invitation = await invitePerson(app.control.db, handle, { ...by(app), afresh: options.afresh === true });
  printInvitation(context, app, handle, invitation, options);
  return 0;
}

/** After the #, where no server and no proxy writes it to a log. */
function printInvitation(context: Context, app: App, handle: string, invitation: Invitation, options: Options): void {
  const { terminal } = context;
  const link = `${app.config.serve.url}/set-up#${invitation.token}`;
  if (options.json === true) terminal.out(JSON.stringify({ handle, link, expiresAt: invitation.expiresAt }));
  else {
    terminal.out(link);
    terminal.err(
      `With this link ${handle} sets a password, once, until ${minute(invitation.expiresAt)}. It is shown only here.`,
    );
  }
}

export async function change(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const wanted = {
    ...(options.handle === undefined ? {} : { handle: options.handle }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.email === undefined ? {} : { email: options.email }),
    ...(options.shell === undefined ? {} : { shellNames: options.shell.filter((name) => name !== "") }),
  };
  const person = await changePerson(app.control.db, handle, wanted, by(app));
  const { terminal } = context;
  if (options.json === true) terminal.out(JSON.stringify(person));
  else terminal.out(`${person.handle}: ${person.name}, ${person.email}${shellWords(person.shellNames)}`);
  return 0;
}

function shellWords(names: readonly string[]): string {
  return names.length === 0 ? "" : `, in a shell ${names.join(", ")}`;
}

export async function leave(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  await leavePerson(app.control.db, handle, by(app));
  const said = options.json === true ? JSON.stringify({ handle, left: true }) : `${handle} can sign in no more.`;
  context.terminal.out(said);
  return 0;
}

export async function sessions(context: Context, handle: string, options: Options): Promise<number> {
  await using app = await context.openApp();
  const { terminal } = context;
  if (options.end === true) {
    const ended = await endSessions(app.control.db, handle, by(app));
    terminal.out(options.json === true ? JSON.stringify({ handle, ended }) : `${handle}: ${ended} ended.`);
    return 0;
  }
  const open = await listSessions(app.control.db, handle, new Date());
  if (options.json === true) terminal.out(JSON.stringify(open, null, 2));
  else if (open.length === 0) terminal.out(`${handle} is signed in nowhere.`);
  else
    terminal.out(
      table([
        ["SINCE", "UNTIL", "FROM", "WITH", "SECOND FACTOR", "PROGRAM"],
        ...open.map(({ since, until, source, method, secondFactor, program }) => [
          ...[minute(since), minute(until), source, method, secondFactor ? "yes" : "no", program],
        ]),
      ]),
    );
  return 0;
}
