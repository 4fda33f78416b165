-- Clinics, accounts, who may sign in where, sessions and one-time links.
set local lock_timeout = '5s';

-- Roles are shared by a whole server, so they may exist already (another database, an earlier install).
do $$
declare name text;
begin
  foreach name in array array['homestretch_app', 'homestretch_signin', 'homestretch_worker'] loop
    begin
      execute format('create role %I nologin nosuperuser nobypassrls nocreatedb nocreaterole', name);
    exception when duplicate_object or unique_violation then
      -- There already, or made this very moment by a migration of another database on this server: an advisory lock would not
      -- reach across databases.
      null;
    end;
    if not pg_has_role(current_user, name, 'member') then
      execute format('grant %I to %I', name, current_user);
    end if;
  end loop;
end $$;

grant usage on schema public to homestretch_app, homestretch_signin, homestretch_worker;

-- After COMMIT a SET LOCAL leaves '' behind, hence nullif.
create function current_clinic() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('app.clinic_id', true), '')::uuid $$;
create function current_patient() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('app.patient_id', true), '')::uuid $$;

-- Civil times are kept in the zone of the person they belong to; a clinic's zone is the default for its patients.
create table clinic (
  id uuid primary key,
  name text not null check (length(name) between 1 and 120),
  zone text not null default 'Asia/Kuala_Lumpur',
  phone text check (length(phone) <= 40),
  whatsapp text check (whatsapp ~ '^[1-9][0-9]{6,14}$'),
  quiet_from time not null default '21:00',
  quiet_to time not null default '07:00',
  pain_high smallint not null default 7 check (pain_high between 1 and 10),
  missed_run smallint not null default 3 check (missed_run between 1 and 30),
  created_at timestamptz not null
);

-- One email address is one account on an installation. An account without a password has not accepted an invitation yet.
create table account (
  id uuid primary key,
  email text not null unique check (email = lower(email) and length(email) <= 254),
  password_hash text,
  language text not null default 'en',
  created_at timestamptz not null,
  password_changed_at timestamptz
);

-- A person on the staff of a clinic.
create table membership (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  account_id uuid not null references account (id),
  role text not null check (role in ('owner', 'physiotherapist')),
  name text not null check (length(name) between 1 and 120),
  -- set when the invitation is accepted; until then the person sees nothing
  joined_at timestamptz,
  disabled_at timestamptz,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  unique (clinic_id, account_id)
);
create index membership_by_account on membership (account_id);

-- A patient's record lives in its clinic. account_id is set when the patient accepts the invitation; email may be missing
-- (a hand-out on paper). physiotherapist_id is whose caseload the patient is on.
create table patient (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  account_id uuid references account (id),
  physiotherapist_id uuid,
  name text not null check (length(name) between 1 and 120),
  email text check (email = lower(email) and length(email) <= 254),
  zone text not null,
  language text not null default 'en',
  region text not null default 'upper_back' check (region in ('upper_back', 'lower_back', 'neck', 'shoulder', 'other')),
  invited_at timestamptz,
  joined_at timestamptz,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  foreign key (clinic_id, physiotherapist_id) references membership (clinic_id, id),
  unique (clinic_id, email),
  unique (clinic_id, account_id)
);
create index patient_by_account on patient (account_id);
create index patient_by_physiotherapist on patient (clinic_id, physiotherapist_id);
create index patient_by_name on patient (clinic_id, lower(name));

-- What a patient agreed to, word for word by its version.
create table consent (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  version text not null,
  wording text not null,
  agreed_at timestamptz not null,
  primary key (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index consent_by_patient on consent (clinic_id, patient_id);

-- A signed-in browser. Only the SHA-256 of its token is kept. The session is bound to one clinic and one role there:
-- exactly one of membership_id and patient_id is set.
create table session (
  id uuid primary key,
  token_hash bytea not null unique check (length(token_hash) = 32),
  account_id uuid not null references account (id),
  clinic_id uuid not null references clinic (id),
  membership_id uuid,
  patient_id uuid,
  -- A session opened by a one-tap link may only open that day's session: 'full' or 'today'.
  reach text not null default 'full' check (reach in ('full', 'today')),
  created_at timestamptz not null,
  seen_at timestamptz not null,
  expires_at timestamptz not null,
  user_agent text check (length(user_agent) <= 200),
  check (num_nonnulls(membership_id, patient_id) = 1),
  foreign key (clinic_id, membership_id) references membership (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index session_by_account on session (account_id);

-- Invitation and password-reset links: single use, hashed, bound to an account or a patient's record, expiring.
create table link (
  id uuid primary key,
  token_hash bytea not null unique check (length(token_hash) = 32),
  purpose text not null check (purpose in ('invite_patient', 'invite_staff', 'reset_password')),
  email text not null check (email = lower(email)),
  clinic_id uuid references clinic (id),
  patient_id uuid,
  membership_id uuid,
  account_id uuid references account (id),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, membership_id) references membership (clinic_id, id)
);
create index link_by_patient on link (clinic_id, patient_id);
create index link_by_account on link (account_id);

-- Failed sign-ins, so that throttling survives a restart. Subject is 'account:<email hash>' or 'ip:<address hash>'.
create table sign_in_failure (
  subject text primary key,
  failures integer not null,
  first_at timestamptz not null,
  last_at timestamptz not null
);
