//! A program as a CarePlan, each prescription of each of its versions as a ServiceRequest.

use domain::{
    ids::{PrescriptionId, ProgramId},
    program::{Pause, Prescription, Program, ProgramStatus, Version},
};
use jiff::civil::{Date, Weekday};

use super::{
    Put, Record, codes,
    elements::{Annotation, Identifier, Period, Text, Urn},
    resources::{Activity, CarePlan, Repeat, RequestStatus, Resource, ServiceRequest, Timing},
};
use crate::formats;

/// A program's plan.
pub(super) fn urn(id: ProgramId) -> Urn {
    Urn::of("program", [id.0])
}

/// A prescription's order.
pub(super) fn order(id: PrescriptionId) -> Urn {
    Urn::of("prescription", [id.0])
}

pub(super) fn entries<'a>(record: &'a Record, program: &'a Program) -> Vec<Put<'a>> {
    let mut versions: Vec<&Version> = program.versions.iter().collect();
    versions.sort_unstable_by_key(|version| version.number);
    let mut entries = vec![plan(record, program, &versions)];
    for (at, version) in versions.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| versions[before]);
        entries.extend(version.prescriptions.iter().map(|prescription| request(record, program, version, before, prescription)));
    }
    entries
}

fn plan<'a>(record: &'a Record, program: &'a Program, versions: &[&'a Version]) -> Put<'a> {
    let made = versions.first().and_then(|first| record.opening.made.get(&(program.id, first.number)));
    let plan = CarePlan {
        identifier: [Identifier::row(program.id.0)],
        status: of_program(program, record.today),
        intent: "plan",
        title: Text::new(&program.name),
        subject: record.patient,
        // A program that was withdrawn before its first day was never in effect.
        period: (program.start <= program.last_day()).then(|| period(program.start, program.last_day())),
        created: made.map(|made| record.instant(made.at)),
        author: made.and_then(|made| record.practitioner(made.by?)),
        activity: versions
            .iter()
            .flat_map(|version| &version.prescriptions)
            .map(|prescription| Activity { reference: order(prescription.id).into() })
            .collect(),
        note: program.pauses.iter().map(|pause| Annotation::plain(pause_in_words(pause).into())).collect(),
    };
    (record.care_plan(program.id), Resource::CarePlan(plan))
}

/// Ended by hand before its last day it is revoked, over it is completed, paused on hold; one that begins later is active already, with a
/// period still to come.
fn of_program(program: &Program, today: Date) -> RequestStatus {
    match program.status(today) {
        ProgramStatus::Finished if program.last_day() < program.end => RequestStatus::Revoked,
        ProgramStatus::Finished => RequestStatus::Completed,
        ProgramStatus::Paused => RequestStatus::OnHold,
        ProgramStatus::Upcoming | ProgramStatus::Active => RequestStatus::Active,
    }
}

/// As its program while it is the one to follow; revoked once another version has taken its place.
fn of_version(program: &Program, version: &Version, today: Date) -> RequestStatus {
    match program.in_effect(version) {
        None => RequestStatus::Revoked,
        Some((_, last)) if last < today && last < program.last_day() => RequestStatus::Revoked,
        Some(_) => of_program(program, today),
    }
}

fn request<'a>(
    record: &'a Record,
    program: &Program,
    version: &Version,
    before: Option<&Version>,
    prescription: &'a Prescription,
) -> Put<'a> {
    let made = record.opening.made.get(&(program.id, version.number));
    let earlier = before.and_then(|before| before.prescriptions.iter().find(|one| one.exercise == prescription.exercise));
    let request = ServiceRequest {
        identifier: [Identifier::row(prescription.id.0)],
        based_on: [record.care_plan(program.id).into()],
        replaces: earlier.map(|earlier| order(earlier.id).into()).into_iter().collect(),
        status: of_version(program, version, record.today),
        intent: "order",
        code: codes::exercise(record.exercise(prescription.exercise)),
        subject: record.patient,
        occurrence_timing: timing(program, version),
        authored_on: made.map(|made| record.instant(made.at)),
        requester: made.and_then(|made| record.practitioner(made.by?)),
        performer: [record.patient],
        note: prescription.note.as_deref().and_then(Text::new).map(Annotation::plain).into_iter().collect(),
        patient_instruction: formats::dose(record.opening.whose.language, &prescription.dose).into(),
    };
    (order(prescription.id), Resource::ServiceRequest(request))
}

fn period(start: Date, end: Date) -> Period {
    Period { start: start.to_string(), end: end.to_string() }
}

fn timing(program: &Program, version: &Version) -> Timing {
    let day = |day| match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    };
    let bounds = program.in_effect(version).map(|(from, to)| period(from, to));
    Timing {
        repeat: Repeat {
            bounds_period: bounds,
            frequency: version.times_a_day,
            period: 1,
            period_unit: "d",
            // All seven days are every day.
            day_of_week: if version.weekdays.count() == 7 { Vec::new() } else { version.weekdays.iter().map(day).collect() },
        },
    }
}

/// "Paused from 2026-03-10 to 2026-03-12: Away", and why it went on.
fn pause_in_words(pause: &Pause) -> String {
    let Pause { from, until, reason, needs_physiotherapist: _, resumed } = pause;
    let mut words = match until {
        Some(until) if until < from => format!("Paused and resumed on {from}"),
        Some(until) => format!("Paused from {from} to {until}"),
        None => format!("Paused from {from}"),
    };
    for (before, said) in [(": ", Some(reason)), ("\nResumed: ", resumed.as_ref())] {
        if let Some(said) = said.filter(|said| !said.trim().is_empty()) {
            words.push_str(before);
            words.push_str(said);
        }
    }
    words
}
