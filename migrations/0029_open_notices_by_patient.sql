-- What is still open of one patient's mail. Saving a session, and every other change that can end a mail, takes back what a worker has
-- claimed for that patient; without this it would read all mail the patient ever got. It holds what is open alone, so it stays small.
set local lock_timeout = '5s';

create index notice_open_by_patient on notice (clinic_id, patient_id) where state in ('pending', 'claimed', 'sending');
