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
revoke all on function end_sessions_of from public;
grant execute on function end_sessions_of to homestretch_app;
-- An owner needs the right to make things in the schema for the moment in which it becomes one.
grant create on schema public to homestretch_signin;
alter function end_sessions_of owner to homestretch_signin;
revoke create on schema public from homestretch_signin;
create index session_by_member on session (clinic_id, membership_id) where membership_id is not null;

-- Failed tries are forgotten by their age; without this each failure read all of them.
create index sign_in_failure_by_age on sign_in_failure (last_at);
