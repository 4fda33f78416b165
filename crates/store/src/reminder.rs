//! Patients' reminder rules, and planning: turning what has come due into notices.
//!
//! One row per patient and chosen time holds the next instant of that time (`due_at`). Planning reads only the rows whose instant has
//! come, through an index, and moves each on to its next; so it costs what is due, not how many patients there are. Whether a reminder
//! is still wanted is decided again just before it is sent (`domain::reminder::decide`).

use domain::{
    ids::{NoticeId, PatientId},
    person::Zone,
    program::Weekdays,
    reminder::{Due, QuietHours, ReminderRule, next_due},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{from_date, from_instant, from_time, to_date, to_instant, to_time},
};

/// After an outage each missed time still becomes a visible, expired notice; but not further back than this.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A patient's reminders as the patient's own page shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminders {
    /// When the patient wants to be reminded; no times means never. Zone and quiet hours are the patient's and the clinic's of today.
    pub rule: ReminderRule,
    /// Whether the patient's address has unsubscribed (or cannot be written to at all).
    pub unsubscribed: bool,
}

#[derive(FromQueryResult)]
struct PatientRow {
    zone: String,
    quiet_from: time::Time,
    quiet_to: time::Time,
    unsubscribed: bool,
}

#[derive(FromQueryResult)]
pub(crate) struct RuleRow {
    pub(crate) clinic_id: Uuid,
    pub(crate) patient_id: Uuid,
    pub(crate) local_time: time::Time,
    pub(crate) weekdays: i16,
    pub(crate) paused_until: Option<time::Date>,
}

/// The rule that rows of one patient make together. Times apart, they say the same; without any, every weekday is wanted.
pub(crate) fn rule_of(patient: PatientId, rows: &[RuleRow], zone: Zone, quiet: QuietHours) -> Result<ReminderRule, StoreError> {
    let mut times: Vec<Time> = rows.iter().map(|row| to_time(row.local_time)).collect();
    times.sort_unstable();
    let weekdays = match rows.first() {
        None => Weekdays::all(),
        Some(row) => u8::try_from(row.weekdays)
            .ok()
            .and_then(Weekdays::from_bits)
            .ok_or_else(|| StoreError::corrupt("reminder_rule", "weekdays", patient, "not a set of weekdays"))?,
    };
    let paused_until = rows.first().and_then(|row| row.paused_until).and_then(to_date);
    Ok(ReminderRule { times, weekdays, zone, quiet, paused_until })
}

