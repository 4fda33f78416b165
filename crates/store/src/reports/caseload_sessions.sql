-- One narrow row for each session of some patients ($2) since a date ($3): what the strip, adherence, pain and attention rest on.
select id, patient_id, program_id, date, performed_at, completion, pain_before, pain_after, red_flags,
  coalesce(note, '') <> '' as noted
from session_log
where clinic_id = $1 and patient_id = any($2) and date >= $3
order by patient_id, date, performed_at, id
