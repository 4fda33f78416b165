//! `/programs/{id}/handout` and `/handout`: a program on paper, for whoever treats the patient and for the patient.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    ids::ExerciseId,
    person::{Language, PersonName},
    program::{MAX_TIMES_A_DAY, Program, ProgramStatus, Version},
    session_log::RedFlag,
};
use jiff::{
    ToSpan as _,
    civil::{Date, Weekday},
};
use render::{
    Crumb, Nav, formats,
    pages::{
        handout::{Scan, Sheet, SheetExercise, SheetWeek},
        patient, physio,
    },
    words::say,
};
use store::{
    exercise::{self, Exercise},
    program,
};

use crate::{
    AppState, PageResult,
    extract::{CaseloadProgram, Now, Pages, Patient},
};

/// How many weeks of the diary a sheet has room for.
const WEEKS: usize = 6;

/// `GET /programs/{id}/handout`: for somebody on the staff.
///
/// # Errors
/// 404 for a program of another clinic; the store's own.
pub async fn of_program(State(app): State<AppState>, at: CaseloadProgram, pages: Pages) -> PageResult {
    let CaseloadProgram { staff, patient, program, today } = at;
    let tx = app.store.begin(&staff.scope).await?;
    let known = tx.final_reads(exercise::of_patient(&tx, patient.id)).await?;
    tx.commit().await?;
    let reader = Reader {
        language: patient.language,
        name: patient.name.called(),
        clinic: &staff.clinic.name,
        // Without an address there is nothing to sign in with.
        scan: patient.email.as_ref().and_then(|_| Scan::at(&app.config.url)),
        today,
    };
    pages.at(Nav::Patients).show(&physio::handout::Handout {
        crumbs: vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to(patient.name.as_str(), format!("/patients/{}", patient.id)),
            Crumb::to(program.name.as_str(), format!("/programs/{}", program.id)),
            Crumb::here("On paper"),
        ],
        sheet: reader.sheet(&program, &known),
    })
}

/// `GET /handout`: the patient's own programs, those that run first.
///
/// # Errors
/// The store's own.
pub async fn own(State(app): State<AppState>, patient: Patient, Now(now): Now, pages: Pages) -> PageResult {
    let today = patient.zone.date(now);
    let tx = app.store.begin(&patient.scope).await?;
    let read = async { tokio::try_join!(program::of_patient(&tx, patient.id), exercise::of_patient(&tx, patient.id)) };
    let (mut programs, known) = tx.final_reads(read).await?;
    tx.commit().await?;
    programs.retain(|program| program.status(today) != ProgramStatus::Finished);
    programs.sort_by_key(|program| (program.status(today) == ProgramStatus::Upcoming, program.start));
    let name = PersonName::parse(&patient.name);
    let reader = Reader {
        language: patient.language,
        name: name.as_ref().map_or(patient.name.as_str(), PersonName::called),
        clinic: &patient.clinic.name,
        scan: Scan::at(&app.config.url),
        today,
    };
    let sheets = programs.iter().map(|program| reader.sheet(program, &known)).collect();
    pages.at(Nav::Today).show(&patient::Handout { sheets })
}

/// Whom a sheet is for.
struct Reader<'a> {
    language: Language,
    /// What the patient is called.
    name: &'a str,
    clinic: &'a str,
    scan: Option<Scan>,
    /// The patient's civil date.
    today: Date,
}

