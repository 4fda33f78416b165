-- Who may see which row. Enabled and forced everywhere, so that even the tables' owner is bound.
set local lock_timeout = '5s';

do $$
declare t text;
begin
  foreach t in array array[
    'membership', 'patient', 'consent', 'exercise', 'template', 'template_item', 'program', 'program_version', 'prescription',
    'program_pause', 'session_log', 'log_entry', 'log_revision', 'attention_mark', 'reminder_rule', 'notice', 'delivery_attempt',
    'suppression'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy clinic on %I to homestretch_app using (clinic_id = current_clinic()) with check (clinic_id = current_clinic())', t);
  end loop;
  -- A patient's session sees that patient's rows alone.
  foreach t in array array[
    'consent', 'program', 'program_version', 'prescription', 'program_pause', 'session_log', 'log_entry', 'log_revision',
    'attention_mark', 'reminder_rule', 'notice'] loop
    execute format('create policy own on %I as restrictive to homestretch_app using (current_patient() is null or patient_id = current_patient()) with check (current_patient() is null or patient_id = current_patient())', t);
  end loop;
end $$;
create policy own on patient as restrictive to homestretch_app
  using (current_patient() is null or id = current_patient()) with check (current_patient() is null or id = current_patient());
-- Templates and attempts are the staff's; the library, the staff's names and the clinic itself are read by patients, never written.
create policy staff on template as restrictive to homestretch_app using (current_patient() is null) with check (current_patient() is null);
create policy staff on template_item as restrictive to homestretch_app using (current_patient() is null) with check (current_patient() is null);
create policy staff on delivery_attempt as restrictive to homestretch_app using (current_patient() is null) with check (current_patient() is null);
create policy staff_insert on exercise as restrictive for insert to homestretch_app with check (current_patient() is null);
create policy staff_update on exercise as restrictive for update to homestretch_app using (current_patient() is null) with check (current_patient() is null);
create policy staff_insert on membership as restrictive for insert to homestretch_app with check (current_patient() is null);
create policy staff_update on membership as restrictive for update to homestretch_app using (current_patient() is null) with check (current_patient() is null);

alter table clinic enable row level security;
alter table clinic force row level security;
create policy clinic on clinic to homestretch_app using (id = current_clinic()) with check (id = current_clinic());
create policy staff_update on clinic as restrictive for update to homestretch_app using (current_patient() is null) with check (current_patient() is null);

-- Accounts have no clinic. The app's own role may see an account's language and address for people it already knows through
-- sign-in; it goes through homestretch_signin for everything else, so it gets nothing here.
alter table account enable row level security;
alter table account force row level security;
alter table session enable row level security;
alter table session force row level security;
alter table link enable row level security;
alter table link force row level security;
alter table sign_in_failure enable row level security;
alter table sign_in_failure force row level security;
create policy signin on account to homestretch_signin using (true) with check (true);
create policy signin on session to homestretch_signin using (true) with check (true);
create policy signin on link to homestretch_signin using (true) with check (true);
create policy signin on sign_in_failure to homestretch_signin using (true) with check (true);
create policy signin on membership to homestretch_signin using (true) with check (true);
create policy signin on patient to homestretch_signin using (true) with check (true);
create policy signin on clinic to homestretch_signin using (true) with check (true);
create policy signin on consent for insert to homestretch_signin with check (true);
create policy signin on notice for insert to homestretch_signin with check (true);

create policy worker on reminder_rule to homestretch_worker using (true) with check (true);
create policy worker on notice to homestretch_worker using (true) with check (true);
create policy worker on delivery_attempt to homestretch_worker using (true) with check (true);
create policy worker on suppression to homestretch_worker using (true) with check (true);
create policy worker on clinic for select to homestretch_worker using (true);
create policy worker on patient for select to homestretch_worker using (true);
create policy worker on membership for select to homestretch_worker using (true);
create policy worker on account for select to homestretch_worker using (true);
create policy worker on link for insert to homestretch_worker with check (true);
create policy worker on program for select to homestretch_worker using (true);
create policy worker on program_version for select to homestretch_worker using (true);
create policy worker on program_pause for select to homestretch_worker using (true);
create policy worker on prescription for select to homestretch_worker using (true);
create policy worker on session_log for select to homestretch_worker using (true);
create policy worker on exercise for select to homestretch_worker using (true);

-- Grants. No DELETE but where a row is nobody's history; logs, revisions and attempts are only ever added to.
grant select, insert, update on membership, patient, exercise, template, program, program_version, prescription, program_pause,
  session_log, log_entry, attention_mark, reminder_rule, notice, suppression to homestretch_app;
grant select, insert on consent, log_revision to homestretch_app;
grant select on delivery_attempt to homestretch_app;
grant delete on template_item, reminder_rule, suppression, log_entry to homestretch_app;
grant select, insert, update on template_item to homestretch_app;
grant select, update on clinic to homestretch_app;

grant select, insert, update on account, link, sign_in_failure to homestretch_signin;
grant select, insert, update, delete on session to homestretch_signin;
grant delete on sign_in_failure to homestretch_signin;
grant select, insert on clinic to homestretch_signin;
grant select, insert, update on membership to homestretch_signin;
grant select on patient to homestretch_signin;
grant update (account_id, joined_at, language) on patient to homestretch_signin;
grant insert on consent, notice to homestretch_signin;
-- "on conflict (dedupe_key) do nothing" reads the key it conflicts on.
grant select (dedupe_key) on notice to homestretch_signin;
create policy signin_read on notice for select to homestretch_signin using (true);

grant select, update on reminder_rule to homestretch_worker;
grant select, insert, update on notice to homestretch_worker;
grant select, insert on delivery_attempt, suppression to homestretch_worker;
grant select on clinic, patient, membership, account, program, program_version, program_pause, prescription, session_log, exercise
  to homestretch_worker;
grant insert on link to homestretch_worker;
