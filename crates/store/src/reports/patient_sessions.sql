-- One patient's ($2) sessions between two civil dates ($3, $4), newest first and at most $5 of them: what the report rests on.
select id, program_id, date, performed_at, received_at, corrected_at, pain_before, pain_after, effort, note, red_flags, completion,
  logged_by is not null as by_staff
from session_log
where clinic_id = $1 and patient_id = $2 and date between $3 and $4
order by date desc, performed_at desc, id desc
limit $5
