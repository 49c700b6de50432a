/**
 * What Odoo's own `neutralize` leaves as it was (read in and measured on 19, see docs/tested.md): where mail servers are and how they
 * are opened, mail that waits, the schedulers' last one, addresses and keys in system parameters, the ends of Odoo's paid services, who
 * the database is. A copy must not know any of it: what does not know where to call cannot call, whoever presses which button.
 *
 * Tables and columns of modules that are not installed are passed over.
 */

/** Never resolved by any name server (RFC 6761). */
export const nowhere = "neutralized.invalid";

interface Silence {
  readonly table: string;
  /** Columns and the SQL expressions that they get. */
  readonly set: Readonly<Record<string, string>>;
  /** Which rows; all of them without it. */
  readonly where?: string;
}

const host = `'${nowhere}'`;
const url = `'https://${nowhere}'`;
const noTokens = Object.fromEntries(
  ["google_gmail", "microsoft_outlook"].flatMap((name) => [
    [`${name}_refresh_token`, "null"],
    [`${name}_access_token`, "null"],
  ]),
);

const silences: readonly Silence[] = [
  // Without an active one Odoo takes the server of its configuration: its own dummy stays. A queued mail may name its server, and a person may switch one on again: it must lead nowhere then, without its password.
  {
    table: "ir_mail_server",
    set: { active: "false", smtp_host: host, smtp_user: "null", smtp_pass: "null", ...noTokens },
    where: "smtp_host is distinct from 'invalid'",
  },
  {
    table: "fetchmail_server",
    set: { active: "false", state: "'draft'", server: host, user: "null", password: "null", ...noTokens },
  },
  {
    table: "mail_mail",
    set: { state: "'cancel'" },
    where: "state in ('outgoing', 'exception')",
  },
  { table: "mail_message", set: { mail_server_id: "null" }, where: "mail_server_id is not null" },
  { table: "mail_template", set: { mail_server_id: "null" } },
  { table: "mailing_mailing", set: { mail_server_id: "null" } },
  {
    table: "mailing_mailing",
    set: { state: "'draft'", schedule_date: "null" },
    where: "state in ('in_queue', 'sending')",
  },
  { table: "sms_sms", set: { state: "'canceled'" }, where: "state in ('outgoing', 'process', 'error')" },
  { table: "snailmail_letter", set: { state: "'canceled'" }, where: "state in ('pending', 'error')" },
  { table: "ir_cron", set: { active: "false" } },
  // The queue of the OCA: its runner works for every database that it finds.
  {
    table: "queue_job",
    set: { state: "'cancelled'" },
    where: "state in ('wait_dependencies', 'pending', 'enqueued', 'started')",
  },
  { table: "payment_provider", set: { state: "'disabled'", is_published: "false" } },
  { table: "ir_act_server", set: { webhook_url: url }, where: "webhook_url is not null" },
  // Whoever knows production's address of an automation must not reach the copy's.
  { table: "base_automation", set: { webhook_uuid: "gen_random_uuid()::text" }, where: "webhook_uuid is not null" },
  { table: "auth_oauth_provider", set: { enabled: "false", client_id: "null" } },
  { table: "res_company_ldap", set: { ldap_server: host, ldap_password: "null" } },
  {
    table: "res_users_settings",
    set: {
      google_calendar_rtoken: "null",
      google_calendar_token: "null",
      google_synchronization_stopped: "true",
      microsoft_calendar_sync_token: "null",
      microsoft_synchronization_stopped: "true",
    },
  },
  { table: "res_users", set: { microsoft_calendar_token: "null", microsoft_calendar_rtoken: "null" } },
  { table: "website", set: { domain: "null", cdn_activated: "false" } },
  {
    table: "ir_ui_view",
    set: { active: "true" },
    where: "key in ('web.neutralize_banner', 'website.neutralize_ribbon')",
  },
];

/** Rows that are a wish to do something later, or the address of a device. */
const wishes = ["ir_cron_trigger", "mail_scheduled_message", "mail_message_schedule", "mail_push", "mail_push_device"];

/** Where modules of Odoo call when nobody says otherwise: to be told otherwise, since without a value they know it themselves. */
const endpoints = [
  "iap.endpoint",
  "iap.partner_autocomplete.endpoint",
  "enrich.endpoint",
  "reveal.endpoint",
  "sms.endpoint",
  "snailmail.endpoint",
  "odoo_ocn.endpoint",
  "mail.server.gmail.iap.endpoint",
  "mail.server.outlook.iap.endpoint",
  "microsoft_account.auth_endpoint",
  "microsoft_account.token_endpoint",
  "website.website_api_endpoint",
  "website.olg_api_endpoint",
  "html_editor.media_library_endpoint",
  "html_editor.olg_api_endpoint",
  "web_editor.media_library_endpoint",
  "web_editor.olg_api_endpoint",
];

