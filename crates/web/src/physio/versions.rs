//! The versions of a program beside each other: what each asked for, from when to when, who made it, and what changed against the one before.

use std::collections::HashMap;

use domain::{
    ids::ExerciseId,
    person::Zone,
    program::{Prescription, Program, Version},
};
use jiff::civil::Date;
use render::{
    formats::{about_minutes, day_and_year, day_medium, day_range_by},
    pages::physio::programs::{CompareCell, CompareRow, Compared, Comparison},
    words::Language,
};
use store::{exercise::Exercise, program::Made};

use super::words;

const EN: Language = Language::En;
/// Versions shown side by side; the newest ones.
const SHOWN: usize = 8;

/// An exercise of a version: which, and which time it comes.
type Place = (ExerciseId, usize);

/// The comparison; `None` while there is nothing to compare.
pub(super) fn comparison(
    program: &Program,
    known: &HashMap<ExerciseId, Exercise>,
    made: &[Made],
    zone: &Zone,
    today: Date,
) -> Option<Comparison> {
    if program.versions.len() < 2 {
        return None;
    }
    let mut versions: Vec<&Version> = program.versions.iter().collect();
    versions.sort_by_key(|version| version.number);
    let left_out = versions.len().saturating_sub(SHOWN);
    // What the first one shown changed is told against the one before it.
    let before = left_out.checked_sub(1).map(|at| versions[at]);
    let shown = &versions[left_out..];
    let doses: Vec<HashMap<Place, &Prescription>> = shown.iter().map(|version| places(version).into_iter().collect()).collect();
    let before_doses: Option<HashMap<Place, &Prescription>> = before.map(|version| places(version).into_iter().collect());
    // The newest version's order, then what is gone, the latest gone first.
    let mut rows: Vec<Place> = Vec::new();
    for (place, _) in shown.iter().rev().flat_map(|version| places(version)) {
        if !rows.contains(&place) {
            rows.push(place);
        }
    }
    let plain = |name: &str, of: &dyn Fn(&Version) -> String| CompareRow {
        name: name.to_owned(),
        href: None,
        cells: shown
            .iter()
            .enumerate()
            .map(|(at, version)| {
                let text = of(version);
                let earlier = if at == 0 { before } else { Some(shown[at - 1]) }.map(of);
                CompareCell {
                    change: if earlier.is_some_and(|earlier| earlier != text) { "changed" } else { "" },
                    text,
                    note: None,
                }
            })
            .collect(),
    };
    let mut compared = vec![
        plain("Days", &|version| words::schedule(version.weekdays, version.times_a_day)),
        plain("A session", &|version| about_minutes(EN, version.minutes())),
    ];
    compared.extend(rows.into_iter().map(|place| {
        CompareRow {
            name: known.get(&place.0).map_or_else(|| "Exercise".to_owned(), |exercise| exercise.name.clone()),
            href: Some(format!("/exercises/{}", place.0)),
            cells: (0..shown.len())
                .map(|at| {
                    let earlier = if at == 0 { before_doses.as_ref() } else { Some(&doses[at - 1]) };
                    cell(doses[at].get(&place).copied(), earlier.map(|earlier| earlier.get(&place).copied()))
                })
                .collect(),
        }
    }));
    Some(Comparison {
        columns: shown.iter().map(|version| head(program, version, made, zone, today)).collect(),
        rows: compared,
        left_out,
    })
}

fn places(version: &Version) -> Vec<(Place, &Prescription)> {
    let mut times: HashMap<ExerciseId, usize> = HashMap::new();
    let place = |prescription: &Prescription, times: &mut HashMap<ExerciseId, usize>| {
        let time = times.entry(prescription.exercise).or_default();
        *time += 1;
        (prescription.exercise, *time)
    };
    version.prescriptions.iter().map(|prescription| (place(prescription, &mut times), prescription)).collect()
}

/// `earlier` is what the version before has in this place; `None` when there is no version before.
fn cell(now: Option<&Prescription>, earlier: Option<Option<&Prescription>>) -> CompareCell {
    let said = |prescription: &Prescription| (prescription.dose.to_string(), prescription.note.clone());
    let change = match (now, earlier) {
        (_, None) | (None, Some(None)) => "",
        (Some(_), Some(None)) => "new",
        (None, Some(Some(_))) => "taken out",
        (Some(now), Some(Some(earlier))) if said(now) != said(earlier) => "changed",
        (Some(_), Some(Some(_))) => "",
    };
    let (text, note) = now.map(said).unwrap_or_default();
    CompareCell { text, note, change }
}

fn head(program: &Program, version: &Version, made: &[Made], zone: &Zone, today: Date) -> Compared {
    let days = program.in_effect(version);
    let open_end = program.newest().is_some_and(|newest| newest.number == version.number) && program.finished_on.is_none();
    let made = made.iter().find(|made| made.number == version.number);
    Compared {
        title: format!("Version {}", version.number),
        when: match days {
            Some((from, _)) if open_end => format!("from {}", day_and_year(EN, from)),
            Some((from, to)) => day_range_by(EN, from, to, today),
            None => "never in effect".to_owned(),
        },
        by: made.map_or_else(String::new, |made| {
            let by = made.by.as_ref().map_or_else(String::new, |name| format!("by {name}, "));
            format!("{by}{}", day_medium(EN, zone.date(made.at)))
        }),
        tag: match days {
            Some((from, to)) if (from..=to).contains(&today) => Some("in effect".to_owned()),
            Some((from, _)) if from > today => Some("planned".to_owned()),
            _ => None,
        },
    }
}
