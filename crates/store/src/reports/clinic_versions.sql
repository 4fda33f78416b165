-- The versions of the programs in clinic_programs.sql (parameters alike).
select v.id, v.program_id, v.number, v.from_date, v.weekdays, v.times_a_day
from program g
join program_version v on v.clinic_id = $1 and v.program_id = g.id
where g.clinic_id = $1 and g.starts_on <= $3 and least(g.ends_on, g.finished_on - 1) >= $2
order by v.program_id, v.number
