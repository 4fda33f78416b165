-- Who did what with whose record, when and from where: added to, never changed, each entry bound to the one before by a digest.
-- And the narrow way in: one function that knows a session by its token's digest.
set local lock_timeout = '5s';

do $$
begin
  begin
    create role homestretch_audit nologin nosuperuser nobypassrls nocreatedb nocreaterole;
  exception when duplicate_object or unique_violation then
    null;
  end;
  if not pg_has_role(current_user, 'homestretch_audit', 'member') then
    execute format('grant homestretch_audit to %I', current_user);
  end if;
end $$;
grant usage on schema public to homestretch_audit;

-- deed: what was done; subject: to what kind of thing; detail: the address pattern of what was refused, never anything a person typed.
-- Exactly one of membership_id and actor_patient_id says who, or neither when a sign-in failed before it was known as whom.
create table audit_entry (
  clinic_id uuid not null references clinic (id),
  seq bigint not null check (seq > 0),
  at timestamptz not null,
  account_id uuid,
  membership_id uuid,
  actor_patient_id uuid,
  deed text not null check (deed in ('read', 'wrote', 'exported', 'denied', 'signed_in', 'sign_in_failed', 'signed_out')),
  subject text not null check (subject ~ '^[a-z_]{1,40}$'),
  patient_id uuid,
  request_id uuid,
  address text check (length(address) <= 45),
  detail text check (length(detail) <= 200),
  hash bytea not null check (length(hash) = 32),
  primary key (clinic_id, seq),
  foreign key (clinic_id, membership_id) references membership (clinic_id, id),
  foreign key (clinic_id, actor_patient_id) references patient (clinic_id, id),
  foreign key (clinic_id, patient_id) references patient (clinic_id, id),
  check (num_nonnulls(membership_id, actor_patient_id) <= 1)
);
create index audit_entry_by_patient on audit_entry (clinic_id, patient_id, seq) where patient_id is not null;
create index audit_entry_by_member on audit_entry (clinic_id, membership_id, seq) where membership_id is not null;
create index audit_entry_by_time on audit_entry (clinic_id, at);

-- The last entry of each clinic. Its row is what appends wait for: locking the last entry itself would let two of them follow the same one.
create table audit_head (
  clinic_id uuid primary key references clinic (id),
  seq bigint not null,
  hash bytea not null check (length(hash) = 32)
) with (fillfactor = 50);

alter table audit_entry enable row level security;
alter table audit_entry force row level security;
alter table audit_head enable row level security;
alter table audit_head force row level security;
create policy clinic on audit_entry to homestretch_app using (clinic_id = current_clinic()) with check (clinic_id = current_clinic());
create policy own on audit_entry as restrictive to homestretch_app
  using (current_patient() is null or patient_id = current_patient()) with check (current_patient() is null or patient_id = current_patient());
create policy clinic on audit_head to homestretch_app using (clinic_id = current_clinic()) with check (clinic_id = current_clinic());
create policy writer on audit_entry to homestretch_audit using (true) with check (true);
create policy writer on audit_head to homestretch_audit using (true) with check (true);
-- Nobody updates or deletes an entry, the writer neither.
grant select on audit_entry, audit_head to homestretch_app;
grant insert on audit_entry to homestretch_audit;
grant select, insert, update on audit_head to homestretch_audit;

-- One field of what is digested: its length, so that no two entries read the same, then itself.
create function audit_field(value text) returns text language sql immutable parallel safe
  as $$ select case when value is null then '-' else octet_length(value) || ':' || value end $$;

-- The digest of an entry that follows one with the digest `previous`.
create function audit_digest(previous bytea, clinic uuid, seq bigint, at timestamptz, account uuid, membership uuid, actor_patient uuid,
  deed text, subject text, patient uuid, request uuid, address text, detail text) returns bytea language sql stable parallel safe
  as $$
    select sha256(previous || convert_to(
      audit_field(clinic::text) || audit_field(seq::text) || audit_field(((extract(epoch from at) * 1000000)::bigint)::text)
      || audit_field(account::text) || audit_field(membership::text) || audit_field(actor_patient::text) || audit_field(deed)
      || audit_field(subject) || audit_field(patient::text) || audit_field(request::text) || audit_field(address) || audit_field(detail),
      'UTF8'))
  $$;

