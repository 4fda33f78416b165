-- The team: who is out is out at once; and a clinic's wish that physiotherapists see their own caseload only.
set local lock_timeout = '5s';

-- Owners always see all patients, and a patient on nobody's caseload is everybody's.
alter table clinic add column own_caseload boolean not null default false;

create function current_caseload() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('app.caseload', true), '')::uuid $$;

create policy caseload on patient as restrictive to homestretch_app
  using (current_caseload() is null or physiotherapist_id is null or physiotherapist_id = current_caseload())
  with check (current_caseload() is null or physiotherapist_id is null or physiotherapist_id = current_caseload());
-- What belongs to a patient is seen by whoever sees the patient: the policies of patient hold inside these, too. The patients are
-- listed once a statement, and only for somebody who is narrowed.
do $$
declare
  t text;
  seen constant text := 'current_caseload() is null or patient_id in (select p.id from patient p where p.clinic_id = current_clinic())';
begin
  foreach t in array array[
    'consent', 'program', 'program_version', 'prescription', 'program_pause', 'session_log', 'log_entry', 'log_revision',
    'attention_mark', 'reminder_rule'] loop
    execute format('create policy caseload on %I as restrictive to homestretch_app using (%s) with check (%s)', t, seen, seen);
  end loop;
  -- A mail to a member of staff is about no patient.
  execute format('create policy caseload on notice as restrictive to homestretch_app using (patient_id is null or %s) with check (patient_id is null or %s)', seen, seen);
end $$;
create policy caseload on delivery_attempt as restrictive to homestretch_app
  using (current_caseload() is null or exists (
    select from notice n where n.clinic_id = delivery_attempt.clinic_id and n.id = delivery_attempt.notice_id));

-- Ends every session of a member of the staff of the clinic at work in. The clinic's own role reads no sessions.
create function end_sessions_of(member uuid) returns bigint language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    ended bigint;
  begin
    delete from session where clinic_id = current_clinic() and membership_id = member;
    get diagnostics ended = row_count;
    return ended;
  end $$;

-- Who comes with a token (as before), with the caseload that they are narrowed to, if they are.
drop function open_session;
create function open_session(digest bytea, moment timestamptz, staff_since timestamptz, patient_since timestamptz, seen_before timestamptz)
  returns table (id uuid, account_id uuid, email text, language text, reach text, clinic_id uuid, clinic_name text, clinic_zone text,
    phone text, whatsapp text, membership_id uuid, role text, staff_name text, patient_id uuid, patient_name text, patient_zone text,
    patient_language text, seats bigint, caseload uuid)
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
        case when c.own_caseload and m.role = 'physiotherapist' then m.id end
      into found_id, last_seen, account_id, email, language, reach, clinic_id, clinic_name, clinic_zone, phone, whatsapp, membership_id, role,
        staff_name, patient_id, patient_name, patient_zone, patient_language, seats, caseload
      from session s
      join account a on a.id = s.account_id
      join clinic c on c.id = s.clinic_id
      left join membership m on m.clinic_id = s.clinic_id and m.id = s.membership_id and m.account_id = s.account_id
        and m.joined_at is not null and m.disabled_at is null
      left join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id and p.account_id = s.account_id
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

revoke all on function end_sessions_of, open_session from public;
grant execute on function end_sessions_of, open_session to homestretch_app;
-- An owner needs the right to make things in the schema for the moment in which it becomes one.
grant create on schema public to homestretch_signin;
alter function end_sessions_of owner to homestretch_signin;
alter function open_session owner to homestretch_signin;
revoke create on schema public from homestretch_signin;
create index session_by_member on session (clinic_id, membership_id) where membership_id is not null;

-- Failed tries are forgotten by their age; without this each failure read all of them.
create index sign_in_failure_by_age on sign_in_failure (last_at);
