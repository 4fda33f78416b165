-- The versions of the clinic's programs; read by themselves, as in clinic_patients.sql.
select id, program_id, number, from_date, weekdays, times_a_day from program_version where clinic_id = $1 order by number
