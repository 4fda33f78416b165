-- The library, templates, programs with their versions, and what patients did.
set local lock_timeout = '5s';

-- figure names one of our own drawings; image is the name of a file the clinic brought along with an import, kept as text only.
create table exercise (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  name text not null check (length(name) between 1 and 120),
  region text not null default 'other' check (region in ('upper_back', 'lower_back', 'neck', 'shoulder', 'other')),
  equipment text not null default '' check (length(equipment) <= 80),
  figure text check (length(figure) <= 60),
  -- What to do, one step a line, in the clinic's words.
  instructions text not null default '' check (length(instructions) <= 6000),
  source text not null default 'own' check (source in ('homestretch', 'own', 'imported')),
  source_key text check (length(source_key) <= 200),
  -- The usual dose, offered when the exercise is added to a program.
  sets_min smallint not null default 1, sets_max smallint not null default 1,
  reps_min smallint not null default 10, reps_max smallint not null default 10,
  breaths boolean not null default false,
  hold_min smallint, hold_max smallint,
  each_side boolean not null default false,
  rest_s smallint,
  created_at timestamptz not null,
  archived_at timestamptz,
  primary key (clinic_id, id),
  unique (clinic_id, source, source_key)
);
create index exercise_by_name on exercise (clinic_id, lower(name));

create table template (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  name text not null check (length(name) between 1 and 120),
  weeks smallint not null check (weeks between 1 and 52),
  weekdays smallint not null check (weekdays between 1 and 127),
  times_a_day smallint not null check (times_a_day between 1 and 6),
  remind_at time,
  created_at timestamptz not null,
  archived_at timestamptz,
  primary key (clinic_id, id)
);
-- An archived template gives its name free.
create unique index template_name on template (clinic_id, lower(name)) where archived_at is null;

create table template_item (
  clinic_id uuid not null,
  id uuid not null,
  template_id uuid not null,
  position smallint not null check (position between 1 and 40),
  exercise_id uuid not null,
  sets_min smallint not null, sets_max smallint not null,
  reps_min smallint not null, reps_max smallint not null,
  breaths boolean not null,
  hold_min smallint, hold_max smallint,
  each_side boolean not null,
  rest_s smallint,
  note text check (length(note) <= 500),
  primary key (clinic_id, id),
  unique (clinic_id, template_id, position),
  foreign key (clinic_id, template_id) references template (clinic_id, id) on delete cascade,
  foreign key (clinic_id, exercise_id) references exercise (clinic_id, id)
);
create index template_item_by_exercise on template_item (clinic_id, exercise_id);

-- ends_on is the last day of the program. finished_on is the first day without slots when it was ended early.
create table program (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  patient_id uuid not null,
  name text not null check (length(name) between 1 and 120),
  starts_on date not null,
  ends_on date not null,
  finished_on date,
  created_by uuid,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  check (ends_on >= starts_on),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, created_by) references membership (clinic_id, id)
);
create index program_by_patient on program (clinic_id, patient_id, starts_on);
alter table program add constraint program_with_patient unique (clinic_id, patient_id, id);

-- A version takes effect from a date; figures for earlier dates never change.
create table program_version (
  clinic_id uuid not null,
  id uuid not null,
  program_id uuid not null,
  patient_id uuid not null,
  number integer not null check (number >= 1),
  from_date date not null,
  weekdays smallint not null check (weekdays between 1 and 127),
  times_a_day smallint not null check (times_a_day between 1 and 6),
  created_by uuid,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  unique (clinic_id, program_id, number),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id),
  foreign key (clinic_id, created_by) references membership (clinic_id, id)
);

create table prescription (
  clinic_id uuid not null,
  id uuid not null,
  version_id uuid not null,
  program_id uuid not null,
  patient_id uuid not null,
  position smallint not null check (position between 1 and 40),
  exercise_id uuid not null,
  sets_min smallint not null, sets_max smallint not null,
  reps_min smallint not null, reps_max smallint not null,
  breaths boolean not null,
  hold_min smallint, hold_max smallint,
  each_side boolean not null,
  rest_s smallint,
  note text check (length(note) <= 500),
  primary key (clinic_id, id),
  unique (clinic_id, version_id, position),
  foreign key (clinic_id, version_id) references program_version (clinic_id, id),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id),
  foreign key (clinic_id, exercise_id) references exercise (clinic_id, id)
);
create index prescription_by_program on prescription (clinic_id, program_id);
create index prescription_by_exercise on prescription (clinic_id, exercise_id);

