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
