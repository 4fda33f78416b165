//! A session as a Procedure, each exercise of it as a Procedure that is part of it; pain, effort and stop signs as Observations; what a
//! physiotherapist answered as a Communication.

use domain::{
    dose::RepUnit,
    ids::LogId,
    program::Prescription,
    record::{Reply, Session},
    session_log::{Entry, Outcome, entry_completion},
};

use super::{
    Put, Record,
    codes::{self, Moment},
    elements::{Annotation, Concept, Identifier, Text, Urn},
    resources::{Communication, Component, EventStatus, Observation, Payload, Procedure, Resource},
};

/// A session, with what all its resources say of it.
struct Sitting<'a> {
    record: &'a Record,
    session: &'a Session,
    urn: Urn,
    /// When it was done.
    performed: String,
    /// When what is said of it was said last.
    said: String,
}

pub(super) fn entries<'a>(record: &'a Record, session: &'a Session) -> Vec<Put<'a>> {
    let Session { log, corrected_at, entered_by: _ } = session;
    let sitting = Sitting {
        record,
        session,
        urn: sitting(log.id),
        performed: record.moment(log.date, log.performed_at),
        said: record.instant(corrected_at.unwrap_or(log.received_at)),
    };
    let mut entries = vec![sitting.whole()];
    entries.extend(log.entries.iter().filter_map(|entry| sitting.exercise(entry)));
    let scores = [
        ("pain before", codes::pain(Moment::Before), log.pain_before.map(|score| score.get())),
        ("pain after", codes::pain(Moment::After), log.pain_after.map(|score| score.get())),
        ("effort", codes::effort(), log.effort.map(|effort| effort.get())),
    ];
    for (kind, code, score) in scores {
        if score.is_some() {
            let observation = Observation { value_integer: score, ..sitting.observation(code) };
            entries.push((Urn::of(kind, [log.id.0]), Resource::Observation(observation)));
        }
    }
    if !log.red_flags.is_empty() {
        let component = log.red_flags.iter().map(|sign| Component { code: codes::stop_sign(*sign), value_boolean: true }).collect();
        let observation = Observation { component, ..sitting.observation(codes::stop_signs()) };
        entries.push((Urn::of("stop signs", [log.id.0]), Resource::Observation(observation)));
    }
    entries
}

fn sitting(id: LogId) -> Urn {
    Urn::of("session", [id.0])
}

impl<'a> Sitting<'a> {
    /// The sitting itself, with the patient's note.
    fn whole(&self) -> Put<'a> {
        let Self { record, session, urn, performed, said } = self;
        let Session { log, corrected_at: _, entered_by } = session;
        let by = match entered_by {
            Some(staff) => record.practitioner(*staff),
            None => Some(record.patient),
        };
        let note =
            log.note.as_deref().and_then(Text::new).map(|text| Annotation { author_reference: by, time: Some(said.clone()), text });
        let done = log.entries.iter().any(|entry| was_done(entry.outcome));
        let procedure = Procedure {
            identifier: vec![Identifier::row(log.id.0)],
            based_on: [record.care_plan(log.program).into()],
            part_of: Vec::new(),
            status: if done { EventStatus::Completed } else { EventStatus::NotDone },
            status_reason: None,
            code: codes::session(),
            subject: record.patient,
            performed_date_time: performed.clone(),
            recorder: by,
            asserter: record.patient,
            note: note.into_iter().collect(),
        };
        (*urn, Resource::Procedure(procedure))
    }

    fn exercise(&self, entry: &Entry) -> Option<Put<'a>> {
        let Self { record, session, urn, performed, said: _ } = self;
        let (order, prescription) = record.prescriptions.get(&entry.prescription)?;
        let status_reason = match entry.outcome {
            Outcome::Skipped(reason) => Some(codes::skipped(reason)),
            Outcome::Did { .. } => None,
        };
        let procedure = Procedure {
            identifier: Vec::new(),
            based_on: [(*order).into()],
            part_of: vec![(*urn).into()],
            status: if was_done(entry.outcome) { EventStatus::Completed } else { EventStatus::NotDone },
            status_reason,
            code: codes::exercise(record.exercise(prescription.exercise)),
            subject: record.patient,
            performed_date_time: performed.clone(),
            recorder: None,
            asserter: record.patient,
            note: in_words(entry.outcome, prescription).map(|words| Annotation::plain(words.into())).into_iter().collect(),
        };
        Some((Urn::of("exercise", [session.log.id.0, entry.prescription.0]), Resource::Procedure(procedure)))
    }

    /// Without its value.
    fn observation(&self, code: Concept<'static>) -> Observation {
        let Self { record, session, urn, performed, said } = self;
        Observation {
            based_on: [record.care_plan(session.log.program).into()],
            part_of: [(*urn).into()],
            status: if session.corrected_at.is_some() { "corrected" } else { "final" },
            category: [codes::survey()],
            code,
            subject: record.patient,
            effective_date_time: performed.clone(),
            issued: said.clone(),
            performer: [record.patient],
            value_integer: None,
            component: Vec::new(),
        }
    }
}

/// Nought sets or nought repetitions are nothing, whatever was ticked.
fn was_done(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Did { sets: 1.., reps: 1.., .. })
}

/// "2 × 10 repetitions, held 20 s, each side; 67 % of the least that was prescribed": FHIR's Procedure has no place for how much.
fn in_words(outcome: Outcome, prescription: &Prescription) -> Option<String> {
    let Outcome::Did { sets, reps, hold } = outcome else { return None };
    let dose = &prescription.dose;
    let unit = match dose.unit() {
        RepUnit::Times => "repetitions",
        RepUnit::Breaths => "breaths",
    };
    let mut words = format!("{sets} × {reps} {unit}");
    if let Some(hold) = hold.filter(|_| dose.hold().is_some()) {
        words.push_str(&format!(", held {hold} s"));
    }
    if dose.each_side() {
        words.push_str(", each side");
    }
    let share = entry_completion(outcome, prescription);
    if share < 1.0 {
        // Rounded down, so that what is not all never reads as 100.
        words.push_str(&format!("; {:.0} % of the least that was prescribed", (share * 100.0).floor()));
    }
    Some(words)
}

/// What a physiotherapist answered.
pub(super) fn reply_entry<'a>(record: &'a Record, reply: &'a Reply) -> Put<'a> {
    let Reply { id, log, text, by, written_at, read_at } = reply;
    let communication = Communication {
        status: "completed",
        subject: record.patient,
        about: [sitting(*log).into()],
        sent: record.instant(*written_at),
        received: read_at.map(|at| record.instant(at)),
        recipient: [record.patient],
        sender: record.practitioner(*by),
        payload: Text::new(text).map(|content_string| Payload { content_string }).into_iter().collect(),
    };
    (Urn::of("reply", [id.0]), Resource::Communication(communication))
}