-- Adds an entry to a clinic's chain. Waits for the transaction that added the last one.
create function audit_append_in(clinic uuid, at timestamptz, account uuid, membership uuid, actor_patient uuid, deed text, subject text,
  patient uuid, request uuid, address text, detail text) returns void language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    head audit_head;
    moment timestamptz := coalesce(at, clock_timestamp());
    next bytea;
  begin
    select h.* into head from audit_head h where h.clinic_id = clinic for update;
    if not found then
      insert into audit_head (clinic_id, seq, hash) values (clinic, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
      select h.* into head from audit_head h where h.clinic_id = clinic for update;
    end if;
    next := audit_digest(head.hash, clinic, head.seq + 1, moment, account, membership, actor_patient, deed, subject, patient, request,
      address, detail);
    insert into audit_entry (clinic_id, seq, at, account_id, membership_id, actor_patient_id, deed, subject, patient_id, request_id,
      address, detail, hash)
    values (clinic, head.seq + 1, moment, account, membership, actor_patient, deed, subject, patient, request, address, detail, next);
    update audit_head h set seq = head.seq + 1, hash = next where h.clinic_id = clinic;
  end $$;

-- The same for the clinic at work in, and no other.
create function audit_append(at timestamptz, account uuid, membership uuid, actor_patient uuid, deed text, subject text, patient uuid,
  request uuid, address text, detail text) returns void language plpgsql security definer set search_path = public, pg_temp
  as $$
  begin
    perform audit_append_in(current_clinic(), at, account, membership, actor_patient, deed, subject, patient, request, address, detail);
  end $$;

-- Who comes with a token, if its session lives: not past its end, not idle for too long, its seat neither disabled nor taken away.
-- The transaction is then that clinic's, and that patient's if it is one; the caller's role cannot read sessions otherwise.
create function open_session(digest bytea, moment timestamptz, staff_since timestamptz, patient_since timestamptz, seen_before timestamptz)
  returns table (id uuid, account_id uuid, email text, language text, reach text, clinic_id uuid, clinic_name text, clinic_zone text,
    phone text, whatsapp text, membership_id uuid, role text, staff_name text, patient_id uuid, patient_name text, patient_zone text,
    patient_language text, seats bigint)
  language plpgsql security definer set search_path = public, pg_temp
  as $$
  #variable_conflict use_column
  declare
    found_id uuid;
    last_seen timestamptz;
  begin
    select s.id, s.seen_at, s.account_id, a.email, a.language, s.reach, s.clinic_id, c.name, c.zone, c.phone, c.whatsapp, m.id, m.role, m.name,
        p.id, p.name, p.zone, p.language,
        (select count(*) from membership x where x.account_id = s.account_id and x.joined_at is not null and x.disabled_at is null)
          + (select count(*) from patient y where y.account_id = s.account_id)
      into found_id, last_seen, account_id, email, language, reach, clinic_id, clinic_name, clinic_zone, phone, whatsapp, membership_id, role,
        staff_name, patient_id, patient_name, patient_zone, patient_language, seats
      from session s
      join account a on a.id = s.account_id
      join clinic c on c.id = s.clinic_id
      left join membership m on m.clinic_id = s.clinic_id and m.id = s.membership_id and m.account_id = s.account_id
        and m.joined_at is not null and m.disabled_at is null
      left join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id and p.account_id = s.account_id
      where s.token_hash = digest and s.expires_at > moment
        and s.seen_at > case when s.membership_id is null then patient_since else staff_since end
        and (m.id is not null or p.id is not null);
    if found_id is null then
      return;
    end if;
    id := found_id;
    perform set_config('app.clinic_id', open_session.clinic_id::text, true),
      set_config('app.patient_id', coalesce(open_session.patient_id::text, ''), true);
    -- A write for every request would cost more than it tells.
    if last_seen < seen_before then
      update session set seen_at = moment where session.id = found_id;
    end if;
    return next;
  end $$;

-- Functions are everybody's when they are made.
revoke all on function audit_append_in, audit_append, open_session from public;
grant execute on function audit_append_in to homestretch_signin, homestretch_worker, homestretch_audit;
grant execute on function audit_append, open_session to homestretch_app;
-- An owner needs the right to make things in the schema for the moment in which it becomes one.
grant create on schema public to homestretch_audit, homestretch_signin;
alter function audit_append_in owner to homestretch_audit;
alter function audit_append owner to homestretch_audit;
alter function open_session owner to homestretch_signin;
revoke create on schema public from homestretch_audit, homestretch_signin;
