-- What we owe by email: the patients' rules, the queue, every attempt, and addresses we must not write to.
set local lock_timeout = '5s';

-- Intent in civil time. One row for each chosen local time (up to three a patient). due_at is the next instant of the rule, read by
-- planning through its own index and advanced when the reminder is queued: planning costs what is due, never how many patients there are.
create table reminder_rule (
  clinic_id uuid not null,
  id uuid not null,
  patient_id uuid not null,
  local_time time not null,
  weekdays smallint not null check (weekdays between 1 and 127),
  zone text not null,
  quiet_from time not null,
  quiet_to time not null,
  paused_until date,
  version integer not null default 1,
  due_at timestamptz,
  due_date date,
  created_at timestamptz not null,
  primary key (clinic_id, id),
  unique (clinic_id, patient_id, local_time),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id)
);
create index reminder_rule_due on reminder_rule (due_at) where due_at is not null;

-- A notice is an email we owe. Reminders are owed at most once, account notices at least once.
-- payload carries what the mail needs that cannot be read again (never a secret, never clinical text).
create table notice (
  clinic_id uuid not null references clinic (id),
  id uuid not null,
  kind text not null check (kind in ('invitation', 'password_reset', 'program_assigned', 'session_reminder', 'test')),
  patient_id uuid,
  membership_id uuid,
  account_id uuid references account (id),
  program_id uuid,
  recipient text not null check (recipient = lower(recipient)),
  -- for reminders: the civil date and time they are for
  civil_date date,
  civil_time time,
  dedupe_key text not null unique,
  payload jsonb not null default '{}',
  state text not null default 'pending' check (state in ('pending', 'claimed', 'sending', 'sent', 'dead', 'unknown', 'skipped')),
  reason text,
  due_at timestamptz not null,
  next_at timestamptz not null,
  token uuid,
  lease_until timestamptz,
  attempts integer not null default 0,
  message_id text,
  reply text check (length(reply) <= 1000),
  created_at timestamptz not null,
  settled_at timestamptz,
  primary key (clinic_id, id),
  check ((state = 'skipped') <= (reason is not null)),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, membership_id) references membership (clinic_id, id),
  foreign key (clinic_id, program_id) references program (clinic_id, id)
);
create index notice_to_send on notice (next_at) where state = 'pending';
create index notice_leased on notice (lease_until) where state in ('claimed', 'sending');
create index notice_by_patient on notice (clinic_id, patient_id, due_at desc);
create index notice_by_state on notice (clinic_id, state, due_at desc);

create table delivery_attempt (
  clinic_id uuid not null,
  id uuid not null,
  notice_id uuid not null,
  at timestamptz not null,
  phase text not null,
  outcome text not null,
  reply text check (length(reply) <= 1000),
  primary key (clinic_id, id),
  foreign key (clinic_id, notice_id) references notice (clinic_id, id)
);
create index delivery_attempt_by_notice on delivery_attempt (clinic_id, notice_id);

-- Addresses that must get no (more) mail from a clinic. scope 'reminders' is what unsubscribing means; 'all' is a dead address.
create table suppression (
  clinic_id uuid not null references clinic (id),
  email text not null check (email = lower(email)),
  scope text not null check (scope in ('reminders', 'all')),
  reason text not null check (length(reason) <= 500),
  created_at timestamptz not null,
  primary key (clinic_id, email, scope)
);
