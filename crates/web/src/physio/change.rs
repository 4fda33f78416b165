//! Change as the patient tells it, on the patient's page; and `POST /programs/{id}/questions`, which switches asking on and off.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    ids::{ActivityId, PatientId, ProgramId},
    pain::{Reading, Region},
    program::{Program, ProgramStatus},
    questionnaire::{
        AbilityChange, AbilityThresholds, Activity, Answer, Asking, Every, GROC_MIC, GROC_SOURCE, ability_change, due,
        rating_reading, rounds,
    },
};
use jiff::civil::Date;
use render::{
    Choice, Field, Flash,
    formats::{change_size, day_and_year, day_medium, day_short, one_decimal},
    pages::{
        patient::signed,
        physio::change::{Activities, ActivityRow, Ask, ChangeSection, ProgramChange, RatingLine},
    },
    words::Language,
};
use serde::Deserialize;
use store::{StoreError, Tx, questionnaire};

use crate::{
    AppState, PageError, PageResult,
    extract::{CaseloadProgram, Form, Now, Pages},
};

const EN: Language = Language::En;

/// Answers shown in the table: the first and the newest of the others.
const SHOWN: usize = 6;
/// Ratings listed.
const RATINGS: usize = 12;

/// What the section is made of.
#[derive(Debug)]
pub struct Told {
    asked: HashMap<ProgramId, Asking>,
    answers: Vec<Answer>,
}

impl Told {
    /// Reads it, in the round trip of whatever is asked beside it.
    ///
    /// # Errors
    /// The store's own.
    pub async fn gather(tx: &Tx, patient: PatientId) -> Result<Self, StoreError> {
        let (asked, answers) = tokio::try_join!(questionnaire::asked(tx, patient), questionnaire::of_patient(tx, patient))?;
        Ok(Self { asked, answers })
    }

    /// The section; `None` where nothing was asked and nothing can be.
    pub fn section(&self, programs: &[&Program], region: Region, today: Date) -> Option<ChangeSection> {
        let shown: Vec<ProgramChange> = programs.iter().filter_map(|program| self.program(program, region, today)).collect();
        let told = shown.iter().any(|program| program.activities.is_some() || !program.ratings.is_empty());
        (!shown.is_empty()).then_some(ChangeSection { told, programs: shown })
    }

    fn program(&self, program: &Program, region: Region, today: Date) -> Option<ProgramChange> {
        let answers: Vec<Answer> = self.answers.iter().filter(|answer| answer.program == program.id).cloned().collect();
        let over = program.status(today) == ProgramStatus::Finished;
        if over && answers.is_empty() {
            return None;
        }
        let asking = self.asked.get(&program.id).copied();
        let rated: Vec<RatingLine> = answers
            .iter()
            .rev()
            .filter_map(|answer| {
                let rating = answer.rating?;
                let reading = match (rating_reading(rating), rating.get()) {
                    (_, 0) => "about the same",
                    (Reading::Meaningful, 1..) => "better, by as much as patients call important",
                    (Reading::Meaningful, _) => "worse, by as much as patients call important",
                    (_, 1..) => "a little better, less than patients call important",
                    (_, _) => "a little worse, less than patients call important",
                };
                Some(RatingLine { date: day_and_year(EN, answer.date), value: signed(rating.get()), reading: reading.to_owned() })
            })
            .take(RATINGS)
            .collect();
        Some(ProgramChange {
            id: program.id.to_string(),
            name: program.name.clone(),
            state: state(program, asking, &answers, today),
            ask: (!over).then(|| Ask {
                action: format!("/programs/{}/questions", program.id),
                every: Field::holding(asking.map_or(Every::USUAL, |asking| asking.every).tag()),
                choices: Every::ALL
                    .iter()
                    .map(|every| Choice::new(every.tag(), format!("at the start, every {} weeks, at the end", every.weeks())))
                    .collect(),
                on: asking.is_some(),
            }),
            activities: activities(&answers, region),
            ratings_source: (!rated.is_empty()).then(|| {
                format!(
                    "From −5, very much worse, to +5, completely recovered. Patients call {GROC_MIC} points important ({GROC_SOURCE}). \
                     It leans on how they feel on the day."
                )
            }),
            ratings: rated,
        })
    }
}

