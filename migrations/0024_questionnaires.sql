-- How things are, in the patient's words: activities that are hard and how well they go, and the change since the program began.
set local lock_timeout = '5s';

-- A physiotherapist's choice to ask; the days on which it is asked are worked out. stopped_at: it is asked no more.
create table questionnaire_plan (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  program_id uuid not null,
  every_weeks smallint not null check (every_weeks in (2, 4, 6)),
  since date not null,
  stopped_at timestamptz,
  set_by uuid,
  set_at timestamptz not null,
  primary key (clinic_id, id),
  unique (clinic_id, program_id),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id),
  foreign key (clinic_id, set_by) references membership (clinic_id, id)
);
create index questionnaire_plan_by_patient on questionnaire_plan (clinic_id, patient_id);

-- One answer of one day. id is made by the device, so that sending twice is one answer. Which edition of each scale it was given on is
-- kept with it: another edition of the same questionnaire counts the other way round. rating: change since the program began; null when
-- it was not asked or not given.
create table questionnaire_answer (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  program_id uuid not null,
  date date not null,
  ability_edition text not null check (ability_edition in ('psfs-1995')),
  rating_edition text not null check (rating_edition in ('groc-11')),
  rating smallint check (rating between -5 and 5),
  received_at timestamptz not null,
  corrected_at timestamptz,
  primary key (clinic_id, id),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id)
);
create index questionnaire_answer_by_patient on questionnaire_answer (clinic_id, patient_id, date, id);

-- What the patient named; never renamed, only added to.
create table questionnaire_activity (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  program_id uuid not null,
  position smallint not null check (position between 1 and 5),
  name text not null check (length(name) between 1 and 80),
  named_in uuid not null,
  primary key (clinic_id, id),
  unique (clinic_id, program_id, position),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id),
  foreign key (clinic_id, named_in) references questionnaire_answer (clinic_id, id)
);
create index questionnaire_activity_by_patient on questionnaire_activity (clinic_id, patient_id);

-- How well an activity goes. score: null when it was asked and not given; 0 is the lowest score.
create table questionnaire_score (
  clinic_id uuid not null,
  answer_id uuid not null,
  activity_id uuid not null,
  patient_id uuid not null,
  score smallint check (score between 0 and 10),
  primary key (clinic_id, answer_id, activity_id),
  foreign key (clinic_id, answer_id) references questionnaire_answer (clinic_id, id),
  foreign key (clinic_id, activity_id) references questionnaire_activity (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index questionnaire_score_by_patient on questionnaire_score (clinic_id, patient_id);

-- The whole of an answer as it was before a correction.
create table questionnaire_revision (
  clinic_id uuid not null,
  id uuid not null,
  answer_id uuid not null,
  patient_id uuid not null,
  before jsonb not null,
  replaced_at timestamptz not null,
  primary key (clinic_id, id),
  foreign key (clinic_id, answer_id) references questionnaire_answer (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index questionnaire_revision_by_patient on questionnaire_revision (clinic_id, patient_id);

do $$
declare
  t text;
  clinic constant text := 'clinic_id = (select current_clinic())';
  own constant text := '(select current_patient()) is null or patient_id = (select current_patient())';
  caseload constant text := '(select current_caseload()) is null
    or patient_id in (select p.id from patient p where p.clinic_id = (select current_clinic()))';
begin
  foreach t in array array['questionnaire_plan', 'questionnaire_answer', 'questionnaire_activity', 'questionnaire_score',
    'questionnaire_revision'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy clinic on %I to homestretch_app using (%s) with check (%s)', t, clinic, clinic);
    execute format('create policy own on %I as restrictive to homestretch_app using (%s) with check (%s)', t, own, own);
    execute format('create policy caseload on %I as restrictive to homestretch_app using (%s) with check (%s)', t, caseload, caseload);
    execute format('create policy backup on %I for select to homestretch_backup using (true)', t);
    execute format('grant select, insert on %I to homestretch_app', t);
    execute format('grant select on %I to homestretch_backup', t);
  end loop;
end $$;
-- Whether to ask is the clinic's to say.
create policy staff_insert on questionnaire_plan as restrictive for insert to homestretch_app
  with check ((select current_patient()) is null);
create policy staff_update on questionnaire_plan as restrictive for update to homestretch_app
  using ((select current_patient()) is null) with check ((select current_patient()) is null);
grant update (every_weeks, since, stopped_at, set_by, set_at) on questionnaire_plan to homestretch_app;
-- A correction replaces the scores as a whole and keeps what was there; names stay.
grant update (rating, corrected_at) on questionnaire_answer to homestretch_app;
grant delete on questionnaire_score to homestretch_app;
