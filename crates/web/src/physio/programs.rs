//! `/programs/{id}`: one program; changing, pausing, resuming and finishing it.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    ids::ExerciseId,
    program::{Pause, Program, ProgramError, ProgramStatus, Version},
};
use jiff::civil::Date;
use render::{
    Crumb, Field, Flash, Nav,
    formats::{day_and_year, day_medium, day_range_by},
    pages::physio::{
        builder::Kind,
        programs::{PauseShown, PrescribedLine, ProgramShown, VersionShown},
    },
    words::Language,
};
use serde::Deserialize;
use store::{
    exercise::{self, Exercise},
    outbox::{self, Mails},
    program::{self, Made},
};

use super::{
    builder::{
        draft::{Action, Draft, Faults, date},
        view::{self, Material, Setting},
    },
    versions::comparison,
    words,
};
use crate::{
    AppState, PageError, PageResult,
    extract::{CaseloadProgram, Form, Now, Pages},
};

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// A date, a date and a reason as the forms of this page send them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    from: String,
    until: String,
    reason: String,
}

/// What is wrong with them, and which form it was.
#[derive(Debug, Default)]
struct Refused {
    open: &'static str,
    from: Option<String>,
    until: Option<String>,
    reason: Option<String>,
    whole: Option<String>,
}

impl Refused {
    fn place(&mut self, error: ProgramError) {
        let field = match error {
            ProgramError::PausesThePast | ProgramError::PausesAfterTheEnd => &mut self.from,
            ProgramError::PauseEndsBeforeStart => &mut self.until,
            ProgramError::ReasonMissing => &mut self.reason,
            _ => &mut self.whole,
        };
        *field = Some(error.to_string());
    }
}

/// The page.
pub async fn show(State(app): State<AppState>, at: CaseloadProgram, pages: Pages) -> PageResult {
    let known = known(&app, &at).await?;
    pages.at(Nav::Patients).show(&page(&at, &known, &Typed::default(), Refused::default()))
}

/// What the page tells besides the program itself.
struct Known {
    exercises: HashMap<ExerciseId, Exercise>,
    made: Vec<Made>,
}

async fn known(app: &AppState, at: &CaseloadProgram) -> Result<Known, PageError> {
    let ids: Vec<ExerciseId> =
        at.program.versions.iter().flat_map(|version| version.prescriptions.iter().map(|row| row.exercise)).collect();
    let tx = app.store.begin(&at.staff.scope).await?;
    let (exercises, made) =
        tx.final_reads(async { tokio::try_join!(exercise::by_ids(&tx, &ids), program::made(&tx, at.program.id)) }).await?;
    tx.commit().await?;
    Ok(Known { exercises, made })
}

fn page(at: &CaseloadProgram, known: &Known, typed: &Typed, refused: Refused) -> ProgramShown {
    let CaseloadProgram { staff: _, patient, program, today } = at;
    let first = patient.name.called();
    let status = program.status(*today);
    let over = status == ProgramStatus::Finished;
    let here = format!("/programs/{}", program.id);
    let (word, tone) = match status {
        ProgramStatus::Upcoming => ("Starts soon", "quiet"),
        ProgramStatus::Active => ("On its way", ""),
        ProgramStatus::Paused if program.is_stopped() => ("Stopped", "pain"),
        ProgramStatus::Paused => ("Paused", "warn"),
        ProgramStatus::Finished => ("Finished", "quiet"),
    };
    let language = Language::En;
    let days = day_range_by(language, program.start, program.end, *today);
    let mut when = match program.finished_on {
        Some(on) => format!("{days}, finished on {}", day_range_by(language, on, on, *today)),
        None => days,
    };
    if let Some((week, of)) = program.week_on(*today).filter(|_| !over) {
        when.push_str(&format!(" · week {week} of {of}"));
    }
    let given = refused.open == "pause";
    let from = if given { typed.from.clone() } else { today.to_string() };
    let reason_of = |open: &str| Field {
        value: if refused.open == open { typed.reason.clone() } else { String::new() },
        error: refused.reason.clone().filter(|_| refused.open == open),
    };
    ProgramShown {
        crumbs: vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to(patient.name.as_str(), format!("/patients/{}", patient.id)),
            Crumb::here("Program"),
        ],
        name: program.name.clone(),
        status: word.into(),
        tone: tone.into(),
        when,
        problem: refused.whole.clone().or_else(|| (!refused.open.is_empty()).then(|| "Nothing was changed yet: one thing needs another look.".into())),
        stopped: program.is_stopped().then(|| {
            format!(
                "{first} reported a stop sign, so the program stopped by itself. Speak with {first} first; it goes on only when you resume it and say why."
            )
        }),
        versions: versions(program, &known.exercises, *today),
        comparison: comparison(program, &known.exercises, &known.made, &patient.zone, *today),
        pauses: program.pauses.iter().rev().map(|pause| pause_shown(pause, *today)).collect(),
        handout: format!("{here}/handout"),
        revise: (!over).then(|| format!("{here}/revise")),
        pause: matches!(status, ProgramStatus::Active | ProgramStatus::Upcoming).then(|| format!("{here}/pause")),
        resume: (status == ProgramStatus::Paused).then(|| format!("{here}/resume")),
        finish: (!over).then(|| format!("{here}/finish")),
        pause_from: Field { value: from, error: refused.from.clone() },
        pause_until: Field { value: if given { typed.until.clone() } else { String::new() }, error: refused.until.clone() },
        pause_reason: reason_of("pause"),
        resume_reason: reason_of("resume"),
        open: refused.open.into(),
        finish_question: format!("Finish this program? From today on nothing more is due for {first}."),
    }
}

