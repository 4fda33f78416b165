//! Planning: rules whose instant has come become notices, and every rule moves on to its next instant. Whatever changes under a rule
//! (the patient's zone, the clinic's quiet hours, the zone database) works the instants out anew, many rules at a time.

use std::collections::HashMap;

use domain::{
    ids::{ClinicId, NoticeId, PatientId},
    person::{Zone, zone_database},
    program::Weekdays,
    reminder::{Due, GRACE, QuietHours, ReminderRule, next_due},
};
use jiff::{SignedDuration, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_date, from_instant, from_time, to_date, to_instant, to_time},
    outbox::recall_clinic,
};

/// After an outage each missed time still becomes a visible, expired notice; but not further back than this.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

const COLUMNS: &str =
    "clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until, version, due_at, due_date";

/// What one step of planning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Planned {
    /// Rules whose time had come. When as many as asked for, there may be more.
    pub rules: usize,
    /// Reminders queued. Fewer than were due when a patient has no address, or another worker had queued one already.
    pub queued: u64,
}

/// One chosen time of a patient, as it lies in the table.
#[derive(FromQueryResult)]
pub(super) struct Row {
    clinic_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    pub(super) local_time: time::Time,
    weekdays: i16,
    zone: String,
    quiet_from: time::Time,
    quiet_to: time::Time,
    paused_until: Option<time::Date>,
    version: i32,
    due_at: Option<At>,
    due_date: Option<time::Date>,
}

/// Zones by name: a batch holds few of them, and reading one is a look into the whole database.
#[derive(Default)]
struct Zones(HashMap<String, Option<Zone>>);

impl Zones {
    fn read(&mut self, name: &str) -> Option<Zone> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let zone = Zone::parse(name).ok();
        self.0.insert(name.to_owned(), zone.clone());
        zone
    }
}

impl Row {
    fn rule(&self, zones: &mut Zones) -> Result<ReminderRule, StoreError> {
        let corrupt = |column, why: String| StoreError::corrupt("reminder_rule", column, self.id, why);
        Ok(ReminderRule {
            times: vec![to_time(self.local_time)],
            weekdays: u8::try_from(self.weekdays)
                .ok()
                .and_then(Weekdays::from_bits)
                .ok_or_else(|| corrupt("weekdays", "not a set of weekdays".to_owned()))?,
            zone: zones.read(&self.zone).ok_or_else(|| corrupt("zone", format!("“{}” is not a time zone we know", self.zone)))?,
            quiet: QuietHours { from: to_time(self.quiet_from), to: to_time(self.quiet_to) },
            paused_until: self.paused_until.and_then(to_date),
        })
    }

    /// The due it holds, if it holds one.
    fn held(&self) -> Option<Due> {
        let (at, date) = (self.due_at.and_then(to_instant)?, self.due_date.and_then(to_date)?);
        Some(Due { date, time: to_time(self.local_time), at })
    }

    /// Every due up to and including `now`, from the one it holds on, and the first one after.
    fn walk(&self, rule: &ReminderRule, now: Timestamp) -> (Vec<Due>, Option<Due>) {
        let mut missed = Vec::new();
        let mut next = self.held();
        while let Some(due) = next.filter(|due| due.at <= now) {
            missed.push(due);
            next = next_due(rule, due.at.max(now.saturating_sub(LOOK_BACK).unwrap_or(Timestamp::MIN)));
        }
        (missed, next)
    }
}

/// What a rule that takes a row's place has missed under the old one, and its own next due. `rule` has one time.
pub(super) fn carry(before: Option<&Row>, rule: &ReminderRule, now: Timestamp) -> (Vec<Due>, Option<Due>) {
    let next = next_due(rule, now);
    // Who could not be read has missed nothing that anybody could name.
    let Some((row, old)) = before.and_then(|row| Some((row, row.rule(&mut Zones::default()).ok()?))) else {
        return (Vec::new(), next);
    };
    let (missed, pending) = row.walk(&old, now);
    (missed, caught_up(pending, rule, now).into_iter().chain(next).min_by_key(|due| due.at))
}

