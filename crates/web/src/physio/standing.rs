//! How patients stand today: what needs the physiotherapist, adherence, pain and the program they are on. One place for the
//! caseload and the patient's own page, so that the two can never disagree.

use std::collections::HashMap;

use domain::{
    adherence::{self, Adherence},
    attention::{self, Attention, Case, Mark, Question, Settings},
    ids::PatientId,
    program::{Program, ProgramStatus},
};
use jiff::{Timestamp, ToSpan, civil::Date};
use store::{
    StoreError, Tx,
    reports::caseload::{self, Listed, Sessions, Window},
};

/// How many days the strip and the caseload's adherence look back, today included.
pub const DAYS: i32 = 28;

/// One patient, as they stand on their own civil date of today.
#[derive(Debug)]
pub struct Standing {
    /// Who.
    pub patient: Listed,
    /// The patient's civil date.
    pub today: Date,
    /// Their programs, by start.
    pub programs: Vec<Program>,
    /// Their sessions.
    pub sessions: Sessions,
    /// The notes that wait for an answer.
    pub waiting: Vec<Question>,
    /// What needs the physiotherapist and was not set aside, most urgent first.
    pub open: Vec<Attention>,
    /// The last [`DAYS`] days.
    pub adherence: Adherence,
}

impl Standing {
    /// The program to speak of: the one that runs or waits, else the newest.
    pub fn program(&self) -> Option<&Program> {
        let rank = |program: &&Program| match program.status(self.today) {
            ProgramStatus::Active => 3,
            ProgramStatus::Paused => 2,
            ProgramStatus::Upcoming => 1,
            ProgramStatus::Finished => 0,
        };
        self.programs.iter().max_by_key(|program| (rank(program), program.start))
    }

    /// The status of that program; `None` without any.
    pub fn status(&self) -> Option<ProgramStatus> {
        self.program().map(|program| program.status(self.today))
    }
}

/// The standing of some patients, in their order. One round trip of eight statements, whatever their number.
///
/// # Errors
/// The store's own.
pub async fn of(tx: &Tx, patients: Vec<Listed>, now: Timestamp) -> Result<Vec<Standing>, StoreError> {
    let ids: Vec<PatientId> = patients.iter().map(|patient| patient.id).collect();
    Ok(Ground::gather(tx, &ids, now).await?.judge(patients, now))
}

/// What the standing of some patients rests on.
#[derive(Debug)]
pub struct Ground {
    programs: HashMap<PatientId, Vec<Program>>,
    sessions: HashMap<PatientId, Sessions>,
    marks: HashMap<PatientId, Vec<Mark>>,
    settings: Settings,
}

impl Ground {
    /// Reads it. One round trip.
    ///
    /// # Errors
    /// The store's own.
    pub async fn gather(tx: &Tx, ids: &[PatientId], now: Timestamp) -> Result<Self, StoreError> {
        let (programs, sessions, marks, settings) = tokio::try_join!(
            store::program::of_patients(tx, ids),
            caseload::sessions(tx, ids, window(now)),
            store::attention::marks(tx, ids),
            store::attention::settings(tx),
        )?;
        Ok(Self { programs, sessions, marks, settings })
    }

    /// The standing of those of the patients it was gathered for, in their order.
    pub fn judge(mut self, patients: Vec<Listed>, now: Timestamp) -> Vec<Standing> {
        let judged = patients.into_iter().map(|patient| {
            let programs = self.programs.remove(&patient.id).unwrap_or_default();
            let sessions = self.sessions.remove(&patient.id).unwrap_or_default();
            let marks = self.marks.get(&patient.id).map_or(&[][..], Vec::as_slice);
            standing(patient, programs, sessions, marks, &self.settings, now)
        });
        judged.collect()
    }
}

fn standing(
    patient: Listed,
    programs: Vec<Program>,
    sessions: Sessions,
    marks: &[Mark],
    settings: &Settings,
    now: Timestamp,
) -> Standing {
    let today = patient.zone.date(now);
    let waiting = attention::waiting(&sessions.questions, marks);
    let case = Case {
        patient: patient.id,
        invited_on: patient.invited_at.map(|at| patient.zone.date(at)),
        signed_in: patient.joined_at.is_some(),
        programs: &programs,
        logs: &sessions.logs,
        scores: &sessions.scores,
        flagged: &sessions.flagged,
        questions: &waiting,
    };
    // Who left needs nobody, whatever the last program asked for.
    let open =
        if patient.closed { Vec::new() } else { attention::open(attention::attention(&case, settings, today), marks, today) };
    let from = today.saturating_sub((DAYS - 1).days());
    let adherence = adherence::adherence(&programs, &sessions.logs, from, today, today);
    Standing { patient, today, programs, sessions, waiting, open, adherence }
}

/// From when on sessions matter: the start of the oldest program that has not ended more than [`DAYS`] days ago, and at least two
/// windows of adherence. Never more than two years back, so that a page reads a bounded number of rows for each patient.
fn window(now: Timestamp) -> Window {
    // A day's slack on either side covers every zone.
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    Window {
        always: today.saturating_sub((2 * DAYS + 2).days()),
        ended: today.saturating_sub((DAYS + 2).days()),
        never: today.saturating_sub(2.years()),
    }
}
