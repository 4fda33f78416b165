//! Lives as lines of COPY's text format.

use std::{collections::BTreeMap, fmt::Write as _};

use domain::{
    ids::{ClinicId, MembershipId},
    program::Program,
    session_log::{Outcome, SessionLog, completion, entry_completion},
};
use jiff::{Timestamp, civil::Date};
use store::load::Table;
use uuid::Uuid;

use super::{dice::Dice, lives::Life};

/// What stands for nothing in COPY's text format.
const NULL: &str = "\\N";

/// What all rows of one clinic share.
pub(super) struct Shared<'a> {
    /// The clinic.
    pub(super) clinic: ClinicId,
    /// Everybody's zone.
    pub(super) zone: &'a str,
    /// Everybody's password.
    pub(super) hash: &'a str,
    /// What patients agreed to: its version, and the wording.
    pub(super) consent: (&'a str, &'a str),
    /// From which civil date on what was done exercise by exercise is loaded.
    pub(super) entries_from: Date,
}

/// The lines of a clinic, table by table.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<Table, String>);

impl Lines {
    /// The lines, each table's after those that it refers to.
    pub(super) fn in_order(mut self) -> Vec<(Table, String)> {
        Table::ALL.into_iter().filter_map(|table| Some((table, self.0.remove(&table)?))).collect()
    }

    fn add(&mut self, table: Table, cells: &[&dyn std::fmt::Display]) {
        let text = self.0.entry(table).or_default();
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                text.push('\t');
            }
            // Writing to a string cannot fail.
            let _ = write!(text, "{cell}");
        }
        text.push('\n');
    }

    /// One patient with everything they did. `due` is when the next reminder falls due, if they want one.
    pub(super) fn add_life(
        &mut self,
        dice: &mut Dice,
        shared: &Shared<'_>,
        life: &Life,
        (email, by, due): (&str, MembershipId, Option<(Date, Timestamp)>),
    ) {
        let Life { name, region, invited, joined, program, logs, reminded } = life;
        let (clinic, patient) = (shared.clinic, program.patient);
        let account = joined.map(|at| {
            // An account is nobody's clinic's: its id must differ from installation to installation.
            let id = Uuid::now_v7();
            self.add(Table::Account, &[&id, &email, &shared.hash, &"en", &at, &at]);
            id
        });
        let cells: [&dyn std::fmt::Display; 12] = [
            &clinic,
            &patient,
            &or_null(account),
            &by,
            name,
            &email,
            &shared.zone,
            &"en",
            &region.tag(),
            invited,
            &or_null(*joined),
            invited,
        ];
        self.add(Table::Patient, &cells);
        if let Some(at) = joined {
            let (version, wording) = shared.consent;
            self.add(Table::Consent, &[&clinic, &dice.id(*at), &patient, &version, &escaped(wording), at]);
        }
        self.add_program(dice, clinic, program, by, *invited, logs, shared.entries_from);
        if let (Some(hour), Some((date, at))) = (reminded, due) {
            let time = format!("{hour:02}:00");
            let cells: [&dyn std::fmt::Display; 11] =
                [&clinic, &dice.id(*invited), &patient, &time, &127, &shared.zone, &"21:00", &"07:00", &at, &date, invited];
            self.add(Table::Rule, &cells);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one call, of what one program's rows are made of")]
    fn add_program(
        &mut self,
        dice: &mut Dice,
        clinic: ClinicId,
        program: &Program,
        by: MembershipId,
        at: Timestamp,
        logs: &[SessionLog],
        entries_from: Date,
    ) {
        let Program { id, patient, name, start, end, versions, pauses, finished_on } = program;
        self.add(Table::Program, &[&clinic, id, patient, name, start, end, &or_null(*finished_on), &by, &at]);
        let mut version_ids = BTreeMap::new();
        for version in versions {
            let version_id = dice.id(at);
            version_ids.insert(version.number, version_id);
            let (number, from) = (version.number, version.from);
            let bits = version.weekdays.bits();
            self.add(Table::Version, &[&clinic, &version_id, id, patient, &number, &from, &bits, &version.times_a_day, &by, &at]);
            for (place, prescription) in version.prescriptions.iter().enumerate() {
                let dose = prescription.dose;
                let cells: [&dyn std::fmt::Display; 16] = [
                    &clinic,
                    &prescription.id,
                    &version_id,
                    id,
                    patient,
                    &(place + 1),
                    &prescription.exercise,
                    &dose.sets().min(),
                    &dose.sets().max(),
                    &dose.reps().min(),
                    &dose.reps().max(),
                    &(dose.unit() == domain::dose::RepUnit::Breaths),
                    &or_null(dose.hold().map(|hold| hold.min())),
                    &or_null(dose.hold().map(|hold| hold.max())),
                    &dose.each_side(),
                    &or_null(dose.rest()),
                ];
                self.add(Table::Prescription, &cells);
            }
        }
        for pause in pauses {
            let cells: [&dyn std::fmt::Display; 8] =
                [&clinic, &dice.id(at), id, patient, &pause.from, &or_null(pause.until), &pause.reason, &at];
            self.add(Table::Pause, &cells);
        }
        for log in logs {
            let Some(version) = program.version_on(log.date) else { continue };
            let cells: [&dyn std::fmt::Display; 13] = [
                &clinic,
                &log.id,
                patient,
                id,
                &version_ids[&version.number],
                &log.date,
                &log.performed_at,
                &log.received_at,
                &or_null(log.pain_before.map(|score| score.get())),
                &or_null(log.pain_after.map(|score| score.get())),
                &or_null(log.effort.map(|effort| effort.get())),
                &log.note.as_deref().map_or_else(|| NULL.to_owned(), escaped),
                &completion(log, version),
            ];
            self.add(Table::Session, &cells);
            if log.date < entries_from {
                continue;
            }
            for entry in &log.entries {
                let Some(prescription) = version.prescription(entry.prescription) else { continue };
                let (sets, reps, hold, skipped) = match entry.outcome {
                    Outcome::Did { sets, reps, hold } => (or_null(Some(sets)), or_null(Some(reps)), or_null(hold), NULL.to_owned()),
                    Outcome::Skipped(reason) => (NULL.to_owned(), NULL.to_owned(), NULL.to_owned(), reason.tag().to_owned()),
                };
                let done = entry_completion(entry.outcome, prescription);
                self.add(Table::Entry, &[&clinic, &log.id, &entry.prescription, patient, &sets, &reps, &hold, &skipped, &done]);
            }
        }
    }
}

fn or_null(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| NULL.to_owned(), |value| value.to_string())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}
