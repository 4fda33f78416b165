//! Clinics, patients with programs, and reminders that come due within the first minutes; account notices beside them.

use anyhow::Result;

use crate::cluster::Cluster;

/// When the workers' clocks begin: ten in the morning where everybody lives, so that quiet hours are far away.
pub const BEGIN: &str = "2026-03-02T10:00:00+08:00";
/// Clinics.
const CLINICS: u32 = 3;
/// Mail domains the addresses are spread over.
const DOMAINS: u32 = 12;

/// Fills a migrated database; the reminders come due within `minutes` of [`BEGIN`]. What is expected stands in `stress_due`; every change
/// of a notice's state is noted in `stress_note`, with the database user of the worker that made it; what people changed stands in
/// `stress_change`.
///
/// Leases go by the database's clock, which is the only one here that runs at its usual pace: they are cut so that they are to the
/// workers' days what they are to ours.
///
/// # Errors
/// What the database refuses.
pub async fn sow(cluster: &Cluster, database: &str, due: u32, minutes: u32, speed: u32) -> Result<()> {
    // Two patients in three have one reminder, the third has two.
    let patients = (due * 3).div_ceil(4).max(1);
    let notices = (due / 20).max(3);
    let sql = format!(
        "create table stress_person as
           select n, c.id as clinic_id, gen_random_uuid() as patient_id, gen_random_uuid() as program_id, gen_random_uuid() as version_id
           from generate_series(1, {patients}) n
           join (select row_number() over () as at, gen_random_uuid() as id from generate_series(1, {CLINICS})) c
             on c.at = n % {CLINICS} + 1;
         insert into clinic (id, name, created_at)
           select distinct clinic_id, 'Clinic ' || left(clinic_id::text, 8), timestamptz '{BEGIN}' from stress_person;
         insert into exercise (clinic_id, id, name, created_at)
           select id, gen_random_uuid(), 'Heel slides', created_at from clinic;
         insert into patient (clinic_id, id, name, email, zone, created_at)
           select clinic_id, patient_id, 'Patient ' || n, 'p' || n || '@d' || n % {DOMAINS} || '.test', 'Asia/Kuala_Lumpur',
             timestamptz '{BEGIN}' from stress_person;
         insert into program (clinic_id, id, patient_id, name, starts_on, ends_on, created_at)
           select clinic_id, program_id, patient_id, 'Knee', '2026-02-16', '2026-03-29', timestamptz '{BEGIN}' from stress_person;
         insert into program_version (clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_at)
           select clinic_id, version_id, program_id, patient_id, 1, '2026-02-16', 127, 2, timestamptz '{BEGIN}' from stress_person;
         insert into prescription (clinic_id, id, version_id, program_id, patient_id, position, exercise_id, sets_min, sets_max, reps_min,
             reps_max, breaths, each_side)
           select s.clinic_id, gen_random_uuid(), s.version_id, s.program_id, s.patient_id, 1, e.id, 2, 2, 10, 10, false, false
           from stress_person s join exercise e on e.clinic_id = s.clinic_id;
         create table stress_due as
           select clinic_id, patient_id, date '2026-03-02' as civil_date,
             time '10:01' + make_interval(mins => (n * 7 + second * {minutes} / 3) % {minutes}) as civil_time
           from stress_person cross join generate_series(0, 1) second
           where second = 0 or n % 3 = 0 order by second, n limit {due};
         insert into reminder_rule (clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, due_at, due_date, created_at)
           select clinic_id, gen_random_uuid(), patient_id, civil_time, 127, 'Asia/Kuala_Lumpur', '21:00', '07:00',
             (civil_date + civil_time) at time zone 'Asia/Kuala_Lumpur', civil_date, timestamptz '{BEGIN}' from stress_due;
         insert into notice (clinic_id, id, kind, patient_id, program_id, recipient, dedupe_key, due_at, next_at, created_at)
           select s.clinic_id, gen_random_uuid(), 'program_assigned', s.patient_id, s.program_id, p.email,
             'program_assigned:' || s.program_id, at, at, at
           from stress_person s join patient p on p.clinic_id = s.clinic_id and p.id = s.patient_id
           cross join lateral (select timestamptz '{BEGIN}' + make_interval(mins => s.n % 40)) moment (at)
           where s.n <= {notices};

         create table stress_note (at timestamptz not null default clock_timestamp(), notice_id uuid, kind text, token uuid, was text,
           became text, worker text, recipient text);
         create index on stress_note (token);
         create index on stress_note (worker, at);
         create function stress_note() returns trigger language plpgsql security definer as $$
         begin
           insert into public.stress_note (notice_id, kind, token, was, became, worker, recipient)
             values (new.id, new.kind, coalesce(new.token, old.token), old.state, new.state, session_user, new.recipient);
           return null;
         end $$;
         create trigger stress_note after update of state on notice for each row when (old.state <> new.state)
           execute function stress_note();
         create table stress_change (patient_id uuid, kind text, old_address text, acknowledged_at timestamptz);
         create function stress_lease() returns trigger language plpgsql as $$
         begin
           new.lease_until := clock_timestamp() + (new.lease_until - clock_timestamp()) / {speed};
           return new;
         end $$;
         create trigger stress_lease before update of lease_until on notice for each row
           when (new.lease_until > clock_timestamp()) execute function stress_lease();
         create function stress_gone() returns trigger language plpgsql as $$ begin raise exception 'a notice was deleted'; end $$;
         create trigger stress_gone before delete on notice for each row execute function stress_gone();
         analyze"
    );
    cluster.rows(database, &sql).await?;
    Ok(())
}