/// A due that was still ahead, as the rule has it now: it may be behind by now, but not by more than a reminder may be late.
fn caught_up(pending: Option<Due>, rule: &ReminderRule, now: Timestamp) -> Option<Due> {
    rule.dues_on(pending?.date).find(|due| now.duration_since(due.at) <= GRACE)
}

/// Instants and dates of dues as columns for `unnest`; the epoch stands for none, since arrays are bound without nulls.
#[derive(Default)]
pub(super) struct Dues {
    pub(super) at: Vec<time::OffsetDateTime>,
    pub(super) date: Vec<time::Date>,
}

impl Dues {
    pub(super) fn push(&mut self, due: Option<Due>) {
        self.at.push(due.map_or(time::OffsetDateTime::UNIX_EPOCH, |due| from_instant(due.at)));
        self.date.push(due.map_or(time::OffsetDateTime::UNIX_EPOCH.date(), |due| from_date(due.date)));
    }
}

/// Reminders that have come due, as columns for `unnest`.
#[derive(Default)]
struct Owed {
    clinic: Vec<Uuid>,
    id: Vec<Uuid>,
    patient: Vec<Uuid>,
    date: Vec<time::Date>,
    time: Vec<time::Time>,
    at: Vec<time::OffsetDateTime>,
}

impl Owed {
    fn push(&mut self, clinic: ClinicId, patient: PatientId, due: Due) {
        self.clinic.push(clinic.0);
        self.id.push(NoticeId::new().0);
        self.patient.push(patient.0);
        self.date.push(from_date(due.date));
        self.time.push(from_time(due.time));
        self.at.push(from_instant(due.at));
    }
}

/// Queues what is owed; `$1` to `$6` are [`Owed`], `$7` is now. A patient without an address, or with a closed record, is owed nothing.
const QUEUE: &str =
    "insert into notice (clinic_id, id, kind, patient_id, recipient, civil_date, civil_time, dedupe_key, due_at, next_at,
       created_at)
     select o.clinic_id, o.id, 'session_reminder', o.patient_id, p.email, o.civil_date, o.civil_time,
       'session_reminder:' || o.patient_id || ':' || o.civil_date || ':' || o.civil_time, o.due_at, o.due_at, $7
     from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[], $5::time[], $6::timestamptz[])
       as o (clinic_id, id, patient_id, civil_date, civil_time, due_at)
     join patient p on p.clinic_id = o.clinic_id and p.id = o.patient_id
     where p.email is not null and p.closed_at is null
     on conflict (dedupe_key) do nothing";

/// The rules of a patient as they are, held until the transaction ends.
pub(super) async fn of_patient(tx: &Tx, patient: PatientId) -> Result<Vec<Row>, StoreError> {
    tx.all(
        &format!("select {COLUMNS} from reminder_rule where clinic_id = $1 and patient_id = $2 order by id for update"),
        [tx.clinic().0.into(), patient.0.into()],
    )
    .await
}

/// Queues reminders that came due, each once; how many were new.
pub(super) async fn queue(tx: &Tx, owed: &[(ClinicId, PatientId, Due)], now: Timestamp) -> Result<u64, StoreError> {
    if owed.is_empty() {
        return Ok(0);
    }
    let mut columns = Owed::default();
    for (clinic, patient, due) in owed {
        columns.push(*clinic, *patient, *due);
    }
    let Owed { clinic, id, patient, date, time, at } = columns;
    let values = [clinic.into(), id.into(), patient.into(), date.into(), time.into(), at.into(), from_instant(now).into()];
    tx.run(QUEUE, values).await
}

