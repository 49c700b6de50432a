import type { Archived } from "./archive.ts";

/** A database of Odoo's own shape with a few models and no Odoo: what comparing, extracting and finding ask for, and what trips them. */
export function createLedger(test: Archived): void {
  test.sql("create database odoo");
  test.sql(schema, "odoo");
}

const schema = `
create table ir_module_module (id serial primary key, name text, state text, latest_version text);
insert into ir_module_module (name, state) values ('account', 'installed');
create table res_partner (id serial primary key, name text, email text, ref jsonb,
  create_uid int, write_uid int, create_date timestamp, write_date timestamp);
create table res_users (id serial primary key, login text, partner_id int, create_uid int, write_uid int);
insert into res_partner (name, create_uid, write_uid) values ('System', 1, 1), ('Anna Reyes', 1, 1), ('Ben Cruz', 1, 1), ('Supplier', 2, 2);
insert into res_users (login, partner_id) values ('__system__', 1), ('anna', 2), ('ben', 3);
create table ir_model (id serial primary key, model text, name jsonb, transient bool);
insert into ir_model (model, name) values ('res.partner', '{"en_US": "Contact"}'), ('res.users', '{"en_US": "User"}'),
  ('account.move', '{"en_US": "Journal Entry"}'), ('account.move.line', '{"en_US": "Journal Item"}'), ('ir.cron', '{"en_US": "Scheduled Actions"}'),
  ('bus.bus', '{"en_US": "Communication Bus"}'), ('ir.attachment', '{"en_US": "Attachment"}'), ('ir.actions.actions', '{"en_US": "Actions"}'),
  ('ir.actions.act_window', '{"en_US": "Action Window"}'), ('mail.message', '{"en_US": "Message"}'), ('account.tag', '{"en_US": "Tag"}');
insert into ir_model (model, name, transient) values ('base.ask.wizard', '{"en_US": "Ask"}', true);
create table base_ask_wizard (id serial primary key, create_uid int, write_uid int);
create table ir_model_fields (id serial primary key, model text, name text, ttype text, relation text, relation_field text,
  relation_table text, column1 text, column2 text, store bool, field_description jsonb);
insert into ir_model_fields (model, name, ttype, relation, relation_field, relation_table, column1, column2, store, field_description) values
  ('account.move', 'line_ids', 'one2many', 'account.move.line', 'move_id', null, null, null, true, '{"en_US": "Items"}'),
  ('account.move', 'message_ids', 'one2many', 'mail.message', 'res_id', null, null, null, true, '{"en_US": "Messages"}'),
  ('account.move', 'tag_ids', 'many2many', 'account.tag', null, 'account_move_tag_rel', 'move_id', 'tag_id', true, '{"en_US": "Tags"}');
create table account_tag (id serial primary key, name text, create_uid int, write_uid int);
insert into account_tag (name) values ('urgent');
create table account_move (id serial primary key, name text, state text, amount numeric, partner_id int, narration text,
  create_uid int, write_uid int, create_date timestamp, write_date timestamp);
create table account_move_line (id serial primary key, move_id int, label text, debit numeric, credit numeric, create_uid int, write_uid int);
create table account_move_tag_rel (move_id int, tag_id int);
create table mail_message (id serial primary key, model text, res_id int, body text, create_uid int, write_uid int);
create table ir_attachment (id serial primary key, name text, type text, url text, res_model text, res_id int, res_field text, mimetype text,
  store_fname text, checksum text, db_datas bytea, file_size int, create_uid int, write_uid int);
create table bus_bus (id serial primary key, message text, create_uid int, write_uid int);
create table ir_cron (id serial primary key, cron_name text, nextcall timestamp);
insert into ir_cron (cron_name, nextcall) values ('clean up', now());
create table orm_signaling_default (id serial primary key, date timestamp);
-- The tables of actions inherit from one another.
create table ir_actions (id serial primary key, name jsonb, create_uid int, write_uid int);
create table ir_act_window (res_model text) inherits (ir_actions);
insert into ir_act_window (name, res_model) values ('{"en_US": "Invoices"}', 'account.move');
insert into ir_actions (name) values ('{"en_US": "Something"}');
create unlogged table scratch_notes (id serial primary key, note text);
create table uuid_keys (id uuid, note text);
insert into uuid_keys values ('00000000-0000-4000-8000-000000000001', 'one'), ('00000000-0000-4000-8000-000000000001', 'one');
`;
