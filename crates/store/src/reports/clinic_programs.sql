-- The clinic's programs that had a day between two dates ($2, $3); at most $4.
select id, patient_id, name, starts_on, ends_on, finished_on
from program
where clinic_id = $1 and starts_on <= $3 and least(ends_on, finished_on - 1) >= $2
order by patient_id, starts_on, id
limit $4
