-- One narrow row for each session of some patients ($2): what the strip, adherence, pain and attention rest on. Of each patient since the
-- start of the oldest of their programs that had not ended by $4, and in any case since $3, but not from before $5. (least() leaves out
-- what is null.) In no order: the server would sort tens of thousands of rows on its disk.
with since as (
  select w.patient_id, greatest($5, least($3, min(p.starts_on))) as date
  from unnest($2) as w (patient_id)
  left join program p on p.clinic_id = $1 and p.patient_id = w.patient_id and least(p.ends_on, p.finished_on - 1) >= $4
  group by w.patient_id
)
select s.id, s.patient_id, s.program_id, s.date, s.performed_at, s.completion, s.pain_before, s.pain_after, s.red_flags,
  s.received_at, coalesce(s.note, '') <> '' as noted,
  coalesce(s.note, '') <> '' and exists (
    select from reply r where r.clinic_id = $1 and r.log_id = s.id and r.note = s.note) as answered
from since
join session_log s on s.clinic_id = $1 and s.patient_id = since.patient_id and s.date >= since.date
