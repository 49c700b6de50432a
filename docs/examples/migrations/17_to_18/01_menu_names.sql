-- Names of menus, from one text to one JSON object with a text per language, as Odoo keeps them since 16.0. A database that has them so
-- already, which every one of 17.0 does, stays as it is: turned once more they would be objects within objects.
do $$
begin
  if not exists (select from information_schema.columns where table_schema = 'public' and table_name = 'ir_ui_menu'
      and column_name = 'name' and data_type in ('character varying', 'text')) then
    return;
  end if;
  -- In place: the column keeps what depends on it, and that it may not be empty.
  alter table public.ir_ui_menu alter column name type jsonb
    using case when name is not null then jsonb_build_object('en_US', name) end;
  -- The other languages, where Odoo kept them until 15.0.
  if to_regclass('public.ir_translation') is not null then
    update public.ir_ui_menu menu set name = terms.of_languages || menu.name
      from (select res_id, jsonb_object_agg(lang, value order by id) as of_languages from public.ir_translation
          where type = 'model' and name = 'ir.ui.menu,name' and lang is not null and value <> '' group by res_id) terms
      where terms.res_id = menu.id and menu.name is not null;
  end if;
end
$$;
