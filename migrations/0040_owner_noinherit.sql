-- The user that DATABASE_URL names owns the tables and is a member of the program's roles. It has their rights only while it has stepped
-- into one of them (SET ROLE), not by being a member: a connection that lost its role then finds nothing it may read or write, instead of
-- working with the rights of all roles at once. A superuser is bound by nothing and is left as it is; on such an installation the program's
-- own check of each connection is what stops it (crates/store/src/db/connect.rs).
set local lock_timeout = '5s';

do $$
declare name text;
begin
  if (select rolsuper from pg_roles where rolname = current_user) then
    return;
  end if;
  if (select rolinherit from pg_roles where rolname = current_user) then
    begin
      execute format('alter role %I noinherit', current_user);
    exception when insufficient_privilege then
      -- From PostgreSQL 16 on a role may not change itself; there each membership says by itself whether its rights are inherited.
      null;
    end;
  end if;
  if current_setting('server_version_num')::int >= 160000 then
    foreach name in array array['homestretch_app', 'homestretch_signin', 'homestretch_worker', 'homestretch_audit', 'homestretch_backup'] loop
      begin
        execute format('grant %I to %I with inherit false', name, current_user);
      exception when insufficient_privilege or undefined_object then
        -- Handed out by another administrator, who decides; docs/operating.md says what to ask for.
        null;
      end;
    end loop;
  end if;
end $$;
