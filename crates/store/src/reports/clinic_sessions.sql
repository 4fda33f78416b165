-- The sessions of the clinic between two dates ($2, $3), one row for each program: the day counted from $2, how much was done, and pain
-- after it (-1 where it was not given). Read from the index session_log_by_date alone; of more than $4 sessions nothing is complete.
select program_id,
  array_agg((date - $2)::smallint) as days,
  array_agg(completion) as completions,
  array_agg(coalesce(pain_after, -1::smallint)) as pains
from (
  select program_id, date, completion, pain_after
  from session_log
  where clinic_id = $1 and date between $2 and $3
  limit $4
) s
group by program_id
