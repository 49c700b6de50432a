import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { join, runId, type Text } from "../../../runbook/value.ts";
import { pathExists, pathIsAbsent, swapTree } from "../../../stack/files.ts";
import {
  type Dump,
  dropDatabaseSql,
  giveDatabaseSql,
  hideDatabaseSql,
  otherSessionsSql,
  swapDatabasesSql,
} from "../../../stack/postgres.ts";
import type { Stack } from "../../../stack/stack.ts";
import { noteOpened } from "../../resources.ts";
import type { Running } from "../../running.ts";
import { change, pivot, require, takeBack, whileClosed, whileOdooStopped } from "../../steps.ts";
import type { Restored } from "../compare.ts";
import { isolate, neutralize } from "../copy.ts";
import { fileOfSet, type Load, restoreBytesPerSecond, setIn } from "../set.ts";

/**
 * Into the serving server, under another name first; judged there; then the two change places. Until users are back, all of it is taken
 * back by the same renames.
 */

/** Names that belong to this run alone: what comes (`past`), and what is kept of what was there (`before`). */
export function namesOf(stack: Stack): Names {
  return namesWith(stack, namesOfDatabase(stack.config.odoo.database));
}

export interface DatabaseNames {
  readonly database: string;
  readonly past: Text;
  readonly before: Text;
}

export interface Names extends DatabaseNames {
  readonly pastFiles: Text;
  readonly beforeFiles: Text;
}

/** `past`: what comes; it may be there already, under a name of its own. */
export function namesOfDatabase(database: string, past: Text = join(`${database}_past_`, runId)): DatabaseNames {
  return { database, past, before: join(`${database}_before_`, runId) };
}

/** With the filestores beside them. */
export function namesWith({ odoo }: Stack, names: DatabaseNames): Names {
  return { ...names, pastFiles: odoo.filestoreOf(names.past), beforeFiles: odoo.filestoreOf(names.before) };
}

/** Loads `FOLDER/set/dump` beside the serving database, where Odoo does not know of it. */
export function loadPast(stack: Stack, folder: Text, { source, jobs, databaseBytes }: Load): Act {
  const { past } = namesOf(stack);
  const isOdoo: Probe = {
    title: "it is an Odoo database",
    action: stack.postgres.query(past, "select count(*) from ir_module_module where state = 'installed';"),
    output: { from: "stdout", as: "number" },
    compare: "ge",
    with: 1,
    code: "restore.carry_failed",
  };
  const [dump, roles] = [fileOfSet(folder, "dump"), fileOfSet(folder, "roles")];
  const forecastSeconds = 2 + Math.ceil(databaseBytes / restoreBytesPerSecond);
  return { ...loadBeside(stack, past, { dump, source, roles, jobs }, isOdoo), forecastSeconds };
}

/** Any database's dump, under a name that nobody knows. `isWanted`: that it is one of the kind that is meant. */
export function loadBeside({ postgres }: Stack, past: Text, dump: Dump, isWanted: Probe): Act {
  return change(
    {
      id: "load",
      title: "Load it into the serving server, under another name",
      action: postgres.load(past, dump),
    },
    {
      verify: [postgres.databaseExists(past), isWanted],
      timeoutSeconds: 24 * 3600,
      undo: [
        takeBack(
          {
            id: "unload",
            title: "Remove it again",
            action: postgres.query("postgres", dropDatabaseSql, { name: past }),
          },
          { done: postgres.databaseIsAbsent(past), verify: [postgres.databaseIsAbsent(past)] },
        ),
      ],
    },
  );
}

/** The loaded database, to be compared with what `FOLDER/set` says. */
export function loadedPast(stack: Stack, folder: Text): Restored {
  const { past } = namesOf(stack);
  return { ask: (sql) => stack.postgres.query(past, sql), set: setIn(folder), answers: folder };
}

/**
 * Another stack's database may belong to another role; here it is worked with by Odoo's. One that is not neutralized will send and call:
 * that is not taken back.
 */