fn versions(program: &Program, known: &HashMap<ExerciseId, Exercise>, today: Date) -> Vec<VersionShown> {
    let now = program.version_on(today).filter(|_| program.contains(today)).map(|version| version.number);
    let newest = program.newest().map(|version| version.number);
    program
        .versions
        .iter()
        .rev()
        .map(|version| {
            let planned = version.from > today && Some(version.number) == newest;
            VersionShown {
                heading: format!("From {}", day_and_year(Language::En, version.from)),
                tag: match (now == Some(version.number), planned) {
                    (true, _) => Some("in effect".into()),
                    (_, true) => Some("planned".into()),
                    _ => None,
                },
                schedule: schedule(version),
                lines: version
                    .prescriptions
                    .iter()
                    .map(|row| PrescribedLine {
                        href: format!("/exercises/{}", row.exercise),
                        name: known.get(&row.exercise).map_or_else(|| "Exercise".to_owned(), |exercise| exercise.name.clone()),
                        dose: row.dose.to_string(),
                        note: row.note.clone(),
                    })
                    .collect(),
                open: now == Some(version.number) || planned || program.versions.len() == 1,
            }
        })
        .collect()
}

fn schedule(version: &Version) -> String {
    let about = render::formats::about_minutes(Language::En, version.minutes());
    format!("{} · {about}", words::schedule(version.weekdays, version.times_a_day))
}

fn pause_shown(pause: &Pause, today: Date) -> PauseShown {
    let language = Language::En;
    PauseShown {
        when: match pause.until {
            None => format!("Since {}", day_range_by(language, pause.from, pause.from, today)),
            Some(until) => day_range_by(language, pause.from, until.max(pause.from), today),
        },
        reason: pause.reason.clone(),
        resumed: pause.resumed.clone().filter(|reason| !reason.is_empty()),
    }
}

/// Pauses the program.
pub async fn pause(
    State(app): State<AppState>,
    at: CaseloadProgram,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let mut refused = Refused { open: "pause", ..Refused::default() };
    let from = date(&typed.from);
    if from.is_none() {
        refused.from = Some("Choose the first paused day.".into());
    }
    let until = date(&typed.until);
    if until.is_none() && !typed.until.trim().is_empty() {
        refused.until = Some("That is no date. Leave it empty to pause until you resume.".into());
    }
    if let Some(wrong) = reason_wrong(&typed.reason) {
        refused.reason = Some(wrong);
    }
    let clean = refused.until.is_none() && refused.reason.is_none();
    if let Some(from) = from.filter(|_| clean) {
        let verb = |program: &mut Program| program.pause(from, until, &typed.reason, at.today).map(|_| ());
        match change(&app, &at, now, verb).await? {
            Ok(on_its_way) => {
                let said = match until {
                    Some(until) => {
                        format!("Paused until {}. Paused days are never counted as missed.", day_medium(Language::En, until))
                    }
                    None => "Paused until you resume it. Paused days are never counted as missed.".to_owned(),
                };
                let said = Flash::good(said).with_mail_on_its_way(Language::En, on_its_way);
                return Ok(pages.go_saying(&format!("/programs/{}", at.program.id), &said));
            }
            Err(error) => refused.place(error),
        }
    }
    let known = known(&app, &at).await?;
    pages.at(Nav::Patients).refuse(&page(&at, &known, &typed, refused))
}

/// Goes on with a paused program, from today.
pub async fn resume(
    State(app): State<AppState>,
    at: CaseloadProgram,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let mut refused = Refused { open: "resume", reason: reason_wrong(&typed.reason), ..Refused::default() };
    if refused.reason.is_none() {
        match change(&app, &at, now, |program: &mut Program| program.resume(at.today, at.staff.role, &typed.reason)).await? {
            Ok(_) => {
                let to = format!("/programs/{}", at.program.id);
                return Ok(pages.go_saying(&to, &Flash::good("The program goes on from today.")));
            }
            Err(error) => refused.place(error),
        }
    }
    let known = known(&app, &at).await?;
    pages.at(Nav::Patients).refuse(&page(&at, &known, &typed, refused))
}

