//! Patients' reminder rules, and planning: turning what has come due into notices.
//!
//! One row per patient and chosen time holds the next instant of that time (`due_at`). Planning reads only the rows whose instant has
//! come, through an index, and moves each on to its next; so it costs what is due, not how many patients there are. Whether a reminder
//! is still wanted is decided again just before it is sent (`domain::reminder::decide`).

mod planning;

use domain::{
    ids::PatientId,
    person::{Email, Zone},
    program::Weekdays,
    reminder::{QuietHours, ReminderRule},
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{from_date, from_instant, from_time, to_date, to_time},
    outbox::recall,
};
pub(crate) use planning::requiet;
use planning::{Dues, carry, of_patient, queue};
pub use planning::{Gate, Planned, gate, plan, refresh_zones};

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
    let args = || -> [sea_orm::Value; 2] { [tx.clinic().0.into(), patient.0.into()] };
    let (found, rows) = tokio::try_join!(
        tx.one::<PatientRow>(
            "select p.zone, c.quiet_from, c.quiet_to,
               exists (select 1 from suppression s where s.clinic_id = p.clinic_id and s.email = p.email) as unsubscribed
             from patient p join clinic c on c.id = p.clinic_id where p.clinic_id = $1 and p.id = $2",
            args(),
        ),
        tx.all::<RuleRow>(
            "select clinic_id, patient_id, local_time, weekdays, paused_until from reminder_rule where clinic_id = $1 and patient_id = $2",
            args(),
        ),
    )?;
    let PatientRow { zone, quiet_from, quiet_to, unsubscribed } = found.ok_or(StoreError::NotFound)?;
    let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", patient, why))?;
    let quiet = QuietHours { from: to_time(quiet_from), to: to_time(quiet_to) };
    Ok(Reminders { rule: rule_of(patient, &rows, zone, quiet)?, unsubscribed })
}

/// Holds a patient's rules until the transaction ends. Whatever needs them and the patient's row takes the rules first, as planning does.
pub(crate) async fn hold(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    of_patient(tx, patient).await.map(|_| ())
}

/// Replaces a patient's rule by what [`ReminderRule::new`] accepted, and works out each time's next instant. No times, or no weekdays,
/// end the reminders.
///
/// What fell due before this and was not yet queued is queued first, so that no edit makes a reminder disappear. A due that was still
/// ahead and now lies behind (the patient's zone moved east) is caught up with while it is fresh enough to be sent. What a worker has
/// claimed is taken back and judged by the new rule.
///
/// # Errors
/// The store's own.
pub async fn save_rules(tx: &Tx, patient: PatientId, rule: &ReminderRule, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Reminders, Some(patient));
    let ReminderRule { times, weekdays, zone, quiet, paused_until } = rule;
    let times = if weekdays.is_empty() { &[][..] } else { times };
    let before = of_patient(tx, patient).await?;
    recall(tx, patient).await?;
    let mut owed = Vec::new();
    let mut dues = Dues::default();
    for time in times {
        let row = before.iter().find(|row| to_time(row.local_time) == *time);
        let (missed, next) = carry(row, &ReminderRule { times: vec![*time], ..rule.clone() }, now);
        owed.extend(missed.into_iter().map(|due| (tx.clinic(), patient, due)));
        dues.push(next);
    }
    queue(tx, &owed, now).await?;
    let local: Vec<time::Time> = times.iter().map(|time| from_time(*time)).collect();
    tx.run(
        "delete from reminder_rule where clinic_id = $1 and patient_id = $2 and local_time <> all ($3)",
        [tx.clinic().0.into(), patient.0.into(), local.clone().into()],
    )
    .await?;
    let ids: Vec<Uuid> = times.iter().map(|_| Uuid::now_v7()).collect();
    tx.run(
        "insert into reminder_rule (clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until,
           due_at, due_date, created_at)
         select $1, r.id, $2, r.local_time, $3, $4, $5, $6, $7, nullif(r.due_at, 'epoch'),
           case when r.due_at <> 'epoch' then r.due_date end, $8
         from unnest($9::uuid[], $10::time[], $11::timestamptz[], $12::date[]) as r (id, local_time, due_at, due_date)
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
            local.into(),
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
    tx.note(AuditAction::Wrote, AuditResource::Reminders, Some(patient));
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

