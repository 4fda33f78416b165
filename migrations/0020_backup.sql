-- Who may read everything, for a backup: nobody but this role, and it may only read.
set local lock_timeout = '5s';

-- Row-level security is forced on the tables' owner too, so a backup made by an ordinary owner would stop at the first table. A
-- superuser needs none of this; an installation whose database user is an ordinary one switches to this role for its backups.
do $$
declare t record;
begin
  begin
    create role homestretch_backup nologin nosuperuser nobypassrls nocreatedb nocreaterole;
  exception when duplicate_object or unique_violation then
    -- Roles are shared by a whole server.
    null;
  end;
  if not pg_has_role(current_user, 'homestretch_backup', 'member') then
    execute format('grant homestretch_backup to %I', current_user);
  end if;
  grant usage on schema public to homestretch_backup;
  -- A table that a later migration makes needs both of these by itself.
  for t in select relname, relrowsecurity from pg_class
           where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by relname loop
    execute format('grant select on %I to homestretch_backup', t.relname);
    if t.relrowsecurity then
      execute format('create policy backup on %I for select to homestretch_backup using (true)', t.relname);
    end if;
  end loop;
end $$;