-- Days on which nothing is due. until_date is the last paused day; without one the pause is open.
create table program_pause (
  clinic_id uuid not null,
  id uuid not null,
  program_id uuid not null,
  patient_id uuid not null,
  from_date date not null,
  until_date date,
  reason text not null default '' check (length(reason) <= 500),
  -- Made by a stop sign: only a physiotherapist may end it.
  needs_physiotherapist boolean not null default false,
  resume_reason text check (length(resume_reason) <= 500),
  created_at timestamptz not null,
  primary key (clinic_id, id),
  check (until_date is null or until_date >= from_date - 1),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id)
);
create index program_pause_by_program on program_pause (clinic_id, program_id);

-- What the patient did in one session, as it stands now. The id is made by the patient's device: the same id twice is one log.
-- date is the patient's civil date the session belongs to. completion (0..1) is what domain::session_log::completion says of the
-- entries against the version in effect on that date; both are written in one transaction and never change by themselves.
create table session_log (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  program_id uuid not null,
  version_id uuid not null,
  date date not null,
  performed_at timestamptz not null,
  received_at timestamptz not null,
  corrected_at timestamptz,
  pain_before smallint check (pain_before between 0 and 10),
  pain_after smallint check (pain_after between 0 and 10),
  effort smallint check (effort between 0 and 10),
  note text check (length(note) <= 2000),
  red_flags text[] not null default '{}',
  completion double precision not null check (completion between 0 and 1),
  logged_by uuid,
  primary key (clinic_id, id),
  foreign key (clinic_id, patient_id, program_id) references program (clinic_id, patient_id, id),
  foreign key (clinic_id, version_id) references program_version (clinic_id, id),
  foreign key (clinic_id, logged_by) references membership (clinic_id, id)
);
create index session_log_by_patient on session_log (clinic_id, patient_id, date desc) include (completion, pain_before, pain_after);
create index session_log_by_program on session_log (clinic_id, program_id, date);

create table log_entry (
  clinic_id uuid not null,
  log_id uuid not null,
  prescription_id uuid not null,
  patient_id uuid not null,
  sets smallint,
  reps smallint,
  hold_s smallint,
  skipped text check (skipped in ('pain', 'no_time', 'not_sure_how', 'no_equipment', 'other')),
  -- 0..1 of the lower bound prescribed
  completion double precision not null check (completion between 0 and 1),
  primary key (clinic_id, log_id, prescription_id),
  check ((skipped is null) = (sets is not null and reps is not null)),
  foreign key (clinic_id, log_id) references session_log (clinic_id, id),
  foreign key (clinic_id, prescription_id) references prescription (clinic_id, id)
);
create index log_entry_by_prescription on log_entry (clinic_id, prescription_id);

-- Each correction keeps the log as it stood before (the whole of it, as JSON), so that nothing is ever overwritten unseen.
create table log_revision (
  clinic_id uuid not null,
  id uuid not null,
  log_id uuid not null,
  patient_id uuid not null,
  before jsonb not null,
  replaced_at timestamptz not null,
  primary key (clinic_id, id),
  foreign key (clinic_id, log_id) references session_log (clinic_id, id)
);
create index log_revision_by_log on log_revision (clinic_id, log_id);

-- An answer or decision of the physiotherapist about one attention: acknowledged (it goes) or snoozed until a date. fact_key names
-- the facts it was about: new facts have a new key and come back.
create table attention_mark (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  kind text not null,
  fact_key text not null check (length(fact_key) <= 200),
  note text check (length(note) <= 1000),
  snoozed_until date,
  marked_by uuid not null,
  marked_at timestamptz not null,
  primary key (clinic_id, id),
  unique (clinic_id, patient_id, kind, fact_key),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, marked_by) references membership (clinic_id, id)
);