/// Sends a patient's address no more reminders from this clinic; other mail still comes. Asking twice changes nothing. A reminder that a
/// worker has claimed does not leave any more; one that is on its way may ([`crate::outbox::on_their_way`]).
///
/// # Errors
/// [`StoreError::NotFound`] for a patient that is not within the scope; the store's own.
pub async fn unsubscribe(tx: &Tx, patient: PatientId, now: Timestamp) -> Result<(), StoreError> {
    match addresses(tx, patient).await?.current {
        Some(email) => stop(tx, patient, &email, "unsubscribed", now).await,
        // A patient without an address gets no reminders anyway.
        None => {
            tx.note(AuditAction::Wrote, AuditResource::Reminders, Some(patient));
            Ok(())
        }
    }
}

/// The reason of a suppression that was requested by a link in a mail to an address which is no longer the patient's. It is not a request of the
/// patient and does not move to another address with the patient.
pub(crate) const EARLIER_ADDRESS: &str = "unsubscribed at an earlier address";

/// Stops this clinic's reminders to an earlier address of a patient. The present address is not affected.
///
/// # Errors
/// The store's own.
pub async fn unsubscribe_earlier(tx: &Tx, patient: PatientId, address: &Email, now: Timestamp) -> Result<(), StoreError> {
    stop(tx, patient, address, EARLIER_ADDRESS, now).await
}

async fn stop(tx: &Tx, patient: PatientId, address: &Email, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Reminders, Some(patient));
    recall(tx, patient).await?;
    tx.run(
        "insert into suppression (clinic_id, email, scope, reason, created_at) values ($1, $2, 'reminders', $3, $4)
         on conflict do nothing",
        [tx.clinic().0.into(), address.as_str().into(), reason.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}

/// Where a patient's mail goes, and where it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The present address.
    pub current: Option<Email>,
    /// Others that mail about this patient went to.
    pub earlier: Vec<Email>,
}

/// The addresses of a patient. The record is locked until the transaction ends: a correction is committed before this or after it. The whole row
/// is, because stopping reminders locks it too, and two of these that share it would then wait for one another.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient that is not within the scope; the store's own.
pub async fn addresses(tx: &Tx, patient: PatientId) -> Result<Addresses, StoreError> {
    #[derive(FromQueryResult)]
    struct Current {
        email: Option<String>,
    }
    let corrupt = |why: domain::person::EmailError| StoreError::corrupt("patient", "email", patient, why);
    let Current { email } = tx
        .one("select email from patient where clinic_id = $1 and id = $2 for update", [tx.clinic().0.into(), patient.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?;
    let current = email.map(|email| Email::parse(&email)).transpose().map_err(corrupt)?;
    #[derive(FromQueryResult)]
    struct Earlier {
        recipient: String,
    }
    let earlier: Vec<Earlier> = tx
        .all(
            "select distinct recipient from notice where clinic_id = $1 and patient_id = $2 and recipient is distinct from $3",
            [tx.clinic().0.into(), patient.0.into(), current.as_ref().map(|email| email.as_str().to_owned()).into()],
        )
        .await?;
    let earlier = earlier.iter().map(|Earlier { recipient }| Email::parse(recipient)).collect::<Result<_, _>>().map_err(corrupt)?;
    Ok(Addresses { current, earlier })
}

/// The recipient of the reminder or test that was composed at this instant (to the second): the first notice of the patient that was settled after it,
/// else the nearest before it. `None` when there is no such notice.
///
/// # Errors
/// The store's own.
pub async fn mailed_to(tx: &Tx, patient: PatientId, written: Timestamp) -> Result<Option<Email>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        recipient: String,
    }
    let row: Option<Row> = tx
        .one(
            "select recipient from notice
             where clinic_id = $1 and patient_id = $2 and kind in ('session_reminder', 'test') and settled_at is not null
             order by settled_at < $3, abs(extract(epoch from settled_at - $3)), id limit 1",
            [tx.clinic().0.into(), patient.0.into(), from_instant(written).into()],
        )
        .await?;
    row.map(|row| Email::parse(&row.recipient).map_err(|why| StoreError::corrupt("notice", "recipient", patient, why))).transpose()
}

/// Takes an unsubscription back, at the patient's own wish. An address that a mail server refused stays suppressed.
///
/// # Errors
/// The store's own.
pub async fn resubscribe(tx: &Tx, patient: PatientId) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Reminders, Some(patient));
    tx.run(
        "delete from suppression s using patient p where p.clinic_id = $1 and p.id = $2
           and s.clinic_id = p.clinic_id and s.email = p.email and s.scope = 'reminders'",
        [tx.clinic().0.into(), patient.0.into()],
    )
    .await?;
    Ok(())
}
