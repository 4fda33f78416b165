-- A request's session is checked again, and locked, in the transaction that uses it; and a session opened by a mail ends when the record's address
-- is no longer the one that the mail went to.
set local lock_timeout = '5s';

-- For a session opened by a one-tap link: the address that the reminder went to. The session is valid only while the record has that address.
-- Null for every other session, and for all that the previous version opens.
alter table session add column mailed_to text check (mailed_to = lower(mailed_to) and length(mailed_to) <= 254);

-- Closing a record ends its sessions in the same transaction.
create index session_by_patient on session (clinic_id, patient_id) where patient_id is not null;

-- The functions below belong to homestretch_signin, which needs CREATE on the schema while they are made.
grant create on schema public to homestretch_signin;
set local role homestretch_signin;

-- As before, and a session opened by a mail is valid only while the record has the address that the mail went to.
create or replace function open_session(digest bytea, moment timestamptz, staff_since timestamptz, patient_since timestamptz, seen_before timestamptz)
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
        and (m.id is not null or p.id is not null)
        and (s.mailed_to is null or s.mailed_to = p.email);
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

-- Whether the session of a request is still valid, by the rules above, and with which role: no row when it is not. The transaction is then bound
-- to the clinic, the patient and the caseload that hold now.
--
-- hold: 'session' locks the session's row (key share). Every change that revokes a right deletes the sessions that have it, so either the work is
-- committed first or it finds no session. 'account' locks the account too, for work that may end some of its sessions. 'nothing' only
-- checks. ends: the membership or record whose sessions the transaction is about to end.
--
-- Accounts are locked before sessions, sessions before the rows of a clinic, and each kind in the order of its ids, so that no two transactions
-- deadlock.
create function resume_session(this uuid, moment timestamptz, staff_since timestamptz, patient_since timestamptz, hold text, ends uuid)
  returns table (role text, must_set_up boolean)
  language plpgsql security definer set search_path = public, pg_temp
  as $$
  #variable_conflict use_column
  declare
    accounts uuid[];
    in_clinic uuid;
    of_patient uuid;
    of_caseload uuid;
  begin
    if hold = 'account' or ends is not null then
      select array_agg(x.account_id) into accounts from (
        select s.account_id from session s where s.id = this
        union select m.account_id from membership m join session s on s.clinic_id = m.clinic_id where s.id = this and m.id = ends
        union select p.account_id from patient p join session s on s.clinic_id = p.clinic_id where s.id = this and p.id = ends) x;
      perform 1 from account a where a.id = any (accounts) order by a.id for no key update;
    end if;
    if ends is not null then
      perform 1 from session s where s.account_id = any (accounts) order by s.id for update;
    elsif hold <> 'nothing' then
      perform 1 from session s where s.id = this for key share;
    end if;
    select m.role, c.second_factor_required and m.id is not null and f.account_id is null, s.clinic_id, p.id,
        case when c.own_caseload and m.role = 'physiotherapist' then m.id end
      into role, must_set_up, in_clinic, of_patient, of_caseload
      from session s
      join clinic c on c.id = s.clinic_id
      left join membership m on m.clinic_id = s.clinic_id and m.id = s.membership_id and m.account_id = s.account_id
        and m.joined_at is not null and m.disabled_at is null
      left join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id and p.account_id = s.account_id
      left join second_factor f on f.account_id = s.account_id and f.confirmed_at is not null
      where s.id = this and s.expires_at > moment
        and s.seen_at > case when s.membership_id is null then patient_since else staff_since end
        and (m.id is not null or p.id is not null)
        and (s.mailed_to is null or s.mailed_to = p.email);
    if not found then
      return;
    end if;
    perform set_config('app.clinic_id', in_clinic::text, true),
      set_config('app.patient_id', coalesce(of_patient::text, ''), true),
      set_config('app.caseload', coalesce(of_caseload::text, ''), true);
    return next;
  end $$;

-- Ends every session of a membership or of a patient's record in the current clinic. A patient's scope ends that patient's own only.
create or replace function end_sessions_of(member uuid) returns bigint language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    ended bigint;
  begin
    delete from session where id in (
      select s.id from session s
      where s.clinic_id = current_clinic()
        and (s.patient_id = member or s.membership_id = member and current_patient() is null)
        and (current_patient() is null or s.patient_id = current_patient())
      order by s.id for update);
    get diagnostics ended = row_count;
    return ended;
  end $$;

-- Ends the sessions opened by a patient's one-tap links, before the record's address changes.
create function end_mailed_sessions_of(whose uuid) returns bigint language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    ended bigint;
  begin
    delete from session where id in (
      select s.id from session s
      where s.clinic_id = current_clinic() and s.patient_id = whose and s.reach = 'today' and current_patient() is null
      order by s.id for update);
    get diagnostics ended = row_count;
    return ended;
  end $$;

revoke all on function resume_session, end_mailed_sessions_of from public;
grant execute on function resume_session, end_mailed_sessions_of to homestretch_app;
reset role;
revoke create on schema public from homestretch_signin;
