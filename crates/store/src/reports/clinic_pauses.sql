-- The pauses of the clinic's programs; read by themselves, as in clinic_patients.sql.
select program_id, from_date, until_date from program_pause where clinic_id = $1 order by created_at, id
