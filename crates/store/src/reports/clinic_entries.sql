-- As clinic_sessions.sql, session by session with what was done in it; '' is not skipped.
select s.program_id, (s.date - $2)::smallint as day, s.completion, coalesce(s.pain_after, -1::smallint) as pain,
  coalesce(array_agg(e.prescription_id) filter (where e.log_id is not null), '{}') as prescriptions,
  coalesce(array_agg(e.completion) filter (where e.log_id is not null), '{}') as completions,
  coalesce(array_agg(coalesce(e.skipped, '')) filter (where e.log_id is not null), '{}') as skipped
from (
  select id, program_id, date, completion, pain_after
  from session_log
  where clinic_id = $1 and date between $2 and $3
  limit $4
) s
left join log_entry e on e.clinic_id = $1 and e.log_id = s.id
group by s.id, s.program_id, s.date, s.completion, s.pain_after