export function givePast(stack: Stack, { isNeutralized }: { readonly isNeutralized: boolean }): Act {
  const { past } = namesOf(stack);
  const { user } = stack.config.odoo;
  const isOwned: Probe = {
    title: `it belongs to ${user}`,
    action: stack.postgres.query(
      "postgres",
      "select count(*) from pg_database where datname = :'name' and pg_get_userbyid(datdba) = :'user';",
      { name: past, user },
    ),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
  return change(
    { id: "give", title: `Give it to ${user}`, action: stack.postgres.query(past, giveDatabaseSql, { user }) },
    {
      done: isOwned,
      verify: [isOwned],
      timeoutSeconds: 600,
      ...(isNeutralized ? {} : { undoClass: "irreversible" }),
    },
  );
}

/** What comes from elsewhere never mails, calls out or runs scheduled actions here. Before any Odoo is started on it. */
export function neutralizePast(stack: Stack): readonly Act[] {
  const { past } = namesOf(stack);
  const query = (database: Text, text: string) => stack.postgres.query(database, text);
  const isolated = isolate((text, values) => stack.postgres.query(past, text, values), stack.config.urls.public);
  return [
    { ...neutralize(stack, { query, odooOptions: [] }, past), id: "neutralize past", title: "Neutralize it" },
    { ...isolated, id: "isolate past" },
  ];
}

/** What changes places, and whether there is a present one that is kept. */
export interface Exchange {
  readonly database?: Present;
  readonly files?: Present;
}

export interface Present {
  readonly isThere: boolean;
}

/**
 * Odoo is stopped and users are kept out while both change places; then Odoo has to serve, or all is taken back. `meanwhile`: what is to be
 * done first, when nobody writes any more.
 */
export function putInPlace(
  stack: Stack,
  running: Running,
  what: Exchange,
  meanwhile: readonly Step[] = [],
): readonly Step[] {
  return [
    ...noteKept(stack, what),
    ...whileClosed(stack, running, [
      ...whileOdooStopped(stack, running.odoo, [...meanwhile, ...changePlaces(stack, what)]),
      pivot,
    ]),
  ];
}

export function noteKept(stack: Stack, { database, files }: Exchange): readonly Act[] {
  if (database?.isThere === true) return [noteKeptAs(stack, namesOf(stack).before)];
  return files?.isThere === true ? [noteKeptAs(stack, "The filestore of before a restore")] : [];
}

/** What is kept, by the run that keeps it, until somebody closes it or its time is over. */
export function noteKeptAs(stack: Stack, title: Text): Act {
  const close = { procedure: "restore forget" } as const;
  return noteOpened(stack, { id: runId, kind: "kept", title, hours: 24 * keptDays, close });
}

/** Days that what is kept lives, unless somebody extends it. */
export const keptDays = 14;

export function changePlaces(
  stack: Stack,
  { database, files }: Exchange,
  names: Names = namesOf(stack),
): readonly Step[] {
  return [
    ...(database === undefined ? [] : exchangeDatabases(stack, names, database)),
    ...(files === undefined ? [] : [files.isThere ? swapFiles(stack, names) : placeFiles(stack)]),
  ];
}

/** What was there is kept, if it is there. */
export function exchangeDatabases(stack: Stack, names: DatabaseNames, { isThere }: Present): readonly Act[] {
  return isThere ? [nobodyElse(stack, names), swapDatabase(stack, names)] : [placeDatabase(stack, names)];
}

function nobodyElse({ postgres }: Stack, { database }: DatabaseNames): Act {
  const alone: Probe = {
    title: "no other session is on the database",
    action: postgres.query("postgres", otherSessionsSql, { name: database }),
    output: { from: "stdout" },
    compare: "absent",
    with: "",
    code: "restore.database_busy",
  };
  return require({ id: "alone", title: "Nobody else uses the database", probe: alone }, { attempts: 5 });
}

function swapDatabase({ postgres }: Stack, { database, past, before }: DatabaseNames): Act {
  return change(
    {
      id: "swap",
      title: "Put it in the place of the present",
      action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: past, aside: before }),
    },
    {
      done: postgres.databaseExists(before),
      verify: [postgres.databaseExists(before), postgres.databaseExists(database), postgres.databaseIsAbsent(past)],
      undo: [
        takeBack(
          {
            id: "swap back",
            title: "Put the present back",
            action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: before, aside: past }),
          },
          {
            done: postgres.databaseIsAbsent(before),
            verify: [postgres.databaseExists(database), postgres.databaseIsAbsent(before)],
          },
        ),
      ],
    },
  );
}

/** There is none that could be kept. */
function placeDatabase({ postgres }: Stack, { database, past, before }: DatabaseNames): Act {
  return change(
    {
      id: "swap",
      title: "Put it in its place",
      action: postgres.query("postgres", swapDatabasesSql, { live: database, copy: past, aside: before }),
    },
    {
      done: postgres.databaseIsAbsent(past),
      verify: [postgres.databaseExists(database), postgres.databaseIsAbsent(past)],
      undo: [
        takeBack(
          {
            id: "swap back",
            title: "Take it out of its place",
            action: postgres.query("postgres", hideDatabaseSql, { live: database, hidden: past }),
          },
          { done: postgres.databaseExists(past), verify: [postgres.databaseExists(past)] },
        ),
      ],
    },
  );
}

function swapFiles({ tools: host, odoo }: Stack, { database, pastFiles, beforeFiles }: Names): Act {
  const live = odoo.filestoreOf(database);
  return change(
    { id: "swap files", title: "Put its filestore in place", action: swapTree(host, live, pastFiles, beforeFiles) },
    {
      done: pathIsAbsent(host, pastFiles, "its filestore is in its place"),
      verify: [
        pathExists(host, live, "the filestore is there"),
        pathExists(host, beforeFiles, "the present's filestore is kept"),
      ],
      undo: [
        takeBack(
          {
            id: "swap files back",
            title: "Put the filestore back",
            action: swapTree(host, live, beforeFiles, pastFiles),
          },
          {
            done: pathIsAbsent(host, beforeFiles, "the filestore is in its place"),
            verify: [pathExists(host, live, "the filestore is there")],
          },
        ),
      ],
    },
  );
}

function placeFiles(stack: Stack): Act {
  const { tools: host, odoo } = stack;
  const { database, pastFiles } = namesOf(stack);
  const live = odoo.filestoreOf(database);
  const rename = (from: Text, to: Text) => command(host, ["mv", "-T", "--", from, to]);
  return change(
    { id: "swap files", title: "Put its filestore in place", action: rename(pastFiles, live) },
    {
      done: pathIsAbsent(host, pastFiles, "its filestore is in its place"),
      verify: [pathExists(host, live, "the filestore is there")],
      undo: [
        takeBack(
          { id: "swap files back", title: "Take the filestore out of its place", action: rename(live, pastFiles) },
          {
            done: pathExists(host, pastFiles, "the filestore is out of its place"),
            verify: [pathExists(host, pastFiles, "the filestore is out of its place")],
          },
        ),
      ],
    },
  );
}
