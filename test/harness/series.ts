import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Draft } from "./repository.ts";
import { sql } from "./sandbox.ts";

/** Upgrades to another series, or within one as if it were another: releases with scripts, and what they did. */

/** The series of the practice stack's database. */
export async function seriesOfStack(): Promise<string> {
  const version = await sql("select latest_version from ir_module_module where name = 'base'");
  return version.split(".").slice(0, 2).join(".");
}

/** A script of the release, from the one series to the other. */
export async function script({ folder }: Draft, from: string, to: string, name: string, text: string): Promise<void> {
  const file = join(folder, `migrations/${from.replace(".0", "")}_to_${to.replace(".0", "")}`, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** Three scripts within a series, each of which leaves its word, and the next release of the practice modules. */
export async function chain(draft: Draft, series: string): Promise<void> {
  const add = (name: string, text: string) => script(draft, series, series, name, text);
  await draft.lay("good");
  await add(
    "01_first.sql",
    "create table effects (id serial, what text);\ninsert into effects (what) values ('first');\n",
  );
  await add(
    "02_second.py",
    "def migrate(cr, version):\n    cr.execute('insert into effects (what) values (%s)', ['second'])\n",
  );
  await add("03_third.sql", "insert into effects (what) values ('third');\n");
}

/** What the scripts did, in the order in which they did it; empty where none was run. */
export function effects(of = "odoo"): Promise<string> {
  return sql(
    `select coalesce((xpath('//what/text()', query_to_xml('select string_agg(what, '' '') as what from effects', false, true, '')))[1]::text, '') from pg_class where relname = 'effects'`,
    of,
  );
}
