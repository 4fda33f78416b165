//! Changes by people in the midst of sending: made by the store's own verbs, as the pages make them, and written down once they were
//! acknowledged. What leaves after that is held against the engine.

use anyhow::{Context as _, Result};
use domain::{
    ids::{ClinicId, LogId, PatientId},
    person::Email,
    session_log::{Entry, Outcome, SessionLog},
};
use jiff::Timestamp;
use store::{Actor, ClinicContext, Store, StoreError, Tx, patient, program, reminder, session_log};

use super::DATABASE;
use crate::cluster::Cluster;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Wants no more reminders.
    Unsubscribed,
    /// The clinic corrects the address.
    Moved,
    /// Logs every session of the day.
    Logged,
}

impl Change {
    pub(super) const ALL: [Self; 3] = [Self::Unsubscribed, Self::Moved, Self::Logged];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Moved => "moved",
            Self::Logged => "logged",
        }
    }
}

/// Whom a change is about.
pub(super) struct Whom {
    pub(super) clinic: ClinicId,
    pub(super) patient: PatientId,
    email: String,
    /// What the patient's mail was doing when it was looked at.
    pub(super) state: String,
}

/// Somebody whose reminder a worker holds in this state, counted from the one that came to it last: what was known of it then is about to be
/// acted on.
pub(super) async fn whom(cluster: &Cluster, state: &str, nth: u32) -> Result<Option<Whom>> {
    let sql = format!(
        "select n.clinic_id, n.patient_id, p.email from notice n join patient p on p.clinic_id = n.clinic_id and p.id = n.patient_id
         where n.state = '{state}' and n.kind = 'session_reminder' and p.email is not null
           and not exists (select from stress_change c where c.patient_id = n.patient_id)
         order by (select max(s.at) from stress_note s where s.token = n.token and s.notice_id = n.id) desc nulls last offset {nth} limit 1"
    );
    let Some(row) = cluster.rows(DATABASE, &sql).await?.into_iter().next() else { return Ok(None) };
    let [clinic, patient, email] = <[String; 3]>::try_from(row).ok().context("three columns")?;
    Ok(Some(Whom { clinic: ClinicId(clinic.parse()?), patient: PatientId(patient.parse()?), email, state: state.to_owned() }))
}

/// Makes the change; whether it was acknowledged. A database that is away acknowledges nothing.
pub(super) async fn make(cluster: &Cluster, store: &Store, change: Change, whom: &Whom, now: Timestamp) -> Result<bool> {
    match apply(store, change, whom, now).await {
        Ok(()) => {}
        Err(StoreError::Unavailable(_)) => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("a patient could not be {}", change.name())),
    }
    // By the database's clock, as every intent is noted: whatever is noted later began to leave later.
    let (id, name, email) = (whom.patient, change.name(), &whom.email);
    let sql = format!("insert into stress_change values ('{id}', '{name}', '{email}', clock_timestamp())");
    cluster.rows(DATABASE, &sql).await?;
    Ok(true)
}

/// The change, in a transaction of its own.
async fn apply(store: &Store, change: Change, whom: &Whom, now: Timestamp) -> Result<(), StoreError> {
    let id = whom.patient;
    let actor = if change == Change::Moved { Actor::System } else { Actor::Patient(id) };
    let tx = store.begin(&ClinicContext::new(whom.clinic, actor)).await?;
    match change {
        Change::Unsubscribed => reminder::unsubscribe(&tx, id, now).await?,
        Change::Moved => {
            let before = patient::find(&tx, id).await?;
            let moved = before.email.as_ref().map(|email| format!("moved.{email}"));
            let email = moved.as_deref().map(Email::parse).transpose().map_err(|why| StoreError::Other(why.to_string()))?;
            let wanted = patient::Patient { email, ..before.clone() };
            patient::correct(&tx, &before, &wanted, now).await?;
        }
        Change::Logged => log_all(&tx, id, now).await?,
    }
    tx.commit().await
}

/// Logs as many sessions as the day has.
async fn log_all(tx: &Tx, id: PatientId, now: Timestamp) -> Result<(), StoreError> {
    let today = patient::find(tx, id).await?.zone.date(now);
    for program in program::of_patient(tx, id).await? {
        let Some(version) = program.version_on(today) else { continue };
        let did = |row: &domain::program::Prescription| Entry {
            prescription: row.id,
            outcome: Outcome::Did {
                sets: row.dose.sets().min(),
                reps: row.dose.reps().min(),
                hold: row.dose.hold().map(|hold| hold.min()),
            },
        };
        for _ in 0..program.slots_on(today) {
            let log = SessionLog {
                id: LogId::new(),
                program: program.id,
                date: today,
                performed_at: now,
                received_at: now,
                entries: version.prescriptions.iter().map(did).collect(),
                pain_before: None,
                pain_after: None,
                effort: None,
                note: None,
                red_flags: Vec::new(),
            };
            session_log::insert(tx, &program, &log).await?;
        }
    }
    Ok(())
}
