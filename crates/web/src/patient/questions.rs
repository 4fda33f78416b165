//! `/questions/{program}`: how things are, asked now and then; `/answers/{id}`: what was answered, and its correction for seven days.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    ids::{ActivityId, AnswerId, ProgramId},
    person::Language,
    program::Program,
    questionnaire::{
        ASKED_ACTIVITIES, Ability, Activity, ActivityName, Answer, AnswerError, Asking, MAX_ACTIVITIES, Rating, Round, RoundKind,
        Scored, due,
    },
};
use jiff::{Timestamp, civil::Date};
use render::{
    Field, Flash, Nav, formats,
    pages::patient::{Fact, KnownActivity, NewActivity, QuestionCard, Questions, signed},
    words::say,
};
use store::{StoreError, Tx, program, questionnaire, session::Reach};

use super::{answers::Given, known, words};
use crate::{
    AppState, PageResult,
    extract::{Form, Id, Now, Pages, Patient},
};

/// The card on Today: the first of the programs that asks, else the newest answer that can still be corrected. One at a time.
pub(super) fn card(
    patient: &Patient,
    programs: &[&Program],
    asked: &HashMap<ProgramId, Asking>,
    told: &[Answer],
    today: Date,
) -> Option<QuestionCard> {
    let open = programs.iter().find(|program| round(program, asked, told, today).is_some());
    if let Some(program) = open {
        return Some(QuestionCard { href: format!("/questions/{}", program.id), done: None });
    }
    let newest = told.last().filter(|_| patient.reach == Reach::Full)?;
    let until = Answer::correctable_until(patient.zone.date(newest.received_at));
    let args = [
        ("day", formats::day_long(patient.language, newest.date).into()),
        ("until", formats::day_long(patient.language, until).into()),
    ];
    (today <= until).then(|| QuestionCard {
        href: format!("/answers/{}", newest.id),
        done: Some(say(patient.language, "questions-card-done", &args)),
    })
}

/// What a program asks today.
fn round(program: &Program, asked: &HashMap<ProgramId, Asking>, told: &[Answer], today: Date) -> Option<Round> {
    let dates: Vec<Date> = told.iter().filter(|answer| answer.program == program.id).map(|answer| answer.date).collect();
    due(program, *asked.get(&program.id)?, &dates, today)
}

