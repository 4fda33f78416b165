-- As clinic_sessions.sql, session by session with what was done in it; '' is not skipped.
--
-- The plan: the sessions by session_log_by_date, and for each of them its entries by the key of log_entry. The aggregate in the lateral
-- query leaves no other: a join could as well be hashed or merged, and would then read every entry that the clinic ever had.
select s.program_id, (s.date - $2)::smallint as day, s.completion, coalesce(s.pain_after, -1::smallint) as pain,
  e.prescriptions, e.completions, e.skipped
from (
  select id, program_id, date, completion, pain_after
  from session_log
  where clinic_id = $1 and date between $2 and $3
  limit $4
) s,
lateral (
  select
    coalesce(array_agg(prescription_id), '{}') as prescriptions,
    coalesce(array_agg(completion), '{}') as completions,
    coalesce(array_agg(coalesce(skipped, '')), '{}') as skipped
  from log_entry
  where clinic_id = $1 and log_id = s.id
) e