/// Whether it is asked, whether an answer is waited for, and when it is asked next.
fn state(program: &Program, asking: Option<Asking>, answers: &[Answer], today: Date) -> String {
    let Some(asking) = asking else {
        return if answers.is_empty() { "Not asked.".to_owned() } else { "Asked no more.".to_owned() };
    };
    let often = format!("Asked every {} weeks.", asking.every.weeks());
    let dates: Vec<Date> = answers.iter().map(|answer| answer.date).collect();
    match program.status(today) {
        ProgramStatus::Finished => "The program is over; nothing is asked any more.".to_owned(),
        ProgramStatus::Paused => format!("{often} Not while the program is paused."),
        ProgramStatus::Upcoming | ProgramStatus::Active => match due(program, asking, &dates, today) {
            Some(round) if round.from == today => format!("{often} Asked from today on."),
            Some(round) => format!("{often} No answer yet since {}.", day_medium(EN, round.from)),
            None => match rounds(program, asking).iter().find(|round| round.from > today) {
                Some(next) => format!("{often} Next from {} on.", day_medium(EN, next.from)),
                None => format!("{often} That was the last time in this program."),
            },
        },
    }
}

fn activities(answers: &[Answer], region: Region) -> Option<Activities> {
    let scored: Vec<&Answer> = answers.iter().filter(|answer| answer.mean().is_some()).collect();
    let shown: Vec<&Answer> = match scored.len() {
        n if n <= SHOWN => scored.clone(),
        n => scored.iter().take(1).chain(&scored[n + 1 - SHOWN..]).copied().collect(),
    };
    let mut named: Vec<&Activity> = Vec::new();
    for activity in scored.iter().flat_map(|answer| &answer.activities).map(|scored| &scored.activity) {
        if !named.iter().any(|known| known.id == activity.id) {
            named.push(activity);
        }
    }
    let score = |answer: &Answer, id: ActivityId| match answer.activities.iter().find(|scored| scored.activity.id == id) {
        None => "–".to_owned(),
        Some(scored) => scored.score.map_or_else(|| "?".to_owned(), |score| score.get().to_string()),
    };
    let change = ability_change(answers, region);
    (!shown.is_empty()).then(|| Activities {
        dates: shown.iter().map(|answer| day_short(EN, answer.date)).collect(),
        rows: named
            .iter()
            .map(|activity| ActivityRow {
                name: activity.name.as_str().to_owned(),
                scores: shown.iter().map(|answer| score(answer, activity.id)).collect(),
            })
            .collect(),
        means: shown
            .iter()
            .map(|answer| answer.mean().map_or_else(String::new, |mean| format!("{} (n = {})", one_decimal(mean.mean), mean.n)))
            .collect(),
        cut: (scored.len() > SHOWN).then(|| format!("The first and the last {} of {} answers are shown.", SHOWN - 1, scored.len())),
        figure: change.map(|change| format!("{} → {}", one_decimal(change.first.mean), one_decimal(change.last.mean))),
        reading: match change {
            Some(change) => reading(&change),
            None if scored.len() > 1 => {
                "Not enough to compare: no activity was scored both the first time and the last.".to_owned()
            }
            None => "One answer so far; a change is read from two.".to_owned(),
        },
        against: change.map_or_else(
            || vec!["A change is read from the first answer and the newest one.".to_owned()],
            |change| against(&change, region),
        ),
    })
}

