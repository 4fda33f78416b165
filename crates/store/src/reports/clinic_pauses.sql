-- The pauses of the programs in clinic_programs.sql (parameters alike). A pause that was ended on its first day covers nothing.
select u.program_id, u.from_date, u.until_date
from program g
join program_pause u on u.clinic_id = $1 and u.program_id = g.id
where g.clinic_id = $1 and g.starts_on <= $3 and least(g.ends_on, g.finished_on - 1) >= $2
order by u.created_at, u.id
