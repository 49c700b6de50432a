/** Days: the check is weekly by itself, and one that is late must see it too. */
const failureDays = 8;

/**
 * Reads every page of tables, TOAST tables and B-tree indexes of a database, as `pg_amcheck --heapallindexed` does, and says what is
 * damaged. It is safe beside users: what it needs (the extension amcheck, a schema, functions) is made in one transaction that is never
 * committed, so nobody sees it, no dump contains it, and nothing is left whatever ends it. Of each object it holds no more than the lock of a
 * reader, and only while it reads it. Tables come first, since an index is only looked up from rows that are sound: PostgreSQL reads a damaged
 * row trustingly there, and one flipped line pointer was seen to bring the whole server down (measured on 15). Like a dump, it keeps VACUUM from removing what died since it began.
 *
 * Damage is any line of verify_heapam, or an error of class XX (data or index corrupted) or 58 (a file is not there, a disk gives an error);
 * every other error, such as a lock or a time limit, leaves the object unread. What the server itself met counts, in any database, for as
 * long as its last time may lie after the check before; its counters know nothing of a repair.
 */
export const integritySql = `
select count(set_config(name, value, false)) as limits from (values
    ('statement_timeout', '7200000'), ('lock_timeout', '2000'), ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
    ('client_connection_check_interval', '10000'), ('client_min_messages', 'warning'), ('search_path', 'pg_catalog')) wanted (name, value)
  join pg_settings using (name) \\gset
begin;
create schema ipai_amcheck;
create extension if not exists amcheck schema ipai_amcheck;
select quote_ident(nspname) as amcheck from pg_extension join pg_namespace n on n.oid = extnamespace where extname = 'amcheck' \\gset
create table ipai_amcheck.found (relation oid primary key, bytes bigint, state varchar(10), faults bigint, said varchar(300));
select format($body$
create function ipai_amcheck.look(given oid, isIndex boolean, withTable boolean) returns void language plpgsql as $$
declare
  answer jsonb := '{"state": "sound"}';
begin
  begin
    if isIndex then
      perform %1$s.bt_index_check(given, withTable);
    elsif current_setting('server_version_num')::int >= 140000 then
      select jsonb_build_object('state', case when count(*) = 0 then 'sound' else 'damaged' end, 'faults', count(*),
          'said', (array_agg(format('block %%s%%s: %%s', blkno, ', item ' || offnum, msg) order by blkno, offnum))[1])
        into answer from %1$s.verify_heapam(relation => given, check_toast => true);
    else
      answer := '{"state": "skipped", "said": "PostgreSQL reads tables with amcheck from version 14 on"}';
    end if;
    -- Ends what was begun here, and with it the lock.
    raise exception using errcode = 'IP000';
  exception
    when sqlstate 'IP000' then null;
    when query_canceled or others then
      answer := jsonb_build_object('state', case when sqlstate ~ '^(XX|58)' then 'damaged' else 'skipped' end, 'faults', 1, 'said', sqlerrm);
  end;
  insert into ipai_amcheck.found select given, relpages::bigint * current_setting('block_size')::int, answer ->> 'state', (answer ->> 'faults')::bigint, left(answer ->> 'said', 300)
    from pg_class where oid = given;
end $$;
$body$, :'amcheck') \\gexec
select format('do $$ begin perform ipai_amcheck.look(%s, false, false); end $$', oid) from pg_class
  where relpersistence <> 't' and relnamespace <> 'ipai_amcheck'::regnamespace and relkind in ('r', 'm', 't') order by relpages, oid \\gexec
select format('do $$ begin perform ipai_amcheck.look(%s, true, %L); end $$', c.oid, coalesce(t.state, '') = 'sound')
  from pg_class c join pg_index on indexrelid = c.oid left join ipai_amcheck.found t on t.relation = indrelid
  where relpersistence <> 't' and relnamespace <> 'ipai_amcheck'::regnamespace
    and relkind = 'i' and relam = (select oid from pg_am where amname = 'btree') and indisvalid and indisready
  order by relpages, c.oid \\gexec
select to_regclass('public.ir_model') is not null as odoo \\gset
\\if :odoo
create view ipai_amcheck.models as select replace(model, '.', '_') as name, model from public.ir_model
  union select r.name, m.model from public.ir_model_relation r join public.ir_model m on m.id = r.model;
\\else
create view ipai_amcheck.models as select null::text as name, null::text as model where false;
\\endif
create view ipai_amcheck.wrong as
  select state, c.oid::regclass::text as relation, faults, said,
      case c.relkind when 'i' then 'index' when 't' then 'toast' else 'table' end as kind,
      case when owner.oid <> c.oid then owner.oid::regclass::text end as "table",
      (select min(model) from ipai_amcheck.models m where m.name = owner.relname and owner.relnamespace = 'public'::regnamespace) as model
    from ipai_amcheck.found join pg_class c on c.oid = relation left join pg_index on indexrelid = c.oid
    left join pg_class toasted on toasted.reltoastrelid = coalesce(indrelid, c.oid)
    join pg_class owner on owner.oid = coalesce(toasted.oid, indrelid, c.oid)
    where state <> 'sound' order by state, relation limit 100;
create view ipai_amcheck.words as
  select state, string_agg(concat(case kind when 'toast' then 'TOAST table' else kind end, ' ', relation, ' of ' || "table",
      ' (model ' || model || ')', case when faults > 1 then format(', %s faults, the first', faults) end, ': ', said), '; ' order by relation) as words
    from (select *, row_number() over (partition by state order by relation) as number from ipai_amcheck.wrong) numbered
    where number <= 5 group by state;
select json_build_object(
  'checksums', current_setting('data_checksums')::boolean,
  'checksumFailures', failures,
  'tables', (select count(*) from ipai_amcheck.found join pg_class c on c.oid = relation where relkind <> 'i'),
  'indexes', (select count(*) from ipai_amcheck.found join pg_class c on c.oid = relation where relkind = 'i'),
  'bytes', (select coalesce(sum(bytes), 0) from ipai_amcheck.found),
  'others', (select count(*) from pg_class where relkind = 'i' and relam <> (select oid from pg_am where amname = 'btree')),
  'damaged', (select count(*) from ipai_amcheck.found where state = 'damaged'),
  'skipped', (select count(*) from ipai_amcheck.found where state = 'skipped'),
  'damagedWords', concat_ws('; ', (select words from ipai_amcheck.words where state = 'damaged'),
    case when failures > 0 then format('pages had a wrong checksum, %s times, the last at %s UTC', failures, to_char(latest at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) end),
  'skippedWords', coalesce((select words from ipai_amcheck.words where state = 'skipped'), ''),
  'wrong', (select coalesce(json_agg(wrong), '[]') from ipai_amcheck.wrong))
  from (select coalesce(sum(checksum_failures), 0) as failures, max(checksum_last_failure) as latest from pg_stat_database
    where checksum_last_failure > now() - interval '${failureDays} days') statistics;
rollback;
`;
