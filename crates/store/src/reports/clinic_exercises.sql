-- The names of the clinic's exercises; read by themselves, as in clinic_patients.sql.
select id, name from exercise where clinic_id = $1
