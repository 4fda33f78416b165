//! The facts behind "why did I (not) get this mail?": see [`domain::reminder_story`].

use domain::{
    ids::{PatientId, ProgramId},
    person::Zone,
    program::Program,
    reminder::ReminderRule,
    reminder_story::{Address, Case, Fate, Log, Queued},
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::list::{self, Filter, Notice, State, sender};
use crate::{
    StoreError, Tx,
    convert::{At, from_date, to_date, to_instant, to_time},
    patient::{self, Patient},
    program, reminder,
};

/// The most notices of one patient that are read for a period: two weeks of three a day, and other mail.
const MOST: u16 = 200;

/// Everything the answer for some dates of one patient rests on.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The patient's record.
    pub patient: Patient,
    /// The present rule.
    pub rule: ReminderRule,
    /// Whether mail may go to the patient.
    pub address: Address,
    /// Why not, and since when, where it may not.
    pub suppressed: Option<Suppressed>,
    /// Every program.
    pub programs: Vec<Program>,
    /// All mail of those dates, newest first.
    pub notices: Vec<Notice>,
    chosen: Vec<(Time, Timestamp)>,
    logs: Vec<Log>,
    queued: Vec<Queued>,
    held_since: Option<Timestamp>,
}

impl Asked {
    /// As the rules ask for it.
    pub fn case(&self, now: Timestamp) -> Case<'_> {
        Case {
            now,
            zone: &self.patient.zone,
            known_since: self.patient.created_at,
            address: self.address,
            rule: &self.rule,
            chosen: &self.chosen,
            programs: &self.programs,
            logs: &self.logs,
            queued: &self.queued,
            held_since: self.held_since,
        }
    }

    /// When the last session of a date was logged.
    pub fn logged_at(&self, date: Date) -> Option<Timestamp> {
        self.logs.iter().filter(|log| log.date == date).map(|log| log.at).max()
    }
}

/// Reads the facts for civil dates from `from` to `to` (inclusive). The same handful of statements whatever the dates.
///
/// # Errors
/// [`StoreError::NotFound`] for a patient that is not within the scope; the store's own.
pub async fn story(tx: &Tx, id: PatientId, from: Date, to: Date) -> Result<Asked, StoreError> {
    // The day before covers every zone; which one is the patient's is asked with all the rest.
    let before = Zone::utc().day_start(from.saturating_sub(1.day()));
    let (patient, reminders, suppressed, programs, notices, chosen, logs, sender) = tokio::try_join!(
        patient::find(tx, id),
        reminder::rules_for(tx, id),
        suppressed(tx, id),
        program::of_patient(tx, id),
        of_patient(tx, id, before),
        chosen(tx, id),
        logs(tx, id, from, to),
        sender(tx),
    )?;
    let notices: Vec<Notice> = notices
        .into_iter()
        .filter(|notice| match notice.civil {
            Some((date, _)) => (from..=to).contains(&date),
            None => (patient.zone.day_start(from)..patient.zone.day_end(to)).contains(&notice.due_at),
        })
        .collect();
    Ok(Asked {
        address: match (&patient.email, &suppressed) {
            (None, _) => Address::Missing,
            (_, Some(Suppressed { all: true, .. })) => Address::CameBack,
            (_, Some(_)) => Address::Unsubscribed,
            (_, None) => Address::Open,
        },
        chosen,
        logs,
        queued: notices.iter().filter_map(queued).collect(),
        held_since: sender.held_since,
        patient,
        rule: reminders.rule,
        suppressed,
        programs,
        notices,
    })
}

/// One patient's mail that was due since an instant, or is for a civil date that began then; newest first.
///
/// # Errors
/// The store's own.
pub async fn of_patient(tx: &Tx, patient: PatientId, since: Timestamp) -> Result<Vec<Notice>, StoreError> {
    // A patient who travelled chose the hours of a date in another zone: no two zones are further apart than 26 hours.
    let since = since.saturating_sub(jiff::SignedDuration::from_hours(26)).unwrap_or(since);
    list::list(tx, &Filter { patient: Some(patient), since: Some(since), ..Filter::default() }, MOST).await
}

/// Why a clinic sends a patient's address no reminders, or no mail at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Whether no mail goes to it at all, because mail came back.
    pub all: bool,
    /// The reason: the mail server's words, or "unsubscribed".
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Whether something keeps mail from a patient's address; what keeps all of it comes first.
///
/// # Errors
/// The store's own.
pub async fn suppressed(tx: &Tx, patient: PatientId) -> Result<Option<Suppressed>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        scope: String,
        reason: String,
        created_at: At,
    }
    let row: Option<Row> = tx
        .one(
            "select s.scope, s.reason, s.created_at from suppression s
             join patient p on p.clinic_id = s.clinic_id and p.email = s.email
             where s.clinic_id = $1 and p.id = $2 order by s.scope limit 1",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    row.map(|Row { scope, reason, created_at }| {
        let since =
            to_instant(created_at).ok_or_else(|| StoreError::corrupt("suppression", "created_at", patient, "out of range"))?;
        Ok(Suppressed { all: scope == "all", reason, since })
    })
    .transpose()
}

async fn chosen(tx: &Tx, patient: PatientId) -> Result<Vec<(Time, Timestamp)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        local_time: time::Time,
        created_at: At,
    }
    let rows: Vec<Row> = tx
        .all(
            "select local_time, created_at from reminder_rule where clinic_id = $1 and patient_id = $2",
            [tx.clinic().0.into(), patient.0.into()],
        )
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((to_time(row.local_time), to_instant(row.created_at)?))).collect())
}

async fn logs(tx: &Tx, patient: PatientId, from: Date, to: Date) -> Result<Vec<Log>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        program_id: Uuid,
        date: time::Date,
        received_at: At,
    }
    let rows: Vec<Row> = tx
        .all(
            "select program_id, date, received_at from session_log where clinic_id = $1 and patient_id = $2 and date between $3 and $4",
            [tx.clinic().0.into(), patient.0.into(), from_date(from).into(), from_date(to).into()],
        )
        .await?;
    let log =
        |row: Row| Some(Log { program: ProgramId(row.program_id), date: to_date(row.date)?, at: to_instant(row.received_at)? });
    Ok(rows.into_iter().filter_map(log).collect())
}

fn queued(notice: &Notice) -> Option<Queued> {
    let (date, time) = notice.civil?;
    let (at, reply) = (notice.settled_at.unwrap_or(notice.due_at), notice.reply.clone());
    let fate = match notice.state {
        State::Pending | State::Claimed => Fate::Waiting { next_at: notice.next_at, attempts: notice.attempts, reply },
        State::Sending => Fate::Sending,
        State::Sent => Fate::Sent { at, reply },
        State::Skipped => Fate::Skipped(notice.reason?),
        State::Dead => Fate::Dead { at, reply },
        State::Unknown => Fate::Unknown { at, reply },
    };
    Some(Queued { date, time, due_at: notice.due_at, fate })
}