/// Queues a reminder for every due up to `now` of up to `limit` rules whose instant has come, and moves each on to its next instant.
/// Runs in [`crate::Store::begin_worker`]; any number of workers may plan at once. A clock that was set back plans nothing twice: a rule only
/// ever moves forward, and the queue holds each (patient, date, time) once.
///
/// Two statements whatever the limit: the civil times are worked out between them, by the domain and not by the database's zones.
///
/// # Errors
/// The store's own. A rule that cannot be read is switched off and logged; it stops nobody else's reminders.
pub async fn plan(tx: &Tx, limit: u32, now: Timestamp) -> Result<Planned, StoreError> {
    let rows: Vec<Row> = tx
        .all(
            &format!("select {COLUMNS} from reminder_rule where due_at <= $1 order by due_at limit $2 for update skip locked"),
            [from_instant(now).into(), i64::from(limit).into()],
        )
        .await?;
    if rows.is_empty() {
        return Ok(Planned::default());
    }
    let mut zones = Zones::default();
    let (mut owed, mut dues) = (Owed::default(), Dues::default());
    for row in &rows {
        let (missed, next) = match row.rule(&mut zones) {
            Ok(rule) => row.walk(&rule, now),
            Err(why) => {
                tracing::error!(rule = %row.id, %why, "a reminder rule cannot be read and is switched off");
                (row.held().into_iter().collect(), None)
            }
        };
        for due in missed {
            owed.push(ClinicId(row.clinic_id), PatientId(row.patient_id), due);
        }
        dues.push(next);
    }
    let clinics: Vec<Uuid> = rows.iter().map(|row| row.clinic_id).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let Owed { clinic, id, patient, date, time, at } = owed;
    let queued = tx
        .run(
            &format!(
                "with advanced as (
                   update reminder_rule r set due_at = nullif(d.due_at, 'epoch'),
                     due_date = case when d.due_at <> 'epoch' then d.due_date end
                   from unnest($8::uuid[], $9::uuid[], $10::timestamptz[], $11::date[]) as d (clinic_id, id, due_at, due_date)
                   where r.clinic_id = d.clinic_id and r.id = d.id)
                 {QUEUE}"
            ),
            [
                clinic.into(),
                id.into(),
                patient.into(),
                date.into(),
                time.into(),
                at.into(),
                from_instant(now).into(),
                clinics.into(),
                ids.into(),
                dues.at.into(),
                dues.date.into(),
            ],
        )
        .await?;
    Ok(Planned { rules: rows.len(), queued })
}

/// Gives all rules of the clinic new quiet hours, and works out their next instants; four statements, however many there are. What
/// fell due before this and was not yet queued is queued first; what a worker has claimed is taken back and judged by the new hours.
pub(crate) async fn requiet(tx: &Tx, quiet: QuietHours, now: Timestamp) -> Result<(), StoreError> {
    let (clinic, from, to) = (tx.clinic(), from_time(quiet.from), from_time(quiet.to));
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "select {COLUMNS} from reminder_rule where clinic_id = $1 and (quiet_from, quiet_to) is distinct from ($2, $3)
                 order by id for update"
            ),
            [clinic.0.into(), from.into(), to.into()],
        )
        .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let mut zones = Zones::default();
    let (mut owed, mut dues) = (Vec::new(), Dues::default());
    for row in &rows {
        // Who cannot be read stays switched off.
        let Ok(old) = row.rule(&mut zones) else {
            dues.push(None);
            continue;
        };
        let (missed, next) = carry(Some(row), &ReminderRule { quiet, ..old }, now);
        owed.extend(missed.into_iter().map(|due| (clinic, PatientId(row.patient_id), due)));
        dues.push(next);
    }
    queue(tx, &owed, now).await?;
    // After the new notices, whose foreign keys hold a share of their patients: records are locked before notices.
    recall_clinic(tx).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    tx.run(
        "update reminder_rule r set quiet_from = $2, quiet_to = $3, due_at = nullif(d.due_at, 'epoch'),
           due_date = case when d.due_at <> 'epoch' then d.due_date end, version = r.version + 1
         from unnest($4::uuid[], $5::timestamptz[], $6::date[]) as d (id, due_at, due_date)
         where r.clinic_id = $1 and r.id = d.id",
        [clinic.0.into(), from.into(), to.into(), ids.into(), dues.at.into(), dues.date.into()],
    )
    .await?;
    Ok(())
}