impl Reader<'_> {
    fn sheet(&self, program: &Program, known: &HashMap<ExerciseId, Exercise>) -> Sheet {
        let (language, stopped) = (self.language, program.is_stopped());
        let words = |key: &str| say(language, key, &[]);
        let version = self.version(program).filter(|_| !stopped);
        let (weeks, more_weeks) = if stopped { (Vec::new(), false) } else { self.diary(program) };
        Sheet {
            lang: language.tag(),
            program: program.name.clone(),
            whose: say(language, "handout-for", &[("name", self.name.into())]),
            when: formats::day_range(language, program.start, program.end),
            schedule: version.map(|version| self.schedule(version)),
            note: if stopped { None } else { self.note(program) },
            stopped,
            changes: version.and_then(|version| self.changes(program, version)),
            exercises: version.map_or_else(Vec::new, |version| self.exercises(version, known)),
            signs: RedFlag::ALL.iter().map(|flag| words(&format!("flag-{}", flag.tag()))).collect(),
            letters: Weekday::Monday.cycle_forward().take(7).map(|day| formats::weekday_letter(language, day)).collect(),
            weeks,
            more_weeks,
            scan: self.scan.clone(),
            printed: say(
                language,
                "handout-printed",
                &[("clinic", self.clinic.into()), ("date", formats::day_and_year(language, self.today).into())],
            ),
        }
    }

    /// The version to do now: today's, the first one before the beginning, the last one after the end.
    fn version<'a>(&self, program: &'a Program) -> Option<&'a Version> {
        let day = self.today.min(program.last_day()).max(program.start);
        program.version_on(day)
    }

    fn schedule(&self, version: &Version) -> String {
        let language = self.language;
        let times = say(language, "handout-times", &[("times", version.times_a_day.into())]);
        say(
            language,
            "handout-days",
            &[
                ("days", formats::weekdays(language, version.weekdays).into()),
                ("times", times.into()),
                ("minutes", formats::about_minutes(language, version.minutes()).into()),
            ],
        )
    }

    /// What keeps the program from being done today.
    fn note(&self, program: &Program) -> Option<String> {
        let (language, today) = (self.language, self.today);
        let with = |key: &str, day: Date| say(language, key, &[("day", formats::day_long(language, day).into())]);
        match program.status(today) {
            ProgramStatus::Active => None,
            ProgramStatus::Upcoming => Some(with("handout-upcoming", program.start)),
            ProgramStatus::Finished => Some(with("handout-finished", program.last_day())),
            ProgramStatus::Paused => {
                let covering: Vec<_> = program.pauses.iter().filter(|pause| pause.covers(today)).collect();
                let until = covering.iter().map(|pause| pause.until).collect::<Option<Vec<Date>>>();
                Some(match until.and_then(|all| all.into_iter().max()) {
                    Some(until) => with("handout-paused-until", until),
                    None => say(language, "handout-paused-open", &[]),
                })
            }
        }
    }

    /// That a later version takes this one's place.
    fn changes(&self, program: &Program, version: &Version) -> Option<String> {
        let (_, last) = program.in_effect(version)?;
        let from = last.tomorrow().ok().filter(|from| program.contains(*from) && *from > self.today)?;
        Some(say(self.language, "handout-changes", &[("day", formats::day_long(self.language, from).into())]))
    }

    fn exercises(&self, version: &Version, known: &HashMap<ExerciseId, Exercise>) -> Vec<SheetExercise> {
        let rows = version.prescriptions.iter().filter_map(|row| Some((row, known.get(&row.exercise)?)));
        rows.enumerate()
            .map(|(at, (row, exercise))| {
                let (figure, note) = (exercise.figure.as_deref(), row.note.as_deref());
                SheetExercise::new(self.language, at, &exercise.name, &row.dose, exercise.steps(), figure, note)
            })
            .collect()
    }

    /// The weeks in which something is still due, as many as a sheet has room for, and whether there are more.
    fn diary(&self, program: &Program) -> (Vec<SheetWeek>, bool) {
        let (from, last) = (self.today.max(program.start), program.last_day());
        let Ok(monday) = from.checked_sub(i64::from(from.weekday().to_monday_zero_offset()).days()) else {
            return (Vec::new(), false);
        };
        let boxes = |date: Date| (from <= date && date <= last).then(|| program.slots_on(date).min(MAX_TIMES_A_DAY));
        let mut weeks: Vec<SheetWeek> = monday
            .series(7.days())
            .take_while(|monday| *monday <= last)
            .map(|monday| SheetWeek::new(self.language, monday, boxes))
            .skip_while(|week| !week.is_due())
            .take(WEEKS + 1)
            .collect();
        let more = weeks.len() > WEEKS;
        weeks.truncate(WEEKS);
        (weeks, more)
    }
}
