import { command, type Probe } from "../../../runbook/action.ts";
import type { Act, Step } from "../../../runbook/plan.ts";
import { output, suffixed, type Text } from "../../../runbook/value.ts";
import { type DumpFile, loadInto, takeFiles } from "../../../stack/dump-file.ts";
import { makeDirectory, pathExists } from "../../../stack/files.ts";
import type { Locale, ScratchCluster } from "../../../stack/scratch.ts";
import type { Stack } from "../../../stack/stack.ts";
import { bringIn } from "../../../stack/transfer.ts";
import { change, read, require } from "../../steps.ts";
import { fileOfSet } from "../set.ts";
import type { FileFacts, Present } from "./facts.ts";

/**
 * A file from elsewhere, loaded into a server of its own by a user who may do nothing besides, and judged there before anybody with more
 * rights touches it.
 */

/** What the file is, to be told afterwards; and its attachments, of which none is believed but by its checksum. */
export function takeFile(stack: Stack, folder: Text, facts: FileFacts): readonly Step[] {
  const { tools: host } = stack;
  const bring = bringIn(stack.config, facts.file, copyOf(folder));
  const { path } = fileAtTools(stack, folder, facts);
  const files = fileOfSet(folder, "filestore");
  const there = pathExists(host, files, "the folder of the attachments is there");
  const same: Probe = {
    title: "the file is the one that the plan was made of",
    action: command(stack.host, ["stat", "--format=%s %Y", "--", facts.file]),
    output: { from: "stdout" },
    compare: "eq",
    with: `${facts.bytes} ${facts.writtenAt}`,
    code: "restore.file_changed",
  };
  const unpack = facts.kind === "zip" ? takeFiles(host, path, files) : makeDirectory(host, files);
  return [
    require({ id: "file", title: "The file is still the same", probe: same }),
    ...(bring === undefined
      ? []
      : [
          change(
            { id: "bring", title: "Bring the file to the tools", action: bring },
            { verify: [pathExists(host, path, "the file is there")], timeoutSeconds: 12 * 3600 },
          ),
        ]),
    read(
      {
        id: "checksum",
        title: "Note its checksum",
        action: command(host, ["sha256sum", "--", path]),
        outputs: { sha256: { from: "stdout" } },
      },
      { timeoutSeconds: 12 * 3600 },
    ),
    change(
      { id: "unpack", title: "Take the attachments out, if there are any in it", action: unpack },
      { verify: [there], timeoutSeconds: 12 * 3600 },
    ),
    change(
      {
        id: "own files",
        title: "Give them to Odoo's user",
        action: command(host, ["chown", "-R", `${stack.config.odoo.user}:`, files]),
      },
      { verify: [there], timeoutSeconds: 1800 },
    ),
  ];
}

function copyOf(folder: Text): Text {
  return suffixed(folder, "/file");
}

/** Where the file lies for the tools. */
function fileAtTools(stack: Stack, folder: Text, { kind, isGzipped, file }: FileFacts): DumpFile {
  const isBrought = bringIn(stack.config, file, copyOf(folder)) !== undefined;
  return { kind, isGzipped, path: isBrought ? copyOf(folder) : file };
}

/** As Odoo makes its databases. */
const usual: Locale = { collate: "C", ctype: "C.UTF-8" };

/** Loads it into a new database of the throw-away server, which is then Odoo's user's. */
export function loadFile(
  stack: Stack,
  cluster: ScratchCluster,
  folder: Text,
  { facts, database }: { readonly facts: FileFacts; readonly database: string },
): readonly Step[] {
  const { present, bytes } = facts;
  return [
    ...loadInScratch(stack, cluster, fileAtTools(stack, folder, facts), { database, present, bytes }),
    ...judgeFile(stack, cluster, database, facts),
    change(
      { id: "adopt", title: "Give it to Odoo's user", action: cluster.adopt(database) },
      { verify: [isOwned(stack, cluster, database)], timeoutSeconds: 1800 },
    ),
  ];
}

