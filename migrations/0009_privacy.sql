-- Consent that can be taken back, records that can be closed, and a register of breaches.
set local lock_timeout = '5s';

-- A closed record: nobody signs in to it and it gets no mail; the clinic keeps and reads it. Closing lets the account go, so that
-- whatever asks for an account's records (a session, signing in, the program before this one) finds none.
alter table patient add column closed_at timestamptz;
alter table patient add column closed_by text check (closed_by in ('patient', 'clinic'));
-- Who of the staff closed it, where it was the clinic.
alter table patient add column closed_by_member uuid;
alter table patient add constraint patient_closed check ((closed_at is null) = (closed_by is null)) not valid;
alter table patient add constraint patient_closed_by_member foreign key (clinic_id, closed_by_member) references membership (clinic_id, id) not valid;
create index patient_closed_by on patient (clinic_id, closed_by_member) where closed_by_member is not null;

-- Taking consent back ends everything agreed to before it. Both are only ever added to.
create table consent_withdrawal (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  withdrawn_at timestamptz not null,
  primary key (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index consent_withdrawal_by_patient on consent_withdrawal (clinic_id, patient_id, withdrawn_at desc);

-- A breach of personal data, from the moment the clinic noticed it: whose data was opened in the period is read from the audit, so it
-- is not kept here. Kept for good; the law asks for two years.
create table breach (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  noticed_at timestamptz not null,
  period_from timestamptz not null,
  period_to timestamptz not null,
  -- Narrowed to what one member of staff did, to one patient's record, or to one address.
  membership_id uuid,
  patient_id uuid,
  address text check (length(address) between 1 and 64),
  what text not null check (length(what) between 1 and 2000),
  commissioner_told_at timestamptz,
  people_told_at timestamptz,
  closed_at timestamptz,
  created_by uuid not null,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  check (period_to > period_from),
  foreign key (clinic_id, membership_id) references membership (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, created_by) references membership (clinic_id, id)
);
create index breach_by_notice on breach (clinic_id, noticed_at desc, id desc);

-- What was done about it, as it was written down at the time.
create table breach_note (
  clinic_id uuid not null,
  id uuid not null,
  breach_id uuid not null,
  written_by uuid not null,
  written_at timestamptz not null,
  state text not null check (state in ('noted', 'commissioner_told', 'people_told', 'closed')),
  text text not null default '' check (length(text) <= 2000),
  primary key (clinic_id, id),
  foreign key (clinic_id, breach_id) references breach (clinic_id, id),
  foreign key (clinic_id, written_by) references membership (clinic_id, id)
);
create index breach_note_by_breach on breach_note (clinic_id, breach_id, id);

do $$
declare t text;
begin
  foreach t in array array['consent_withdrawal', 'breach', 'breach_note'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy clinic on %I to homestretch_app using (clinic_id = current_clinic()) with check (clinic_id = current_clinic())', t);
  end loop;
  foreach t in array array['breach', 'breach_note'] loop
    execute format('create policy staff on %I as restrictive to homestretch_app using (current_patient() is null) with check (current_patient() is null)', t);
  end loop;
end $$;
create policy own on consent_withdrawal as restrictive to homestretch_app
  using (current_patient() is null or patient_id = current_patient()) with check (current_patient() is null or patient_id = current_patient());

grant select, insert on consent_withdrawal, breach, breach_note to homestretch_app;
grant update (commissioner_told_at, people_told_at, closed_at) on breach to homestretch_app;

-- Looking for what happens seldom must not walk through what happens all the time.
create index audit_entry_of_seldom_deeds on audit_entry (clinic_id, deed, seq) where deed not in ('read', 'wrote');
