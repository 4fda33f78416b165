-- A patient's programs are read by the patient: their versions, prescriptions and pauses, on every page about one. Without these a page of one
-- patient read those of the whole clinic (some 1,700 pages of 500 patients).
set local lock_timeout = '5s';

create index program_version_by_patient on program_version (clinic_id, patient_id);
create index prescription_by_patient on prescription (clinic_id, patient_id);
create index program_pause_by_patient on program_pause (clinic_id, patient_id);
