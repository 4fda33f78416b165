-- What was done and skipped in the same sessions (parameters as in patient_sessions.sql), by the exercise it was.
select e.log_id, p.exercise_id, e.completion, e.skipped
from (
  select id from session_log
  where clinic_id = $1 and patient_id = $2 and date between $3 and $4
  order by date desc, performed_at desc, id desc
  limit $5
) l
join log_entry e on e.clinic_id = $1 and e.log_id = l.id
join prescription p on p.clinic_id = $1 and p.id = e.prescription_id
order by e.log_id, p.position
