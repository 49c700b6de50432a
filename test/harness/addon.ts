import { spawn } from "node:child_process";
import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { parse } from "yaml";
import { type Ended, folder, home, psql, root, run, sql, until, urls } from "./sandbox.ts";

/** The project's addons in the practice stack's Odoo, on a database of their own: a copy of the stack's. */

const addons = join(home, "addons");
const port = Number(new URL(urls.odoo[0] ?? "").port) + 5;

interface OdooConfig {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Words for `runuser`: Odoo as the stack runs it, on that database and with the addons. A subcommand, such as `shell`, comes first. */
async function odooWith(database: string, words: readonly string[], subcommand: readonly string[] = []) {
  const { odoo: given } = parse(await readFile(join(folder, "ipai.yaml"), "utf8")).stacks.sandbox as {
    odoo: OdooConfig;
  };
  const conf = await readFile(join(folder, "odoo.conf"), "utf8");
  const paths = /^addons_path = (.*)$/m.exec(conf)?.[1];
  const variables = Object.entries(given.environment).map(([name, value]) => `${name}=${value}`);
  const options = [...subcommand, "-c", `${folder}/odoo.conf`, "-d", database, `--db-filter=^${database}$`];
  const own = [`--addons-path=${paths},${addons}`, `--http-port=${port}`, "--max-cron-threads=0", "--workers=0"];
  return ["-u", "odoo", "--", "/usr/bin/env", ...variables, ...given.command, ...options, ...own, ...words];
}

const copyScript = `
set -euo pipefail
cd /
runuser -u postgres -- pg_dump -h "$1" -p "$2" -Fc odoo | runuser -u postgres -- pg_restore -h "$1" -p "$2" -d "$3"
cp -al -- "$4/odoo" "$4/$3"
`;

export async function makeDatabase(database: string): Promise<void> {
  await cp(join(root, "addons"), addons, { recursive: true });
  await sql(`create database ${database} owner odoo`, "postgres");
  const port = psql[psql.indexOf("-p") + 1] ?? "";
  const args = ["-c", copyScript, "copy", join(folder, "run"), port, database, join(folder, "odoo/filestore")];
  const copied = await run("bash", args);
  expect([copied.exitCode, copied.stderr]).toEqual([0, ""]);
}

export async function removeDatabase(database: string): Promise<void> {
  await sql(`drop database if exists ${database} with (force)`, "postgres");
  await rm(addons, { recursive: true, force: true });
  await rm(join(folder, "odoo/filestore", database), { recursive: true, force: true });
}

/** Runs Odoo once, and what it told that is more than information. */
export async function runOdoo(database: string, words: readonly string[]) {
  const args = await odooWith(database, [...words, "--stop-after-init"]);
  const { stderr, exitCode } = await run("runuser", args, { timeoutMs: 300_000, directory: "/" });
  const lines = stderr.split("\n");
  return {
    exitCode,
    complaints: lines.filter((line) => /^\d{4}-\d\d-\d\d \S+ \d+ (?:WARNING|ERROR|CRITICAL) /.test(line)),
    tests: lines.filter((line) => /FAIL|ERROR|Error|tests in|of \d+ tests/.test(line)).join("\n"),
  };
}

/** Odoo 18 draws a barcode as soon as it is imported, and reportlab tells of a machine that has not got its usual font. */
const toldOfNoFont = /^Warn: Can't find \.pfb for face 'Courier'\n/m;

/** Types into Odoo's shell, which has nothing to complain of; what it printed. */
export async function typeIntoShell(database: string, typed: string): Promise<string> {
  const { exitCode, stdout, stderr } = await askShell(database, typed);
  expect([exitCode, stderr.replace(toldOfNoFont, "").trim()]).toEqual([0, ""]);
  return stdout;
}

/** An API key of a new user in a group, of all companies: as a person makes it for a program. */
export async function makeKey(database: string, group: string): Promise<string> {
  const file = join(folder, "odoo", `key-${group}`);
  const login = `${group}@example.com`;
  await typeIntoShell(
    database,
    `from odoo.addons.ipai_finance_ppm.versions import GROUPS_OF_USER
groups = [(6, 0, [env.ref('base.group_user').id, env.ref('ipai_finance_ppm.${group}').id])]
companies = [(6, 0, env['res.company'].search([]).ids)]
user = env['res.users'].create({'name': 'A Program', 'login': '${login}', 'company_ids': companies, GROUPS_OF_USER: groups})
open('${file}', 'w').write(env['res.users.apikeys'].with_user(user).sudo()._generate('rpc', 'a program', False))
env.cr.commit()
`,
  );
  const key = await readFile(file, "utf8");
  await rm(file);
  return key;
}

/** Of every row of every table who wrote it last: the same again means that nothing was written. */
export async function fingerprint(database: string): Promise<string> {
  const rows = `select coalesce(sum(xmin::text::bigint), 0) || '/' || count(*) from %I.%I`;
  return sql(
    `select string_agg(relname || (query_to_xml(format('${rows.replaceAll("'", "''")}', schemaname, relname), true, true, '')::text), '' order by relname)
     from pg_stat_user_tables`,
    database,
  );
}

/** Where that Odoo serves. */
export const addonUrl = `http://127.0.0.1:${port}`;

/** Types into Odoo's shell, and what it answered. */
export async function askShell(database: string, typed: string, timeoutMs?: number): Promise<Ended> {
  const args = await odooWith(database, ["--log-level=warn"], ["shell"]);
  return run("runuser", args, { directory: "/", stdin: typed, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

/** An Odoo that serves that database with its scheduled actions, as a service of `runtime.native.services`: one worker of them, as it is. */
export async function odooService(database: string) {
  const [_runuser, user, _end, ...command] = await odooWith(database, ["--max-cron-threads=1"]);
  const named = (ending: string) => join(folder, ending, `${database}.${ending === "run" ? "pid" : "log"}`);
  return { command, user, environment: {}, pidFile: named("run"), log: named("log") };
}

/** An Odoo that serves that database until it is stopped. */
export async function serve(database: string) {
  const url = addonUrl;
  const server = spawn("runuser", await odooWith(database, []), { stdio: "ignore", cwd: "/" });
  await until("it serves", () =>
    fetch(`${url}/web/login`).then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  const stop = async () => {
    server.kill("SIGTERM");
    await until("the server has ended", async () => server.exitCode !== null || server.signalCode !== null);
  };
  return { url, stop };
}