interface Into {
  readonly database: string;
  readonly present: Present | undefined;
  readonly bytes: number;
}

/** A dump of any kind, as the owner of an empty database who may do nothing besides. */
export function loadInScratch(
  stack: Stack,
  cluster: ScratchCluster,
  file: DumpFile,
  { database, present, bytes }: Into,
): readonly Act[] {
  const isThere = databaseIn(cluster, database);
  const extensions = JSON.stringify(present?.extensions ?? []);
  return [
    change(
      {
        id: "empty",
        title: "Make an empty database, and an owner who may do nothing besides",
        action: cluster.prepare(database, present ?? usual),
      },
      { verify: [isThere] },
    ),
    change(
      {
        id: "extensions",
        title: "Make the extensions that the present database has and an owner cannot make",
        action: cluster.query(database, makeExtensionsSql, { extensions }),
      },
      { verify: [isThere] },
    ),
    change(
      {
        id: "load file",
        title: "Load the dump as that owner",
        action: loadInto(stack.runtime, file, cluster, database),
      },
      {
        verify: [isThere],
        // Only an empty database can be loaded into, and half of it may be there.
        onInterrupt: "undo",
        timeoutSeconds: 24 * 3600,
        forecastSeconds: 2 + Math.ceil(bytes / loadBytesPerSecond),
      },
    ),
  ];
}

/** Measured on the test machine, of SQL that is not compressed; only used to say how long it will take. */
const loadBytesPerSecond = 3_000_000;

function databaseIn(cluster: ScratchCluster, name: string): Probe {
  return {
    title: "its database is there",
    action: cluster.query("postgres", "select count(*) from pg_database where datname = :'name';", { name }),
    output: { from: "stdout", as: "number" },
    compare: "eq",
    with: 1,
  };
}

function isOwned({ config }: Stack, cluster: ScratchCluster, name: string): Probe {
  const { user } = config.odoo;
  return {
    title: `it belongs to ${user}`,
    action: cluster.query("postgres", "select pg_get_userbyid(datdba) from pg_database where datname = :'name';", {
      name,
    }),
    output: { from: "stdout" },
    compare: "eq",
    with: user,
  };
}

const makeExtensionsSql = `
select format('create extension if not exists %I', wanted) from json_array_elements_text(:'extensions'::json) wanted
  where wanted in (select name from pg_available_extensions) \\gexec
`;

/**
 * First by its catalogue alone, which nobody but the server writes, and in the server's own words: nothing that the file brought is run
 * to judge it. Only then is it asked what it says.
 */
export function judgeFile(stack: Stack, cluster: ScratchCluster, database: string, facts: FileFacts): readonly Act[] {
  const ask = (sql: string, values: Readonly<Record<string, Text>> = {}) => ({
    action: cluster.query(database, sql, values),
    output: { from: "stdout" } as const,
  });
  const nothing = { compare: "absent", with: "" } as const;
  const isOdoo = { ...ask(notOdooSql), ...nothing, title: "it has Odoo's tables", code: "restore.file_not_odoo" };
  const noCode = { ...ask(foreignCodeSql), ...nothing, title: "it has none there", code: "restore.file_runs_code" };
  const named = {
    ...ask(oddNamesSql),
    ...nothing,
    title: "they are named as Odoo does",
    code: "restore.file_attachments",
  };
  return [
    require({ id: "is odoo", title: "It is an Odoo database", probe: isOdoo }),
    require({ id: "no code", title: "It has no code of its own where a superuser would run it", probe: noCode }),
    require({
      id: "series",
      title: `It is of Odoo ${facts.series}`,
      probe: {
        ...ask(seriesSql),
        title: "its series is the one of the stack's Odoo",
        compare: "eq",
        with: facts.series,
        code: "restore.file_other_series",
      },
    }),
    require({ id: "names", title: "Its attachments are named by their content", probe: named }),
    ...(facts.present === undefined ? [] : modulesAreKnown(stack, ask)),
  ];
}

