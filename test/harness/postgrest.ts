import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { Receiver } from "./receiver.ts";
import { root, sql } from "./sandbox.ts";

/**
 * In the place of a Supabase: a PostgreSQL with its roles and the shipped schema, and a receiver that takes what PostgREST takes of an insertion, and
 * does with it what PostgREST does: the same SQL, as the role of the key. PostgREST itself is not to be had here.
 */
export class Supabase {
  readonly key = "service-key-of-the-tests";
  readonly #receiver = new Receiver();
  readonly #database: string;
  /** What was refused, and why. */
  readonly refused: string[] = [];

  private constructor(database: string) {
    this.#database = database;
  }

  static async start(database: string): Promise<Supabase> {
    const supabase = new Supabase(database);
    await sql(roles, "postgres");
    await sql(`create database ${database}`, "postgres");
    const schema = await readFile(join(root, "n8n/supabase/finance_ppm.sql"), "utf8");
    // Once more: whoever has it already changes nothing.
    for (const text of [schema, schema]) await sql(text, database);
    supabase.#receiver.behave = (request, response) => void supabase.#answer(request, response);
    await supabase.#receiver.listen();
    return supabase;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#receiver.port}`;
  }

  /** As SQL is asked by a role. */
  async as(role: string, text: string): Promise<string> {
    return sql(`set role ${role};\n${text}`, this.#database).then((said) => said.replace(/^SET\n?/, ""));
  }

  async stop(): Promise<void> {
    await this.#receiver.close();
    await sql(`drop database if exists ${this.#database} with (force)`, "postgres");
    await sql("drop role if exists anon, authenticated, service_role", "postgres");
  }

  async #answer({ headers, url = "", method }: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = this.#receiver.requests.at(-1)?.body ?? "";
    const told = [
      headers["apikey"],
      headers.authorization,
      headers["content-profile"],
      headers["content-type"],
      method,
    ];
    const wanted = [this.key, `Bearer ${this.key}`, "finance_ppm", "application/json", "POST"];
    const table = /^\/rest\/v1\/(\w+)(?:\?on_conflict=([\w,]+))?$/.exec(url);
    try {
      if (table === null || told.join("\n") !== wanted.join("\n")) throw new Error(`${url} ${told.join(" ")}`);
      const isMerging = headers["prefer"]?.includes("resolution=merge-duplicates") === true;
      await this.as("service_role", insertion(table[1] ?? "", body, isMerging ? table[2] : undefined));
      response.writeHead(201).end();
    } catch (error) {
      this.refused.push(String(error));
      response.writeHead(400, { "content-type": "application/json" }).end('{"message": "refused"}');
    }
  }
}

const roles = `do $$ declare one text; begin
  foreach one in array array['anon', 'authenticated', 'service_role'] loop
    if to_regrole(one) is null then execute format('create role %I nologin', one); end if;
  end loop;
  alter role service_role bypassrls;
end $$`;

/** PostgREST names the columns that the body has, so that others keep their defaults. */
function insertion(table: string, body: string, onConflict?: string): string {
  const columns = Object.keys(JSON.parse(body) as object).map((name) => `"${name}"`);
  const upsert =
    onConflict === undefined
      ? ""
      : `on conflict (${onConflict}) do update set ${columns.map((name) => `${name} = excluded.${name}`).join(", ")}`;
  return `insert into finance_ppm.${table} (${columns.join(", ")})
    select ${columns.join(", ")} from json_populate_record(null::finance_ppm.${table}, $body$${body}$body$) ${upsert};`;
}