/// "Up 2.7 (better), a meaningful change · n = 3 activities".
fn reading(change: &AbilityChange) -> String {
    let AbilityThresholds { mdc, mcid, .. } = change.thresholds;
    let limits: Vec<f64> = [mdc].into_iter().chain(mcid.map(|(points, _)| points.max(mdc))).collect();
    let direction = match change_size(change.first.mean, change.last.mean, &limits) {
        same if same == "0.0" => "unchanged".to_owned(),
        size if change.delta > 0.0 => format!("up {size}, better"),
        size => format!("down {size}, worse"),
    };
    let meaning = match (change.reading, change.thresholds.mcid) {
        (Reading::Meaningful, _) if change.delta < 0.0 => "a meaningful worsening",
        (Reading::Meaningful, _) => "a meaningful change",
        (Reading::BeyondError, Some(_)) => "beyond measurement error, less than patients usually notice",
        (Reading::BeyondError, None) => "beyond measurement error; how much matters to patients is not known here",
        (Reading::WithinError, _) => "within measurement error",
        (Reading::NotEnough, _) => "not enough to say",
    };
    let n = change.first.n;
    format!("{direction} · {meaning} · n = {n} {}", if n == 1 { "activity" } else { "activities" })
}

/// What the change was held against, with its sources.
fn against(change: &AbilityChange, region: Region) -> Vec<String> {
    let AbilityChange { first, last, thresholds: AbilityThresholds { mdc, mdc_source, mcid }, .. } = *change;
    let day = |date: Date| day_and_year(EN, date);
    let place = match region {
        Region::LowerBack => "the low back",
        Region::Neck => "the neck",
        Region::UpperBack => "the upper back",
        Region::Shoulder => "the shoulder",
        Region::Other => "this region",
    };
    let what = if first.n == 1 { "The score of a single activity" } else { "The mean of several activities" };
    vec![
        format!(
            "Patient-Specific Functional Scale, 1995 edition: mean of the activities scored both on {} and on {}.",
            day(first.date),
            day(last.date)
        ),
        format!(
            "{what} may differ by {} points when measured twice (smallest detectable change). Source: {mdc_source}.",
            number(mdc)
        ),
        match mcid {
            Some((points, source)) => format!(
                "For {place}, patients notice {} points (MCID). A change is called meaningful when it reaches both. Source: {source}.",
                number(points)
            ),
            None if first.n == 1 => "From how many points on a single activity matters to patients is not published.".to_owned(),
            None => format!(
                "For {place}, from how many points on it matters to patients is not published; no change is called meaningful."
            ),
        },
    ]
}

/// "2", "1.4".
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The form.
#[derive(Debug, Deserialize)]
pub struct Typed {
    /// "2", "4" or "6".
    #[serde(default)]
    every: String,
    /// "yes" to stop.
    #[serde(default)]
    stop: String,
}

/// `POST /programs/{id}/questions`: asks the patient how things are, or asks no more.
///
/// # Errors
/// 404 for a program outside the scope; 422 with a sentence for an interval that is none.
pub async fn ask(
    State(app): State<AppState>,
    at: CaseloadProgram,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let to = format!("/patients/{}#change", at.patient.id);
    if at.program.status(at.today) == ProgramStatus::Finished {
        return Ok(pages.go_saying(&to, &Flash::warn("The program is over, so nothing is asked any more.")));
    }
    if typed.stop == "yes" {
        let tx = app.store.begin(&at.staff.scope).await?;
        questionnaire::stop_asking(&tx, &at.program, now).await?;
        tx.commit().await?;
        return Ok(pages.go_saying(&to, &Flash::good("Asked no more. What was answered stays.")));
    }
    let Ok(every) = typed.every.parse::<Every>() else {
        return Err(PageError::Refused(Some("Choose every 2, 4 or 6 weeks.".to_owned())));
    };
    let tx = app.store.begin(&at.staff.scope).await?;
    questionnaire::ask(&tx, &at.program, every, at.today, now).await?;
    tx.commit().await?;
    let said = format!("{} is asked at the start, every {} weeks and at the end.", at.patient.name.as_str(), every.weeks());
    Ok(pages.go_saying(&to, &Flash::good(said)))
}
