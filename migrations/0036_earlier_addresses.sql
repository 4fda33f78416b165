-- An unsubscribe link stops reminders to the address it was sent to, also after the record's address was changed. It works in the scope of its patient,
-- which may therefore add an address that mail about this patient went to. What that scope reads stays the patient's present address.
set local lock_timeout = '5s';

alter policy own on suppression with check (
  (select current_patient()) is null
  or email = (select p.email from patient p where p.clinic_id = suppression.clinic_id and p.id = (select current_patient()))
  or email in (select n.recipient from notice n
    where n.clinic_id = suppression.clinic_id and n.patient_id = (select current_patient())));
