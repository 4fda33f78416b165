-- What the versions of the programs in clinic_programs.sql prescribe ($2 and $3 alike).
--
-- The plan: program by program, by prescription_by_program. "offset 0" keeps the lateral query apart; as a join it could as well be hashed,
-- and would then read what every program of the clinic ever prescribed.
select x.id, x.version_id, x.exercise_id, x.sets_min, x.sets_max, x.reps_min, x.reps_max, x.breaths, x.hold_min, x.hold_max, x.each_side, x.rest_s
from program g, lateral (select * from prescription x where x.clinic_id = $1 and x.program_id = g.id offset 0) x
where g.clinic_id = $1 and g.starts_on <= $3 and least(g.ends_on, g.finished_on - 1) >= $2
order by x.version_id, x.position