/// What has to be known before planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Reminders are held back until the operator releases them.
    pub held: bool,
    /// The future instants were worked out with an older zone database than this program's.
    pub outdated: bool,
}

/// Whether reminders may be planned, and whether their instants are still right. Runs in [`crate::Store::begin_worker`].
///
/// # Errors
/// The store's own.
pub async fn gate(tx: &Tx) -> Result<Gate, StoreError> {
    #[derive(FromQueryResult)]
    struct Sender {
        held: bool,
        zone_database: Option<String>,
    }
    let sender: Option<Sender> = tx.one("select held_since is not null as held, zone_database from mail_sender", []).await?;
    let (held, database) = sender.map_or((false, None), |sender| (sender.held, sender.zone_database));
    // An older program beside a newer one leaves the newer one's work alone, or the two would undo each other for ever.
    Ok(Gate { held, outdated: database.as_deref() < Some(zone_database()) })
}

/// Works out the future instants of up to `limit` rules anew, in the order of their keys from after `from`, with the zones this
/// program carries. Returns where to go on; `None` when that was the last, which is then written down. Runs in
/// [`crate::Store::begin_worker`]; doing it twice, or two workers at once, changes nothing.
///
/// A due that the new zones put into the past is planned at once. Rules that were switched off because their zone was unknown come
/// back when it is known now.
///
/// # Errors
/// The store's own.
pub async fn refresh_zones(
    tx: &Tx,
    from: Option<(Uuid, Uuid)>,
    limit: u32,
    now: Timestamp,
) -> Result<Option<(Uuid, Uuid)>, StoreError> {
    let (clinic, id) = from.unwrap_or_default();
    let rows: Vec<Row> = tx
        .all(
            &format!("select {COLUMNS} from reminder_rule where (clinic_id, id) > ($1, $2) order by clinic_id, id limit $3"),
            [clinic.into(), id.into(), i64::from(limit).into()],
        )
        .await?;
    let mut zones = Zones::default();
    let (mut clinics, mut ids, mut versions, mut dues) = (Vec::new(), Vec::new(), Vec::new(), Dues::default());
    for row in &rows {
        let held = row.held();
        // What is due already is planning's.
        let (false, Ok(rule)) = (held.is_some_and(|due| due.at <= now), row.rule(&mut zones)) else { continue };
        let next = caught_up(held, &rule, now).into_iter().chain(next_due(&rule, now)).min_by_key(|due| due.at);
        if next != held {
            clinics.push(row.clinic_id);
            ids.push(row.id);
            versions.push(row.version);
            dues.push(next);
        }
    }
    if !ids.is_empty() {
        // A rule that was saved or planned meanwhile is right already.
        tx.run(
            "update reminder_rule r set due_at = nullif(d.due_at, 'epoch'), due_date = case when d.due_at <> 'epoch' then d.due_date end
             from unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::date[]) as d (clinic_id, id, version, due_at, due_date)
             where r.clinic_id = d.clinic_id and r.id = d.id and r.version = d.version and (r.due_at is null or r.due_at > $6)",
            [clinics.into(), ids.into(), versions.into(), dues.at.into(), dues.date.into(), from_instant(now).into()],
        )
        .await?;
    }
    let last = rows.last().filter(|_| u32::try_from(rows.len()).is_ok_and(|count| count >= limit));
    if last.is_none() {
        tx.run(
            "update mail_sender set zone_database = $1 where zone_database is null or zone_database < $1",
            [zone_database().into()],
        )
        .await?;
    }
    Ok(last.map(|row| (row.clinic_id, row.id)))
}
