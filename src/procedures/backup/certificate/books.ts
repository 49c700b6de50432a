/**
 * The trial balance of a restored copy. Only posted entries count; amounts are Odoo's own `numeric`, so the sums are exact. A
 * company is listed when it has any.
 */

/**
 * JSON `{companies, unbalanced}`. `companies` is null when accounting is not installed. `unbalanced` says in words whose posted entries
 * do not balance, as a whole or one by one; empty when all do.
 */
export const booksSql = `
select to_regclass('public.account_move_line') is not null as books \\gset
\\if :books
with moves as (
  select m.id, m.name, m.company_id, m.date, coalesce(sum(l.debit), 0) as debit, coalesce(sum(l.credit), 0) as credit
    from public.account_move m left join public.account_move_line l on l.move_id = m.id
    where m.state = 'posted' group by m.id),
foreign_items as (
  select m.company_id, f.name, coalesce(sum(l.amount_currency) filter (where l.amount_currency > 0), 0) as debit,
      coalesce(-sum(l.amount_currency) filter (where l.amount_currency < 0), 0) as credit
    from moves m join public.account_move_line l on l.move_id = m.id
    join public.res_company c on c.id = m.company_id join public.res_currency f on f.id = l.currency_id
    where l.currency_id <> c.currency_id group by 1, 2),
sums as (
  select c.id, c.name, f.name as currency, sum(debit) as debit, sum(credit) as credit, count(*) as moves, max(date) as last,
      count(*) filter (where debit <> credit) as unbalanced, min(m.name) filter (where debit <> credit) as example
    from moves m join public.res_company c on c.id = m.company_id join public.res_currency f on f.id = c.currency_id group by c.id, f.id)
select json_build_object(
  'companies', (select coalesce(json_agg(json_build_object('company', name, 'currency', currency, 'debit', debit::text, 'credit', credit::text,
      'moves', moves, 'unbalanced', unbalanced, 'lastDate', last,
      'foreign', (select coalesce(json_agg(json_build_object('currency', name, 'debit', debit::text, 'credit', credit::text) order by name), '[]')
        from foreign_items where company_id = sums.id)) order by id), '[]') from sums),
  'unbalanced', (select coalesce(string_agg(format('%s: %s of %s posted entries do not balance, such as %s', name, unbalanced, moves, example), '; '
      order by id), '') from sums where unbalanced > 0));
\\else
select json_build_object('companies', null, 'unbalanced', '');
\\endif
`;
