-- What the versions of the programs in clinic_programs.sql prescribe ($2 and $3 alike).
select x.id, x.version_id, x.exercise_id, e.name,
  x.sets_min, x.sets_max, x.reps_min, x.reps_max, x.breaths, x.hold_min, x.hold_max, x.each_side, x.rest_s
from program g
join prescription x on x.clinic_id = $1 and x.program_id = g.id
join exercise e on e.clinic_id = $1 and e.id = x.exercise_id
where g.clinic_id = $1 and g.starts_on <= $3 and least(g.ends_on, g.finished_on - 1) >= $2
order by x.version_id, x.position