/// When a patient is reminded.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient that is not within the scope; the store's own.
pub async fn rules_for(tx: &Tx, patient: PatientId) -> Result<Reminders, StoreError> {
    let PatientRow { zone, quiet_from, quiet_to, unsubscribed } = tx
        .one(
            "select p.zone, c.quiet_from, c.quiet_to,
               exists (select 1 from suppression s where s.clinic_id = p.clinic_id and s.email = p.email) as unsubscribed
             from patient p join clinic c on c.id = p.clinic_id where p.clinic_id = $1 and p.id = $2",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?
        .ok_or(StoreError::NotFound)?;
    let rows: Vec<RuleRow> = tx
        .all(
            "select clinic_id, patient_id, local_time, weekdays, paused_until from reminder_rule where clinic_id = $1 and patient_id = $2",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", patient, why))?;
    let quiet = QuietHours { from: to_time(quiet_from), to: to_time(quiet_to) };
    Ok(Reminders { rule: rule_of(patient, &rows, zone, quiet)?, unsubscribed })
}

/// Replaces a patient's rule by what [`ReminderRule::new`] accepted, and works out each time's next instant after `now`. No times, or
/// no weekdays, end the reminders.
///
/// # Errors
/// The store's own.
pub async fn save_rules(tx: &Tx, patient: PatientId, rule: &ReminderRule, now: Timestamp) -> Result<(), StoreError> {
    let ReminderRule { times, weekdays, zone, quiet, paused_until } = rule;
    let times = if weekdays.is_empty() { &[][..] } else { times };
    let texts: Vec<String> = times.iter().map(ToString::to_string).collect();
    tx.run(
        "delete from reminder_rule where clinic_id = $1 and patient_id = $2 and local_time <> all ($3::text[]::time[])",
        [tx.clinic().0.into(), patient.0.into(), texts.clone().into()],
    )
    .await?;
    let ids: Vec<Uuid> = times.iter().map(|_| Uuid::now_v7()).collect();
    let dues = Dues::gather(times.iter().map(|time| next_of(rule, *time, now)));
    tx.run(
        "insert into reminder_rule (clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until,
           due_at, due_date, created_at)
         select $1, r.id, $2, r.local_time::time, $3, $4, $5, $6, $7, nullif(r.due_at, '')::timestamptz,
           nullif(r.due_date, '')::date, $8
         from unnest($9::uuid[], $10::text[], $11::text[], $12::text[]) as r (id, local_time, due_at, due_date)
         on conflict (clinic_id, patient_id, local_time) do update set weekdays = excluded.weekdays, zone = excluded.zone,
           quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, paused_until = excluded.paused_until,
           due_at = excluded.due_at, due_date = excluded.due_date, version = reminder_rule.version + 1",
        [
            tx.clinic().0.into(),
            patient.0.into(),
            i16::from(weekdays.bits()).into(),
            zone.name().into(),
            from_time(quiet.from).into(),
            from_time(quiet.to).into(),
            paused_until.map(from_date).into(),
            from_instant(now).into(),
            ids.into(),
            texts.into(),
            dues.at.into(),
            dues.date.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Pauses a patient's reminders up to and including a day, or ends the pause.
///
/// # Errors
/// As [`rules_for`].
pub async fn pause(tx: &Tx, patient: PatientId, until: Option<Date>, now: Timestamp) -> Result<(), StoreError> {
    let mut rule = rules_for(tx, patient).await?.rule;
    rule.paused_until = until;
    save_rules(tx, patient, &rule, now).await
}

/// Works out a patient's next instants anew, after the patient's zone or the clinic's quiet hours changed.
///
/// # Errors
/// As [`rules_for`].
pub async fn replan(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<(), StoreError> {
    let rule = rules_for(tx, patient).await?.rule;
    save_rules(tx, patient, &rule, now).await
}

/// Sends a patient's address no more reminders from this clinic; other mail still comes. Asking twice changes nothing.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient that is not within the scope; the store's own.
pub async fn unsubscribe(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Address {
        email: Option<String>,
    }
    let address: Address = tx
        .one("select email from patient where clinic_id = $1 and id = $2", [tx.clinic().0.into(), patient.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?;
    // A patient without an address gets no reminders anyway.
    if let Some(email) = address.email {
        tx.run(
            "insert into suppression (clinic_id, email, scope, reason, created_at) values ($1, $2, 'reminders', 'unsubscribed', $3)
             on conflict (clinic_id, email, scope) do nothing",
            [tx.clinic().0.into(), email.into(), from_instant(now).into()],
        )
        .await?;
    }
    Ok(())
}

/// Takes an unsubscription back, at the patient's own wish. An address that a mail server refused stays suppressed.
///
/// # Errors
/// The store's own.
pub async fn resubscribe(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    tx.run(
        "delete from suppression s using patient p where p.clinic_id = $1 and p.id = $2
           and s.clinic_id = p.clinic_id and s.email = p.email and s.scope = 'reminders'",
        [tx.clinic().0.into(), patient.0.into()],
    )
    .await?;
    Ok(())
}

/// What one step of planning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    /// Rules whose time had come. When as many as asked for, there may be more.
    pub rules: usize,
    /// Reminders queued. Fewer than rules when a patient has no address, or another worker had queued one already.
    pub queued: u64,
}

#[derive(FromQueryResult)]
struct DueRow {
    clinic_id: Uuid,
    id: Uuid,
    local_time: time::Time,
    weekdays: i16,
    zone: String,
    quiet_from: time::Time,
    quiet_to: time::Time,
    paused_until: Option<time::Date>,
    due_at: time::OffsetDateTime,
}

/// Queues a reminder for up to `limit` rules whose instant has come, and moves each on to its next instant. Runs in
/// [`crate::Store::worker`]; any number of workers may plan at once. A clock that was set back plans nothing twice: a rule only ever
/// moves forward, and the queue holds each (patient, date, time) once.
///
/// Two statements whatever the limit: the civil times are worked out between them, by the domain and not by the database's zones.
///
/// # Errors
/// The store's own. A rule that cannot be read is switched off and logged; it stops nobody else's reminders.
pub async fn plan(tx: &Tx, limit: u32, now: Timestamp) -> Result<Planned, StoreError> {
    let rows: Vec<DueRow> = tx
        .all(
            "select clinic_id, id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until, due_at from reminder_rule
             where due_at <= $1 order by due_at limit $2 for update skip locked",
            [from_instant(now).into(), i64::from(limit).into()],
        )
        .await?;
    if rows.is_empty() {
        return Ok(Planned::default());
    }
    let clinics: Vec<Uuid> = rows.iter().map(|row| row.clinic_id).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let notices: Vec<Uuid> = rows.iter().map(|_| NoticeId::new().0).collect();
    let dues = Dues::gather(rows.iter().map(|row| {
        after(row, now).unwrap_or_else(|why| {
            tracing::error!(rule = %row.id, %why, "a reminder rule cannot be read and is switched off");
            None
        })
    }));
    let queued = tx
        .run(
            "with due as (
               select r.clinic_id, r.id, r.patient_id, r.local_time, r.due_at, r.due_date, d.notice_id,
                 nullif(d.due_at, '')::timestamptz as next_at, nullif(d.due_date, '')::date as next_date
               from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) as d (clinic_id, id, notice_id, due_at, due_date)
               join reminder_rule r on r.clinic_id = d.clinic_id and r.id = d.id),
             advanced as (
               update reminder_rule r set due_at = due.next_at, due_date = due.next_date
               from due where r.clinic_id = due.clinic_id and r.id = due.id)
             insert into notice (clinic_id, id, kind, patient_id, recipient, civil_date, civil_time, dedupe_key, due_at, next_at,
               created_at)
             select due.clinic_id, due.notice_id, 'session_reminder', due.patient_id, p.email, due.due_date, due.local_time,
               'session_reminder:' || due.patient_id || ':' || due.due_date || ':' || due.local_time, due.due_at, due.due_at, $6
             from due join patient p on p.clinic_id = due.clinic_id and p.id = due.patient_id
             where p.email is not null and due.due_date is not null
             on conflict (dedupe_key) do nothing",
            [clinics.into(), ids.into(), notices.into(), dues.at.into(), dues.date.into(), from_instant(now).into()],
        )
        .await?;
    Ok(Planned { rules: rows.len(), queued })
}

/// The due after the one a row holds.
fn after(row: &DueRow, now: Timestamp) -> Result<Option<Due>, StoreError> {
    let DueRow { clinic_id: _, id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until, due_at } = row;
    let corrupt = |column, why: String| StoreError::corrupt("reminder_rule", column, id, why);
    let time = to_time(*local_time);
    let rule = ReminderRule {
        times: vec![time],
        weekdays: u8::try_from(*weekdays)
            .ok()
            .and_then(Weekdays::from_bits)
            .ok_or_else(|| corrupt("weekdays", "not a set of weekdays".to_owned()))?,
        zone: Zone::parse(zone).map_err(|why| corrupt("zone", why.to_string()))?,
        quiet: QuietHours { from: to_time(*quiet_from), to: to_time(*quiet_to) },
        paused_until: paused_until.and_then(to_date),
    };
    let due_at = to_instant(*due_at).ok_or_else(|| corrupt("due_at", "out of range".to_owned()))?;
    Ok(next_due(&rule, due_at.max(now - LOOK_BACK)))
}

/// The next due of one of a rule's times.
fn next_of(rule: &ReminderRule, time: Time, now: Timestamp) -> Option<Due> {
    next_due(&ReminderRule { times: vec![time], ..rule.clone() }, now)
}

/// Instants and dates of dues as texts for `unnest`, '' where there is none.
#[derive(Default)]
struct Dues {
    at: Vec<String>,
    date: Vec<String>,
}

impl Dues {
    fn gather(dues: impl Iterator<Item = Option<Due>>) -> Self {
        let mut columns = Self::default();
        for due in dues {
            columns.at.push(due.map(|due| due.at.to_string()).unwrap_or_default());
            columns.date.push(due.map(|due| due.date.to_string()).unwrap_or_default());
        }
        columns
    }
}

/// Whether mail to the patient's address came back for good, so that the clinic writes to it no more whatever the patient chooses.
///
/// # Errors
/// The store's own.
pub async fn is_dead(tx: &Tx, patient: PatientId) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        dead: bool,
    }
    let row: Option<Row> = tx
        .one(
            "select exists (select 1 from suppression s join patient p on p.clinic_id = s.clinic_id and p.email = s.email
               where s.clinic_id = $1 and p.id = $2 and s.scope = 'all') as dead",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    Ok(row.is_some_and(|row| row.dead))
}
