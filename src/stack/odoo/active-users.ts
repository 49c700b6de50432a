import { z } from "zod";

/**
 * Who is at work in Odoo. Sessions are files that anonymous visitors have too, so the database is asked. A window that is open polls for
 * presence (`bus_presence`, in 19 `mail_presence`), where the module is installed; `res_device_log` (from 18 on) notes who has done
 * something, once an hour at most. Whoever uses XML-RPC or JSON-RPC with a password is in neither.
 */

export interface ActiveUsers {
  readonly count: number;
  /** The first few. */
  readonly logins: readonly string[];
}

/** The tables that could tell, as a JSON list. */
export const activeUserTablesSql = `
select coalesce(json_agg(name), '[]')
  from unnest(array['bus_presence', 'mail_presence', 'res_device_log']) name where to_regclass('public.' || name) is not null;
`;

export const shownLoginsMax = 5;

/** A person who works all the time is noted again after an hour: five minutes more for what she did since. */
const secondsOf: Readonly<Record<string, readonly [column: string, seconds: number]>> = {
  bus_presence: ["last_poll", 300],
  mail_presence: ["last_poll", 300],
  res_device_log: ["last_activity", 3900],
};

/** Of one table at least. `ActiveUsers` as JSON; neither Odoo itself nor visitors count, nor the login in `besides`. */
export function activeUsersSql(tables: readonly string[]): string {
  const parts = tables.flatMap((table) => {
    const [column, seconds] = secondsOf[table] ?? [];
    const since = `now() at time zone 'UTC' - interval '${seconds} s'`;
    return column === undefined ? [] : [`select user_id from ${table} where ${column} > ${since}`];
  });
  return `
with people as (
  select login from res_users where active and id <> 1 and login <> :'besides' and id in (${parts.join(" union ")}) order by login
)
select json_build_object('count', count(*), 'logins', coalesce((array_agg(login order by login))[:${shownLoginsMax}], '{}')) from people;
`;
}

const tables = z.array(z.string());
const users = z.object({ count: z.number(), logins: z.array(z.string()) });

export function parseActiveUserTables(answer: unknown): readonly string[] {
  return tables.parse(answer);
}

export function parseActiveUsers(answer: unknown): ActiveUsers {
  return users.parse(answer);
}
