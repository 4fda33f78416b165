-- What physiotherapists answer to a patient's note or stop signs, and the mail that says there is an answer.
set local lock_timeout = '5s';

-- note: the patient's words as they stood when they were answered; null when only stop signs were ticked. A note that is corrected
-- afterwards has not been answered. read_at: when the patient said that they had read it.
create table reply (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  log_id uuid not null,
  note text check (length(note) <= 2000),
  text text not null check (length(text) between 1 and 1000),
  written_by uuid not null,
  written_at timestamptz not null,
  read_at timestamptz,
  primary key (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, log_id) references session_log (clinic_id, id),
  foreign key (clinic_id, written_by) references membership (clinic_id, id)
);
-- A form that is sent twice is one reply.
create unique index reply_once on reply (clinic_id, log_id, md5(text));
create index reply_by_patient on reply (clinic_id, patient_id, written_at desc);

alter table reply enable row level security;
alter table reply force row level security;
create policy clinic on reply to homestretch_app
  using (clinic_id = (select current_clinic())) with check (clinic_id = (select current_clinic()));
create policy own on reply as restrictive to homestretch_app
  using ((select current_patient()) is null or patient_id = (select current_patient()))
  with check ((select current_patient()) is null or patient_id = (select current_patient()));
create policy caseload on reply as restrictive to homestretch_app
  using ((select current_caseload()) is null or patient_id in (select p.id from patient p where p.clinic_id = (select current_clinic())))
  with check ((select current_caseload()) is null or patient_id in (select p.id from patient p where p.clinic_id = (select current_clinic())));
-- Written by staff, read by the patient; what was written is never changed.
create policy staff_insert on reply as restrictive for insert to homestretch_app with check ((select current_patient()) is null);
create policy patient_update on reply as restrictive for update to homestretch_app
  using ((select current_patient()) is not null) with check ((select current_patient()) is not null);
create policy backup on reply for select to homestretch_backup using (true);
grant select, insert on reply to homestretch_app;
grant update (read_at) on reply to homestretch_app;
grant select on reply to homestretch_backup;

-- One more kind of mail. Every row there is satisfies it already, so nothing has to be read to know that.
alter table notice drop constraint notice_kind_check;
alter table notice add constraint notice_kind_check
  check (kind in ('invitation', 'password_reset', 'program_assigned', 'session_reminder', 'test', 'answer')) not valid;
