-- The clinic's programs that had a day between two dates ($2, $3), with what of their patients the figures need; at most $4.
select g.id, g.patient_id, g.name, g.starts_on, g.ends_on, g.finished_on, p.zone, p.region, p.physiotherapist_id
from program g
join patient p on p.clinic_id = $1 and p.id = g.patient_id
where g.clinic_id = $1 and g.starts_on <= $3 and least(g.ends_on, g.finished_on - 1) >= $2
order by g.patient_id, g.starts_on, g.id
limit $4