/** Odoo lists every module whose code it finds, installed or not. */
function modulesAreKnown(
  { postgres, config }: Stack,
  ask: (sql: string, values: Readonly<Record<string, Text>>) => Pick<Probe, "action" | "output">,
): readonly Act[] {
  const known = read({
    id: "modules",
    title: "Ask the present database which modules there are",
    action: postgres.query(config.odoo.database, "select json_agg(name order by name) from ir_module_module;"),
    outputs: { known: { from: "stdout" } },
  });
  const probe: Probe = {
    ...ask(unknownModulesSql, { known: output("modules", "known") }),
    title: "the code of every installed module is there",
    compare: "absent",
    with: "",
    code: "restore.file_modules_missing",
  };
  return [known, require({ id: "code", title: "The stack has the code of every module in it", probe })];
}

const notOdooSql = `
set search_path to pg_catalog;
select 'x' where (select count(*) from pg_class where oid in (to_regclass('public.ir_module_module'), to_regclass('public.ir_attachment'),
    to_regclass('public.ir_config_parameter'), to_regclass('public.ir_cron'), to_regclass('public.res_users')) and relkind = 'r') <> 5;
`;

/**
 * What PostgreSQL runs with the rights of whoever loads a dump: checks of tables and of domains, and generated columns. And what could be
 * taken for one of its own functions or operators by a question that does not say which is meant. Extensions are the server's own.
 */
const foreignCodeSql = `
set search_path to pg_catalog;
with own as (
  select 'pg_proc'::regclass as class, oid from pg_proc where oid >= 16384
    and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = pg_proc.oid and e.deptype = 'e')
  union all select 'pg_operator'::regclass, oid from pg_operator where oid >= 16384
    and not exists (select from pg_depend e where e.classid = 'pg_operator'::regclass and e.objid = pg_operator.oid and e.deptype = 'e'))
select coalesce(string_agg(what, '; ' order by what), '') from (
  select format('%s uses %s', pg_describe_object(classid, objid, objsubid), pg_describe_object(refclassid, refobjid, 0)) as what
    from pg_depend join own on own.class = refclassid and own.oid = refobjid
    where classid = 'pg_constraint'::regclass
      or classid = 'pg_attrdef'::regclass and exists (select from pg_attrdef f join pg_attribute on attrelid = adrelid and attnum = adnum
        where f.oid = objid and attgenerated <> '')
  union all select pg_describe_object(own.class, own.oid, 0) from own where own.class = 'pg_operator'::regclass
  union all select pg_describe_object(own.class, own.oid, 0) from own join pg_proc mine on mine.oid = own.oid
    where own.class = 'pg_proc'::regclass
      and exists (select from pg_proc its where its.pronamespace = 'pg_catalog'::regnamespace and its.proname = mine.proname)
) found;
`;

/** A version begins with the series that it is of: 19.0.1.3. */
const seriesSql = `
set search_path to pg_catalog;
select coalesce((select substring(latest_version from '^[^.]+[.][^.]+') from public.ir_module_module where name = 'base'), 'none');
`;

/** A name is a path below the filestore, and files are looked for, read and written under it. */
const oddNamesSql = `
set search_path to pg_catalog;
select coalesce(string_agg(format('%s (%s)', store_fname, id), ', '), '') from (
  select id, store_fname from public.ir_attachment
    where store_fname is not null and (store_fname !~ '^[0-9a-f]{2}/[0-9a-f]{40}$' or coalesce(checksum, '') !~ '^[0-9a-f]{40}$') limit 5
) odd;
`;

const unknownModulesSql = `
set search_path to pg_catalog;
select coalesce(string_agg(name, ', ' order by name), '') from public.ir_module_module
  where state in ('installed', 'to upgrade', 'to remove') and name not in (select json_array_elements_text(:'known'::json));
`;