/// Finishes the program today.
pub async fn finish(State(app): State<AppState>, at: CaseloadProgram, Now(now): Now, pages: Pages) -> PageResult {
    let to = format!("/programs/{}", at.program.id);
    Ok(match change(&app, &at, now, |program: &mut Program| program.finish(at.today)).await? {
        Ok(on_its_way) => {
            let said = Flash::good("Finished. Its figures stay as they are.").with_mail_on_its_way(Language::En, on_its_way);
            pages.go_saying(&to, &said)
        }
        Err(error) => pages.go_saying(&to, &Flash::warn(error.to_string())),
    })
}

fn reason_wrong(reason: &str) -> Option<String> {
    (reason.trim().chars().count() > MAX_REASON).then(|| format!("That is too long: {MAX_REASON} characters at most."))
}

/// Does one verb of the domain on the program as it stands, held against others meanwhile, and saves it. Says whether a reminder is on its
/// way in this moment.
async fn change(
    app: &AppState,
    at: &CaseloadProgram,
    now: jiff::Timestamp,
    verb: impl FnOnce(&mut Program) -> Result<(), ProgramError>,
) -> Result<Result<bool, ProgramError>, PageError> {
    let tx = app.store.begin(&at.staff.scope).await?;
    let mut program = program::find_for_update(&tx, at.program.id).await?;
    let done = match verb(&mut program) {
        Ok(()) => {
            program::save_state(&tx, &program, now).await?;
            Ok(outbox::on_their_way(&tx, program.patient, Mails::Reminders).await?)
        }
        Err(error) => Err(error),
    };
    tx.commit().await?;
    Ok(done)
}

/// The builder with the newest version in it.
pub async fn revise(State(app): State<AppState>, at: CaseloadProgram, pages: Pages) -> PageResult {
    let Some(newest) = at.program.newest().filter(|_| at.program.status(at.today) != ProgramStatus::Finished) else {
        let to = format!("/programs/{}", at.program.id);
        return Ok(pages.go_saying(&to, &Flash::warn(ProgramError::Finished.to_string())));
    };
    let draft = Draft::from_version(newest, at.today.max(at.program.start));
    let tx = app.store.begin(&at.staff.scope).await?;
    let material = tx.final_reads(Material::gather(&tx, &draft, Action::Look, false)).await?;
    tx.commit().await?;
    pages.at(Nav::Patients).show(&view::page(setting(&at), &draft, &Faults::default(), &material, None))
}

/// Whatever button was pressed while changing a program.
pub async fn save_revision(
    State(app): State<AppState>,
    at: CaseloadProgram,
    Now(now): Now,
    pages: Pages,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (mut draft, action) = Draft::read(pairs);
    let pages = pages.at(Nav::Patients);
    let tx = app.store.begin(&at.staff.scope).await?;
    let material = Material::gather(&tx, &draft, action, false).await?;
    tx.commit().await?;
    let mut faults = Faults::default();
    match action {
        Action::Preview => {
            draft.name.clone_from(&at.program.name);
            return pages.show(&view::preview(&draft, &material));
        }
        Action::Save | Action::SaveTemplate => {
            let plan = draft.plan(&material.known, &mut faults);
            let from = date(&draft.from);
            if from.is_none() {
                faults.from = Some("Choose the day from which the change holds.".into());
            }
            if let (Some(plan), Some(from), 0) = (plan, from, faults.count()) {
                let tx = app.store.begin(&at.staff.scope).await?;
                let mut program = program::find_for_update(&tx, at.program.id).await?;
                let revised = match program.revise(plan, from, at.today).cloned() {
                    Ok(version) => {
                        program::add_version(&tx, &program, &version, now).await?;
                        Ok((version.from, outbox::on_their_way(&tx, program.patient, Mails::Reminders).await?))
                    }
                    Err(error) => Err(error),
                };
                tx.commit().await?;
                match revised {
                    Ok((from, on_its_way)) => {
                        let said = format!("Changed from {} on. Figures for earlier days stay.", day_medium(Language::En, from));
                        let said = Flash::good(said).with_mail_on_its_way(Language::En, on_its_way && from <= at.today);
                        return Ok(pages.go_saying(&format!("/programs/{}", at.program.id), &said));
                    }
                    Err(error) => faults.place(error, false),
                }
            }
        }
        other => draft.apply(other, &material.known),
    }
    let page = view::page(setting(&at), &draft, &faults, &material, None);
    if faults.count() > 0 { pages.refuse(&page) } else { pages.show(&page) }
}

fn setting(at: &CaseloadProgram) -> Setting {
    let here = format!("/programs/{}", at.program.id);
    Setting {
        kind: Kind::Revise,
        crumbs: vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to(at.patient.name.as_str(), format!("/patients/{}", at.patient.id)),
            Crumb::to(at.program.name.clone(), here.clone()),
            Crumb::here("Change"),
        ],
        title: at.program.name.clone(),
        action: format!("{here}/revise"),
        submit: "Save the change".into(),
        consequence: None,
        refused: "Nothing was changed",
        start_from: None,
        archive: None,
        use_for: None,
    }
}
