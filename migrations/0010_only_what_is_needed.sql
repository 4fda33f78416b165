-- What no statement needs is not granted.
set local lock_timeout = '5s';

-- Addresses that get no mail have no patient_id, so a patient's session saw those of the whole clinic. It sees its own alone.
create policy own on suppression as restrictive to homestretch_app
  using (current_patient() is null
    or email = (select p.email from patient p where p.clinic_id = suppression.clinic_id and p.id = current_patient()))
  with check (current_patient() is null
    or email = (select p.email from patient p where p.clinic_id = suppression.clinic_id and p.id = current_patient()));

-- What was prescribed is never rewritten, only superseded by another version; the entries of a corrected log are replaced as a whole.
revoke update on program_version, prescription, log_entry, template_item from homestretch_app;

-- A mail is written to the address that the notice has; accounts, with the hashes of their passwords, are not the worker's to read.
revoke select on account from homestretch_worker;
drop policy worker on account;

-- How much was written into the audit is not a patient's to know.
create policy staff on audit_head as restrictive to homestretch_app
  using (current_patient() is null) with check (current_patient() is null);

-- A caseload narrows what is told about a patient elsewhere, too: what was taken back, and who looked.
do $$
declare
  t text;
  seen constant text := 'current_caseload() is null or patient_id in (select p.id from patient p where p.clinic_id = current_clinic())';
begin
  execute format('create policy caseload on consent_withdrawal as restrictive to homestretch_app using (%s) with check (%s)', seen, seen);
  execute format('create policy caseload on audit_entry as restrictive to homestretch_app using (patient_id is null or %s) with check (patient_id is null or %s)', seen, seen);
  -- Breaches are the owner's, and no owner is narrowed.
  foreach t in array array['breach', 'breach_note'] loop
    execute format('create policy caseload on %I as restrictive to homestretch_app using (current_caseload() is null) with check (current_caseload() is null)', t);
  end loop;
end $$;
alter policy caseload on delivery_attempt with check (current_caseload() is null or exists (
  select from notice n where n.clinic_id = delivery_attempt.clinic_id and n.id = delivery_attempt.notice_id));
