-- Odoo's role owns its database and may make no other.
create role odoo login nosuperuser nocreatedb nocreaterole;
create database odoo owner odoo template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8';
