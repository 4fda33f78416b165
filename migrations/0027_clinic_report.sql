-- What the clinic's report reads: every session of a period, from the index alone. Without it a report of 28 days read all the sessions
-- that the clinic ever had. patient_id is there for row-level security, which compares it on every row.
--
-- It is built while the table is locked against writing (about 20 s for 9 million sessions): a migration is one transaction.
set local lock_timeout = '5s';

create index session_log_by_date on session_log (clinic_id, date) include (patient_id, program_id, completion, pain_after);