/** The database's own: who it is, and what signs its sessions. */
const ofDatabase = (name: string) => `database.${name}`;
const identity = ["uuid", "secret"].map(ofDatabase);
/** The contract of production, and an address that logging in must be able to change. */
const forgotten = [ofDatabase("enterprise_code"), "web.base.url.freeze", "report.url"];

/** A value that leads somewhere: an address of any kind, or whatever speaks of n8n. */
const leads = `(value ~ '://' or value ilike '%n8n%' or key ilike '%n8n%')`;
/** A key to something. Numbers and switches, such as the least length of passwords, are none. */
const opens = `(key ~* '(token|secret|passw|api_?key|private_key|access_key|credential|webhook)'
    and value !~* '^(-?[0-9.]+|true|false)?$')`;
const own = `key not in (${[...identity, "web.base.url", "ipai.module_hashes"].map(literal).join(", ")})`;

/** `url`: the address that it gives itself. All of it or nothing. */
export const isolateSql = `
begin;
set local search_path to pg_catalog, public;
${silences.map(silenceSql).join("")}${wishes.map(emptySql).join("")}
insert into public.ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)
  select 'neutralization - disable emails', 1025, 'invalid', 'none', true, 'login'
    where not exists (select from public.ir_mail_server where active);
update public.ir_config_parameter set value = ${url} where ${leads} and ${own} and value <> ${url};
update public.ir_config_parameter set value = 'neutralized' where ${opens} and ${own} and value <> ${url};
delete from public.ir_config_parameter where key in (${forgotten.map(literal).join(", ")});
insert into public.ir_config_parameter (key, value)
  select key, value from (values
    ${[
      ...endpoints.map((key) => `('${key}', ${url})`),
      ...identity.map((key) => `('${key}', gen_random_uuid()::text)`),
      "('web.base.url', :'url')",
      "('database.is_neutralized', 'true')",
    ].join(",\n    ")}) given (key, value)
  on conflict (key) do update set value = excluded.value;
commit;
`;

/** An update of those columns that the table has; of none when there is no such table. */
function silenceSql({ table, set, where = "true" }: Silence): string {
  const columns = Object.entries(set).map(([column, value]) => `('${column}', ${literal(value)})`);
  return `select format('update public.${table} set %s where %s', string_agg(format('%I = %s', wanted, expression), ', '), ${literal(where)})
  from (values ${columns.join(", ")}) wanted (wanted, expression)
  join pg_attribute on attrelid = to_regclass('public.${table}') and attname = wanted and not attisdropped
  having count(*) > 0 \\gexec
`;
}

function emptySql(table: string): string {
  return `select 'delete from public.${table}' where to_regclass('public.${table}') is not null \\gexec
`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * What in a database could still reach somebody, in words; empty when nothing can. Asked of the copy itself, whatever was done to it
 * before.
 */
export const leaksSql = `
set search_path to pg_catalog, public;
create temporary table leaks (what text);
${[
  leak("ir_cron", "count(*) || ' scheduled actions'", "active"),
  leak(
    "ir_mail_server",
    "string_agg('mail server ' || coalesce(smtp_host, 'of the configuration'), ', ')",
    `coalesce(smtp_host, '') not in ('invalid', ${host})`,
  ),
  leak(
    "ir_mail_server",
    "'no mail server that keeps Odoo from the one of its configuration'",
    "active",
    "count(*) = 0",
  ),
  leak("fetchmail_server", "string_agg('mailbox ' || server, ', ')", `coalesce(server, ${host}) <> ${host}`),
  leak("mail_mail", "count(*) || ' queued mails'", "state = 'outgoing'"),
  leak("sms_sms", "count(*) || ' queued texts'", "state = 'outgoing'"),
  leak("payment_provider", "count(*) || ' payment providers'", "state <> 'disabled'"),
  leak("ir_act_server", "string_agg('webhook ' || webhook_url, ', ')", `webhook_url <> ${url}`),
  leak("auth_oauth_provider", "count(*) || ' OAuth providers'", "enabled"),
  leak("queue_job", "count(*) || ' queued jobs'", "state in ('wait_dependencies', 'pending', 'enqueued', 'started')"),
  leak("ir_config_parameter", "string_agg('parameter ' || key, ', ')", `${leads} and ${own} and value <> ${url}`),
].join("")}
select coalesce(string_agg(what, '; ' order by what), '') from leaks where what is not null;
`;

function leak(table: string, words: string, where: string, having = "count(*) > 0"): string {
  const query = `insert into leaks select ${words} from public.${table} where ${where} having ${having}`;
  return `select ${literal(query)} where to_regclass('public.${table}') is not null \\gexec
`;
}
