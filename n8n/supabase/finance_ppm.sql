-- The schema finance_ppm of a Supabase (or of any PostgreSQL behind PostgREST with its roles): what n8n keeps there of Odoo's monthly reports and of
-- how fast Odoo answers. Run it as the database's owner, as often as you like; then add finance_ppm to the exposed schemas (Settings, API), or PostgREST
-- answers PGRST106.

begin;

create schema if not exists finance_ppm;

-- A row for each company and month: a new revision takes the place of the last one.
create table if not exists finance_ppm.monthly_reports (
  id bigint generated always as identity primary key,
  company text not null,
  period text not null check (period ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  revision integer not null check (revision > 0),
  generated_at timestamptz not null,
  total_forms integer not null,
  filed_on_time integer not null,
  late_filings integer not null,
  -- Per cent; null when nothing was due, which is not 0.
  compliance_rate numeric check (compliance_rate between 0 and 100),
  avg_completion numeric check (avg_completion between 0 and 100),
  -- In pesos, an estimate; null when of no late filing the amount due is known.
  exposure_estimate numeric,
  status_filed integer not null,
  status_late integer not null,
  status_open integer not null,
  status_not_applicable integer not null,
  report_markdown text,
  received_at timestamptz not null default now(),
  unique (company, period),
  check (total_forms = status_filed + status_late + status_open)
);

create or replace function finance_ppm.keep_newest() returns trigger language plpgsql as $$
begin
  if new.revision < old.revision then
    return null;
  end if;
  new.received_at = now();
  return new;
end $$;

create or replace trigger keep_newest before update on finance_ppm.monthly_reports
for each row execute function finance_ppm.keep_newest();

-- What was measured. What is no answer by HTTP has no response_time_ms, or it would be in its average.
create table if not exists finance_ppm.performance_logs (
  id bigint generated always as identity primary key,
  "timestamp" timestamptz not null default now(),
  source text not null check (source in ('odoo', 'n8n', 'ocr', 'visual')),
  metric text not null,
  route text,
  status_code integer,
  response_time_ms numeric check (response_time_ms >= 0),
  query_duration_ms numeric check (query_duration_ms >= 0),
  queue_processing_ms numeric check (queue_processing_ms >= 0),
  ocr_confidence numeric check (ocr_confidence between 0 and 1),
  ssim_score numeric check (ssim_score between 0 and 1),
  meta jsonb not null default '{}',
  check (response_time_ms is null or route is not null)
);

create index if not exists performance_logs_timestamp on finance_ppm.performance_logs ("timestamp");

-- Kept for 90 days, seen to with each row that comes.
create or replace function finance_ppm.forget_old() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  delete from finance_ppm.performance_logs where "timestamp" < now() - interval '90 days';
  return null;
end $$;

create or replace trigger forget_old after insert on finance_ppm.performance_logs
for each statement execute function finance_ppm.forget_old();

-- Whoever has logged in may read, the service writes, anybody else sees nothing.
alter table finance_ppm.monthly_reports enable row level security;
alter table finance_ppm.performance_logs enable row level security;

drop policy if exists read on finance_ppm.monthly_reports;
create policy read on finance_ppm.monthly_reports for select to authenticated using (true);
drop policy if exists read on finance_ppm.performance_logs;
create policy read on finance_ppm.performance_logs for select to authenticated using (true);
drop policy if exists write on finance_ppm.monthly_reports;
create policy write on finance_ppm.monthly_reports to service_role using (true) with check (true);
drop policy if exists write on finance_ppm.performance_logs;
create policy write on finance_ppm.performance_logs to service_role using (true) with check (true);

revoke all on all tables in schema finance_ppm from public, anon;
revoke execute on all functions in schema finance_ppm from public;
grant usage on schema finance_ppm to authenticated, service_role;
grant select on all tables in schema finance_ppm to authenticated;
grant select, insert, update on all tables in schema finance_ppm to service_role;

commit;
