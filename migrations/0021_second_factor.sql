-- A second factor for staff: codes of an app on the phone, and recovery codes for the day the phone is gone. Signing in stays half open
-- until the code was given. A session knows when its person last proved who they are.
set local lock_timeout = '5s';

-- sealed: the secret that the app shares, encrypted under a key that is not in the database, so that a copy of the database makes no
-- codes. confirmed_at: since when it is asked for; before that it is being set up. last_step: the step of the last code that was taken;
-- it and all before it are refused from then on.
create table second_factor (
  account_id uuid primary key references account (id),
  sealed bytea not null check (length(sealed) between 29 and 200),
  created_at timestamptz not null,
  confirmed_at timestamptz,
  last_step bigint not null default 0,
  -- Codes tried since tried_from.
  tries integer not null default 0,
  tried_from timestamptz
);

-- Only the SHA-256 of each code: 80 random bits, which nobody guesses from it. Used up by deleting it.
create table recovery_code (
  account_id uuid not null references account (id),
  hash bytea not null check (length(hash) = 32),
  primary key (account_id, hash)
);

-- After the right password, before the code. Opens nothing.
create table half_sign_in (
  token_hash bytea primary key check (length(token_hash) = 32),
  account_id uuid not null references account (id),
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index half_sign_in_by_account on half_sign_in (account_id);
create index half_sign_in_by_end on half_sign_in (expires_at);

-- When the person at this session last gave their password, and the code if they have one.
alter table session add column confirmed_at timestamptz;

-- Whether the clinic's staff must have a second factor.
alter table clinic add column second_factor_required boolean not null default false;

do $$
declare t text;
begin
  foreach t in array array['second_factor', 'recovery_code', 'half_sign_in'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy signin on %I to homestretch_signin using (true) with check (true)', t);
    execute format('create policy backup on %I for select to homestretch_backup using (true)', t);
    execute format('grant select on %I to homestretch_backup', t);
  end loop;
end $$;
grant select, insert, update, delete on second_factor to homestretch_signin;
grant select, insert, delete on recovery_code, half_sign_in to homestretch_signin;

-- Who comes with a token (as before), with when they last proved who they are, whether they have a second factor, and whether their
-- clinic wants staff to have one.
drop function open_session;
create function open_session(digest bytea, moment timestamptz, staff_since timestamptz, patient_since timestamptz, seen_before timestamptz)
  returns table (id uuid, account_id uuid, email text, language text, reach text, clinic_id uuid, clinic_name text, clinic_zone text,
    phone text, whatsapp text, membership_id uuid, role text, staff_name text, patient_id uuid, patient_name text, patient_zone text,
    patient_language text, seats bigint, caseload uuid, confirmed_at timestamptz, second_factor boolean, second_factor_wanted boolean)
  language plpgsql security definer set search_path = public, pg_temp
  as $$
  #variable_conflict use_column
  declare
    found_id uuid;
    last_seen timestamptz;
  begin
    select s.id, s.seen_at, s.account_id, a.email, a.language, s.reach, s.clinic_id, c.name, c.zone, c.phone, c.whatsapp, m.id, m.role, m.name,
        p.id, p.name, p.zone, p.language,
        (select count(*) from membership x where x.account_id = s.account_id and x.joined_at is not null and x.disabled_at is null)
          + (select count(*) from patient y where y.account_id = s.account_id),
        case when c.own_caseload and m.role = 'physiotherapist' then m.id end,
        s.confirmed_at, f.account_id is not null, c.second_factor_required and m.id is not null
      into found_id, last_seen, account_id, email, language, reach, clinic_id, clinic_name, clinic_zone, phone, whatsapp, membership_id, role,
        staff_name, patient_id, patient_name, patient_zone, patient_language, seats, caseload, confirmed_at, second_factor,
        second_factor_wanted
      from session s
      join account a on a.id = s.account_id
      join clinic c on c.id = s.clinic_id
      left join membership m on m.clinic_id = s.clinic_id and m.id = s.membership_id and m.account_id = s.account_id
        and m.joined_at is not null and m.disabled_at is null
      left join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id and p.account_id = s.account_id
      left join second_factor f on f.account_id = s.account_id and f.confirmed_at is not null
      where s.token_hash = digest and s.expires_at > moment
        and s.seen_at > case when s.membership_id is null then patient_since else staff_since end
        and (m.id is not null or p.id is not null);
    if found_id is null then
      return;
    end if;
    id := found_id;
    perform set_config('app.clinic_id', open_session.clinic_id::text, true),
      set_config('app.patient_id', coalesce(open_session.patient_id::text, ''), true),
      set_config('app.caseload', coalesce(open_session.caseload::text, ''), true);
    -- A write for every request would cost more than it tells.
    if last_seen < seen_before then
      update session set seen_at = moment where session.id = found_id;
    end if;
    return next;
  end $$;

revoke all on function open_session from public;
grant execute on function open_session to homestretch_app;
-- An owner needs the right to make things in the schema for the moment in which it becomes one.
grant create on schema public to homestretch_signin;
alter function open_session owner to homestretch_signin;
revoke create on schema public from homestretch_signin;