/// `GET /questions/{program}`: what is asked today; Today when nothing is.
///
/// # Errors
/// 404 for a program that is not the patient's.
pub async fn page(patient: Patient, Now(now): Now, Id(id): Id<ProgramId>, State(app): State<AppState>, pages: Pages) -> PageResult {
    let (today, language) = (patient.zone.date(now), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    // A program of somebody else's is no look at one's own record: found before the last questions, which keep the look.
    let program = program::find(&tx, id).await?;
    let rest = async {
        tokio::try_join!(
            questionnaire::asked(&tx, patient.id),
            questionnaire::of_patient(&tx, patient.id),
            questionnaire::activities(&tx, patient.id),
        )
    };
    let (asked, told, mut activities) = tx.final_reads(rest).await?;
    let known = activities.remove(&id).unwrap_or_default();
    let asks = round(&program, &asked, &told, today).map(|round| round.asks_change());
    let page = asks.map(|asks| form(language, &program, AnswerId::new(), &known, asks));
    tx.commit().await?;
    match page {
        Some(page) => pages.at(Nav::Today).show(&page),
        None => Ok(nothing(&pages, language)),
    }
}

fn nothing(pages: &Pages, language: Language) -> axum::response::Response {
    pages.go_saying("/today", &Flash::good(words(language, "questions-not-asked")))
}

/// What became of a posted form.
enum Taken {
    Saved(Option<String>),
    Refused(Box<Questions>),
    NotAsked,
}

/// `POST /questions/{program}`: keeps the answers. The same `answer_id` again leads to the same place and changes nothing.
///
/// # Errors
/// 404 for a program that is not the patient's.
pub async fn save(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<ProgramId>,
    State(app): State<AppState>,
    pages: Pages,
    Form(given): Form<Vec<(String, String)>>,
) -> PageResult {
    let (given, language) = (Given(given), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    let taken = take(&tx, &patient, id, &given, now).await?;
    tx.commit().await?;
    match taken {
        Taken::Refused(page) => pages.at(Nav::Today).refuse(&*page),
        Taken::NotAsked => Ok(nothing(&pages, language)),
        Taken::Saved(therapist) => {
            let thanks = match therapist {
                Some(name) => say(language, "questions-thanks", &[("therapist", name.into())]),
                None => words(language, "questions-thanks-clinic"),
            };
            Ok(pages.go_saying("/today", &Flash::good(thanks)))
        }
    }
}

async fn take(tx: &Tx, patient: &Patient, id: ProgramId, given: &Given, now: Timestamp) -> Result<Taken, StoreError> {
    let (today, language) = (patient.zone.date(now), patient.language);
    // Held, so that two phones cannot name the same activities twice.
    let program = program::find_for_update(tx, id).await?;
    let (asked, told, mut activities, therapist) = tokio::try_join!(
        questionnaire::asked(tx, patient.id),
        questionnaire::of_patient(tx, patient.id),
        questionnaire::activities(tx, patient.id),
        known::therapist(tx, patient.id),
    )?;
    let answer_id: Option<AnswerId> = given.one("answer_id").parse().ok();
    if told.iter().any(|answer| Some(answer.id) == answer_id && answer.program == id) {
        return Ok(Taken::Saved(therapist));
    }
    let Some(asks) = round(&program, &asked, &told, today) else { return Ok(Taken::NotAsked) };
    let known = activities.remove(&id).unwrap_or_default();
    let blank = Answer {
        id: answer_id.unwrap_or_else(AnswerId::new),
        patient: patient.id,
        program: id,
        date: today,
        received_at: now,
        corrected_at: None,
        activities: Vec::new(),
        rating: None,
    };
    let mut page = form(language, &program, blank.id, &known, asks.kind != RoundKind::First);
    let (answer, faults) = read(language, given, &mut page, &known, blank);
    page.problem = problem(language, &answer, faults, answer_id.is_none() || strange(given, &known));
    if page.problem.is_some() {
        return Ok(Taken::Refused(Box::new(page)));
    }
    match questionnaire::insert(tx, &answer).await {
        Ok(_) => Ok(Taken::Saved(therapist)),
        // An id that somebody else's answer has is taken by nobody twice.
        Err(StoreError::Refused(_)) => {
            page.answer_id = AnswerId::new().to_string();
            page.problem = Some(words(language, "error-questions-changed"));
            Ok(Taken::Refused(Box::new(page)))
        }
        Err(error) => Err(error),
    }
}

/// `GET /answers/{id}`: what was answered, as a form while it can be corrected.
///
/// # Errors
/// 404 for an answer that is not the patient's.
pub async fn answered(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<AnswerId>,
    State(app): State<AppState>,
    pages: Pages,
) -> PageResult {
    let tx = app.store.begin(&patient.scope).await?;
    let answer = questionnaire::find(&tx, id).await?;
    let rest = async {
        tokio::try_join!(
            program::find(&tx, answer.program),
            questionnaire::of_patient(&tx, patient.id),
            questionnaire::activities(&tx, patient.id),
        )
    };
    let (program, told, activities) = tx.final_reads(rest).await?;
    let known = activities.get(&program.id).map_or(&[][..], Vec::as_slice);
    let mut page = correction(&patient, &program, &answer, (known, &told), now);
    fill(&mut page, &answer);
    tx.commit().await?;
    pages.at(Nav::Today).show(&page)
}

/// `POST /answers/{id}`: replaces the scores by what was sent; the earlier ones are kept.
///
/// # Errors
/// 404 for an answer that is not the patient's.
pub async fn correct(
    patient: Patient,
    Now(now): Now,
    Id(id): Id<AnswerId>,
    State(app): State<AppState>,
    pages: Pages,
    Form(given): Form<Vec<(String, String)>>,
) -> PageResult {
    let (given, language) = (Given(given), patient.language);
    let tx = app.store.begin(&patient.scope).await?;
    let refused = replace(&tx, &patient, id, &given, now).await?;
    tx.commit().await?;
    match refused {
        Some(page) => pages.at(Nav::Today).refuse(&page),
        None => Ok(pages.go_saying(&format!("/answers/{id}"), &Flash::good(words(language, "questions-correct-saved")))),
    }
}

/// Saves the correction, or gives the page that says why not.
async fn replace(tx: &Tx, patient: &Patient, id: AnswerId, given: &Given, now: Timestamp) -> Result<Option<Questions>, StoreError> {
    let language = patient.language;
    let earlier = questionnaire::find(tx, id).await?;
    let program = program::find_for_update(tx, earlier.program).await?;
    let (told, activities) =
        tokio::try_join!(questionnaire::of_patient(tx, patient.id), questionnaire::activities(tx, patient.id))?;
    let known = activities.get(&program.id).map_or(&[][..], Vec::as_slice);
    let mut page = correction(patient, &program, &earlier, (known, &told), now);
    if page.until.is_none() {
        page.problem = Some(words(language, "error-questions-too-late"));
        return Ok(Some(page));
    }
    let (answer, faults) = read(language, given, &mut page, known, earlier);
    page.problem = problem(language, &answer, faults, strange(given, known));
    if page.problem.is_some() {
        return Ok(Some(page));
    }
    questionnaire::correct(tx, &answer, now).await?;
    Ok(None)
}

/// The form with nothing answered. Activities that were named stay; there is room for three at first, and for five in all.
fn form(language: Language, program: &Program, id: AnswerId, known: &[Activity], asks_change: bool) -> Questions {
    let rows = |from: usize, to: usize| {
        (from..=to).map(|number| NewActivity { number, name: Field::default(), score: Field::default() }).collect()
    };
    let in_sight = if known.is_empty() { ASKED_ACTIVITIES } else { known.len() };
    Questions {
        activities: known
            .iter()
            .map(|activity| KnownActivity {
                id: activity.id.to_string(),
                name: activity.name.as_str().to_owned(),
                score: Field::default(),
            })
            .collect(),
        new: rows(known.len() + 1, in_sight),
        more: rows(in_sight + 1, MAX_ACTIVITIES),
        rating: asks_change.then(Field::default),
        since: asks_change.then(|| formats::day_long(language, program.start)),
        ..Questions::empty(language, format!("/questions/{}", program.id), id.to_string(), program.name.clone())
    }
}

/// The same for an answer that was given; what was answered as facts when it can be corrected no more.
fn correction(
    patient: &Patient,
    program: &Program,
    answer: &Answer,
    (known, told): (&[Activity], &[Answer]),
    now: Timestamp,
) -> Questions {
    let language = patient.language;
    let day = |date: Date| formats::day_long(language, date);
    let until = Answer::correctable_until(patient.zone.date(answer.received_at));
    let open = patient.zone.date(now) <= until;
    // Not with the first answer, which change is compared with.
    let follows = |of: &Answer| of.program == answer.program && of.date < answer.date;
    let asks_change = answer.rating.is_some() || told.iter().any(follows);
    Questions {
        action: format!("/answers/{}", answer.id),
        correcting: Some(day(answer.date)),
        corrected: answer.corrected_at.map(|at| day(patient.zone.date(at))),
        until: open.then(|| day(until)),
        facts: if open { Vec::new() } else { facts(language, answer) },
        ..form(language, program, answer.id, known, asks_change)
    }
}

fn facts(language: Language, answer: &Answer) -> Vec<Fact> {
    let text = |score: Option<String>| score.unwrap_or_else(|| words(language, "questions-not-given"));
    let mut facts: Vec<Fact> = answer
        .activities
        .iter()
        .map(|scored| Fact {
            name: scored.activity.name.as_str().to_owned(),
            text: text(scored.score.map(|score| say(language, "questions-out-of", &[("value", score.get().into())]))),
        })
        .collect();
    facts.push(Fact { name: words(language, "questions-change"), text: text(answer.rating.map(|rating| signed(rating.get()))) });
    facts
}

/// Fills the form with what was answered before.
fn fill(page: &mut Questions, answer: &Answer) {
    for view in &mut page.activities {
        let scored = answer.activities.iter().find(|scored| scored.activity.id.to_string() == view.id);
        view.score =
            scored.and_then(|scored| scored.score).map_or_else(Field::default, |score| Field::holding(score.get().to_string()));
    }
    if let (Some(field), Some(rating)) = (&mut page.rating, answer.rating) {
        *field = Field::holding(rating.get().to_string());
    }
}

/// Reads the form into the answer, writing into the page what was typed and what is wrong with it. `blank` brings the id, the day and
/// the hours; its answers are replaced. Says whether something has to be put right.
fn read(language: Language, given: &Given, page: &mut Questions, known: &[Activity], blank: Answer) -> (Answer, bool) {
    let mut faults = false;
    let mut activities: Vec<Scored> = Vec::new();
    let mut score = |name: &str, field: &mut Field| {
        let (score, typed) = ability(language, given.one(name));
        faults |= typed.error.is_some();
        *field = typed;
        score
    };
    for (view, activity) in page.activities.iter_mut().zip(known) {
        let score = score(&format!("score-{}", activity.id), &mut view.score);
        activities.push(Scored { activity: activity.clone(), score });
    }
    for row in page.new.iter_mut().chain(&mut page.more) {
        let typed = given.one(&format!("name-{}", row.number));
        let score = score(&format!("new-{}", row.number), &mut row.score);
        row.name = Field::holding(typed);
        match ActivityName::parse(typed) {
            Ok(name) if activities.iter().any(|earlier| earlier.activity.name.same(&name)) => {
                row.name = Field::refused(typed, words(language, "error-activity-twice"));
            }
            Ok(name) => activities.push(Scored { activity: Activity { id: ActivityId::new(), name }, score }),
            Err(AnswerError::NameMissing) if row.score.value.is_empty() || row.score.value == "none" => {}
            Err(AnswerError::NameMissing) => row.name = Field::refused(typed, words(language, "error-activity-missing")),
            Err(_) => row.name = Field::refused(typed, words(language, "error-activity-long")),
        }
    }
    page.more_open = page.more.iter().any(|row| !row.name.value.is_empty() || !row.score.value.is_empty());
    faults |= page.new.iter().chain(&page.more).any(|row| row.name.error.is_some());
    let mut rating = None;
    if let Some(field) = &mut page.rating {
        (rating, *field) = change(language, given.one("rating"));
        faults |= field.error.is_some();
    }
    (Answer { activities, rating, ..blank }, faults)
}

/// Whether scores came for activities that are not on the form: it was opened before they were named, or after somebody else's.
fn strange(given: &Given, known: &[Activity]) -> bool {
    given.0.iter().filter_map(|(name, _)| name.strip_prefix("score-")).any(|id| !known.iter().any(|of| of.id.to_string() == id))
}

/// What stands above a form that cannot be kept.
fn problem(language: Language, answer: &Answer, faults: bool, changed: bool) -> Option<String> {
    let key = match answer.check() {
        _ if changed => "error-questions-changed",
        _ if faults => "questions-problem",
        Err(AnswerError::Empty) => "error-questions-empty",
        Err(_) => "questions-problem",
        Ok(()) => return None,
    };
    Some(words(language, key))
}

fn ability(language: Language, typed: &str) -> (Option<Ability>, Field) {
    if matches!(typed, "" | "none") {
        return (None, Field::holding(typed));
    }
    match typed.parse().ok().and_then(|score| Ability::new(score).ok()) {
        Some(score) => (Some(score), Field::holding(typed)),
        None => (None, Field::refused(typed, words(language, "error-ability"))),
    }
}

fn change(language: Language, typed: &str) -> (Option<Rating>, Field) {
    if matches!(typed, "" | "none") {
        return (None, Field::holding(typed));
    }
    match typed.parse().ok().and_then(|rating| Rating::new(rating).ok()) {
        Some(rating) => (Some(rating), Field::holding(typed)),
        None => (None, Field::refused(typed, words(language, "error-rating"))),
    }
}
