-- One narrow row for each session of some patients ($2): what the strip, adherence, pain and attention rest on. Since the start of the
-- oldest of their programs that had not ended by $4, and in any case since $3, but not from before $5. (least() leaves out what is null.)
select id, patient_id, program_id, date, performed_at, completion, pain_before, pain_after, red_flags,
  received_at, coalesce(note, '') <> '' as noted,
  coalesce(note, '') <> '' and exists (
    select from reply r where r.clinic_id = $1 and r.log_id = session_log.id and r.note = session_log.note) as answered
from session_log
where clinic_id = $1 and patient_id = any($2)
  and date >= greatest($5, least($3, (
    select min(p.starts_on) from program p
    where p.clinic_id = $1 and p.patient_id = any($2) and least(p.ends_on, p.finished_on - 1) >= $4)))
order by patient_id, date, performed_at, id
