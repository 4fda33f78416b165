-- The sessions of the clinic between two dates ($2, $3), one row for each program: the day counted from $2, how much was done, and pain
-- after it (-1 where it was not given). Of more than $4 sessions nothing is complete.
--
-- The plan: an index-only scan of session_log_by_date, which holds every column that is named here and patient_id for row-level security
-- (name no other column). It costs the planner less than a bitmap heap scan only while the visibility map says that the table's pages need
-- not be looked at; with an empty map the plan is the bitmap heap scan, with about four times the pages. So 0039 has the table vacuumed
-- after every thousand new sessions, and the seed vacuums behind a commit that was flushed. Statistics do not matter: both plans expect
-- the same rows. A table of some dozen pages is read as a whole.
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
