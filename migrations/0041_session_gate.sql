-- Ending sessions waits for the work that is in progress in them, and must get its turn: a row lock alone does not give it one. PostgreSQL lets
-- newcomers share a row (key share) while a change of that row waits for others who share it, so a handful of requests in a loop kept a session
-- from ever being revoked. Each account therefore has a gate, an advisory lock, which is granted in the order of asking: work in a session shares
-- it, ending sessions takes it alone.
set local lock_timeout = '5s';

-- The gate's number. Two accounts with the same one would only wait for one another.
create function session_gate(account uuid) returns bigint language sql immutable set search_path = public, pg_temp
  as $$ select ('x' || right(translate(account::text, '-', ''), 15))::bit(60)::bigint $$;
revoke all on function session_gate from public;
grant execute on function session_gate to homestretch_signin;

-- The functions below belong to homestretch_signin, which needs CREATE on the schema while they are replaced.
grant create on schema public to homestretch_signin;
set local role homestretch_signin;

-- Whether the session of a request is still valid, and with which role: no row when it is not. The transaction is then bound
-- to the clinic, the patient and the caseload that hold now.
--
-- hold: 'session' passes the account's gate and locks the session's row (key share). Every change that revokes a right deletes the sessions that
-- have it, so either the work is committed first or it finds no session. 'account' locks the account and closes its gate, for work that may end
-- some of its sessions. 'nothing' only checks. ends: the membership or record whose sessions the transaction is about to end.
--
-- Accounts are locked before gates, gates before sessions, sessions before the rows of a clinic, and each kind in the order of its ids, so that no two transactions
-- deadlock.
create or replace function resume_session(this uuid, moment timestamptz, staff_since timestamptz, patient_since timestamptz, hold text, ends uuid)
  returns table (role text, must_set_up boolean)
  language plpgsql security definer set search_path = public, pg_temp
  as $$
  #variable_conflict use_column
  declare
    accounts uuid[];
    in_clinic uuid;
    of_patient uuid;
    of_caseload uuid;
  begin
    if hold = 'account' or ends is not null then
      select array_agg(x.account_id) into accounts from (
        select s.account_id from session s where s.id = this
        union select m.account_id from membership m join session s on s.clinic_id = m.clinic_id where s.id = this and m.id = ends
        union select p.account_id from patient p join session s on s.clinic_id = p.clinic_id where s.id = this and p.id = ends) x;
      perform 1 from account a where a.id = any (accounts) order by a.id for no key update;
      perform pg_advisory_xact_lock(gate) from (select distinct session_gate(x) as gate from unnest(accounts) x order by 1) gates;
    end if;
    if ends is not null then
      perform 1 from session s where s.account_id = any (accounts) order by s.id for update;
    elsif hold <> 'nothing' then
      if hold = 'session' then
        perform pg_advisory_xact_lock_shared(session_gate(s.account_id)) from session s where s.id = this;
      end if;
      perform 1 from session s where s.id = this for key share;
    end if;
    select m.role, c.second_factor_required and m.id is not null and f.account_id is null, s.clinic_id, p.id,
        case when c.own_caseload and m.role = 'physiotherapist' then m.id end
      into role, must_set_up, in_clinic, of_patient, of_caseload
      from session s
      join clinic c on c.id = s.clinic_id
      left join membership m on m.clinic_id = s.clinic_id and m.id = s.membership_id and m.account_id = s.account_id
        and m.joined_at is not null and m.disabled_at is null
      left join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id and p.account_id = s.account_id
      left join second_factor f on f.account_id = s.account_id and f.confirmed_at is not null
      where s.id = this and s.expires_at > moment
        and s.seen_at > case when s.membership_id is null then patient_since else staff_since end
        and (m.id is not null or p.id is not null)
        and (s.mailed_to is null or s.mailed_to = p.email);
    if not found then
      return;
    end if;
    perform set_config('app.clinic_id', in_clinic::text, true),
      set_config('app.patient_id', coalesce(of_patient::text, ''), true),
      set_config('app.caseload', coalesce(of_caseload::text, ''), true);
    return next;
  end $$;

-- Ends every session of a membership or of a patient's record in the current clinic. A patient's scope ends that patient's own only.
create or replace function end_sessions_of(member uuid) returns bigint language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    ended bigint;
  begin
    perform pg_advisory_xact_lock(gate) from (
      select distinct session_gate(s.account_id) as gate from session s
      where s.clinic_id = current_clinic()
        and (s.patient_id = member or s.membership_id = member and current_patient() is null)
        and (current_patient() is null or s.patient_id = current_patient())
      order by 1) gates;
    delete from session where id in (
      select s.id from session s
      where s.clinic_id = current_clinic()
        and (s.patient_id = member or s.membership_id = member and current_patient() is null)
        and (current_patient() is null or s.patient_id = current_patient())
      order by s.id for update);
    get diagnostics ended = row_count;
    return ended;
  end $$;

-- Ends the sessions opened by a patient's one-tap links, before the record's address changes.
create or replace function end_mailed_sessions_of(whose uuid) returns bigint language plpgsql security definer set search_path = public, pg_temp
  as $$
  declare
    ended bigint;
  begin
    perform pg_advisory_xact_lock(gate) from (
      select distinct session_gate(s.account_id) as gate from session s
      where s.clinic_id = current_clinic() and s.patient_id = whose and s.reach = 'today' and current_patient() is null
      order by 1) gates;
    delete from session where id in (
      select s.id from session s
      where s.clinic_id = current_clinic() and s.patient_id = whose and s.reach = 'today' and current_patient() is null
      order by s.id for update);
    get diagnostics ended = row_count;
    return ended;
  end $$;

reset role;
revoke create on schema public from homestretch_signin;
