//! `/progress`: the patient's own history.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    adherence::{Adherence, Logged, adherence},
    ids::{LogId, ProgramId},
    pain::{self, PainPoint, Reading, Region},
    person::Language,
    program::Program,
    session_log::{PainScore, SessionLog},
};
use jiff::{Timestamp, ToSpan, civil::Date};
use render::{
    Nav,
    charts::{self, ChartDay, DayMark, Weeks},
    formats,
    forms::Choice,
    pages::patient::{LogLine, Progress, day_tile},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, Tx, patient, program,
    reply::{self, Reply},
    session_log::{self, Felt},
};

use super::{replies, words};
use crate::{
    AppState, PageResult,
    extract::{Now, Pages, Patient, Query},
};

/// Logs on one page.
const PAGE: u16 = 20;
/// The longest the pain chart looks back.
const CHART_DAYS: i64 = 55;

/// The query of the page.
#[derive(Debug, Deserialize)]
pub struct Which {
    /// The last log of the page before, as `2026-11-20.<id>`.
    #[serde(default)]
    before: String,
}

/// `GET /progress?before=`.
///
/// # Errors
/// The store's own.
pub async fn page(
    patient: Patient,
    Now(now): Now,
    Query(which): Query<Which>,
    State(app): State<AppState>,
    pages: Pages,
) -> PageResult {
    let tx = app.store.begin(&patient.scope).await?;
    let page = load(&tx, &patient, &which.before, now).await?;
    tx.commit().await?;
    pages.at(Nav::Progress).show(&page)
}

async fn load(tx: &Tx, patient: &Patient, before: &str, now: Timestamp) -> Result<Progress, StoreError> {
    let (language, today) = (patient.language, patient.zone.date(now));
    // An address that somebody shortened shows the newest ones.
    let after: Option<(Date, LogId)> = before.split_once('.').and_then(|(date, id)| Some((date.parse().ok()?, id.parse().ok()?)));
    // The list goes page by page; what stands above it is about all of the patient's time and is on the first page alone.
    let above = async {
        match after {
            Some(_) => Ok(None),
            None => tokio::try_join!(patient::find(tx, patient.id), session_log::felt(tx, patient.id, today)).map(Some),
        }
    };
    let asked = async {
        tokio::try_join!(
            program::of_patient(tx, patient.id),
            session_log::page(tx, patient.id, after, PAGE + 1),
            reply::newest(tx, patient.id),
            above
        )
    };
    let (programs, mut logs, replies, above) = tx.final_reads(asked).await?;
    let more = logs.len() > usize::from(PAGE);
    logs.truncate(usize::from(PAGE));
    let next = logs.last().filter(|_| more).map(|log| format!("/progress?before={}.{}", log.date, log.id));
    let names: HashMap<ProgramId, &Program> = programs.iter().map(|program| (program.id, program)).collect();
    let mut page = Progress {
        count: None,
        since: None,
        warm: String::new(),
        letters: formats::WEEK.iter().map(|day| formats::weekday_letter(language, *day)).collect(),
        weeks: Vec::new(),
        key: Vec::new(),
        chart: None,
        pain: None,
        logs: logs
            .iter()
            .map(|log| answered(patient, &replies, log, line(language, names.get(&log.program).copied(), log)))
            .collect(),
        older_than: after.map(|_| before.to_owned()),
        next,
    };
    if let Some((record, felt)) = above.filter(|_| !programs.is_empty()) {
        summarise(patient.language, &programs, &felt, today, record.region, &mut page);
    }
    Ok(page)
}

/// What stands above the list. The count and the pain are about the newest program that has begun; the weeks and the chart are about
/// the last ones, whichever program they were in.
fn summarise(language: Language, programs: &[Program], felt: &[Felt], today: Date, region: Region, page: &mut Progress) {
    let starts = || programs.iter().map(|program| program.start);
    let Some(first) = starts().min() else { return };
    let newest = starts().filter(|start| *start <= today).max().unwrap_or(first);
    let logged: Vec<Logged> = felt.iter().map(|session| session.logged.clone()).collect();

    let whole = adherence(programs, &logged, newest, today, today);
    if whole.expected > 0 {
        let args = [("sessions", whole.sessions.into()), ("expected", whole.expected.into())];
        page.count = Some(say(language, "progress-count", &args));
        page.since =
            (newest > first).then(|| say(language, "progress-since", &[("date", formats::day_and_year(language, newest).into())]));
    }
    page.warm = words(language, warm(&whole));
    let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
    let weeks = adherence(programs, &logged, monday.saturating_sub(21.days()), today, today);
    page.weeks = calendar(language, &weeks, monday, today);
    let marks = [DayMark::Done, DayMark::Part, DayMark::Missed, DayMark::Rest, DayMark::Paused, DayMark::Open];
    page.key = marks
        .iter()
        .filter(|mark| weeks.days.iter().any(|day| DayMark::from(day.state) == **mark))
        .map(|mark| Choice::new(state(*mark), mark.word(language)))
        .collect();

    if felt.iter().any(|session| session.pain.before.is_some() || session.pain.after.is_some()) {
        let shown = adherence(programs, &logged, first.max(today.saturating_sub(CHART_DAYS.days())), today, today);
        let days: Vec<ChartDay> = shown
            .days
            .iter()
            .map(|day| {
                let of_day = || felt.iter().map(|session| session.pain).filter(|pain| pain.date == day.date);
                ChartDay {
                    date: day.date,
                    mark: day.state.into(),
                    completion: day.completion,
                    before: mean(of_day().filter_map(|pain| pain.before)),
                    after: mean(of_day().filter_map(|pain| pain.after)),
                }
            })
            .collect();
        page.chart = Some(charts::day_by_day(language, &days, &[], Weeks::Dates));
        let points: Vec<PainPoint> = felt.iter().map(|session| session.pain).filter(|pain| pain.date >= newest).collect();
        page.pain = Some(pain_said(language, &points, region));
    }
}

/// Full weeks from Monday to Sunday; days to come stand as plain numbers.
fn calendar(language: Language, weeks: &Adherence, monday: Date, today: Date) -> Vec<Vec<render::pages::patient::DayTile>> {
    let mut tiles: Vec<_> = weeks.days.iter().map(|day| day_tile(language, day, today)).collect();
    let sunday = monday.saturating_add(6.days());
    let mut date = today;
    while date < sunday {
        date = date.saturating_add(1.day());
        tiles.push(render::pages::patient::DayTile {
            letter: formats::weekday_letter(language, date.weekday()),
            number: date.day(),
            state: DayMark::Outside,
            label: formats::day_long(language, date),
            today: false,
        });
    }
    tiles.chunks(7).map(<[_]>::to_vec).collect()
}

/// The class and the sign of a state, as the templates spell them.
fn state(mark: DayMark) -> &'static str {
    match mark {
        DayMark::Done => "done",
        DayMark::Part => "part",
        DayMark::Missed => "missed",
        DayMark::Rest => "rest",
        DayMark::Paused => "paused",
        DayMark::Outside => "outside",
        DayMark::Open => "open",
    }
}

fn warm(whole: &Adherence) -> &'static str {
    match whole.ratio() {
        None => "progress-first",
        Some(ratio) if ratio >= 0.8 => "progress-warm-most",
        Some(ratio) if ratio >= 0.5 => "progress-warm-some",
        Some(_) => "progress-warm-few",
    }
}

fn mean(scores: impl Iterator<Item = PainScore>) -> Option<f64> {
    let (sum, n) = scores.fold((0u32, 0u32), |(sum, n), score| (sum + u32::from(score.get()), n + 1));
    (n > 0).then(|| f64::from(sum) / f64::from(n))
}

fn pain_said(language: Language, points: &[PainPoint], region: Region) -> String {
    let change = pain::change(points, region);
    match (change.reading, change.first, change.last) {
        (Reading::NotEnough, ..) | (_, None, _) | (_, _, None) => words(language, "progress-pain-few"),
        (_, Some(first), Some(last)) => {
            let args = [("first", formats::one_decimal(first.mean).into()), ("last", formats::one_decimal(last.mean).into())];
            say(language, "progress-pain-change", &args)
        }
    }
}

fn line(language: Language, program: Option<&Program>, log: &SessionLog) -> LogLine {
    let completion =
        program.and_then(|program| log.version(program)).map_or(0.0, |version| domain::session_log::completion(log, version));
    let mark = if completion >= 1.0 - 1e-9 {
        DayMark::Done
    } else if completion > 0.0 {
        DayMark::Part
    } else {
        DayMark::Missed
    };
    let mut facts = Vec::new();
    let number = |score: PainScore| score.get().into();
    match (log.pain_before, log.pain_after) {
        (Some(a), Some(b)) => facts.push(say(language, "progress-log-pain", &[("before", number(a)), ("after", number(b))])),
        (None, Some(b)) => facts.push(say(language, "progress-log-pain-after", &[("after", number(b))])),
        (Some(a), None) => facts.push(say(language, "progress-log-pain-before", &[("before", number(a))])),
        (None, None) => {}
    }
    if let Some(effort) = log.effort.map(|effort| effort.get()).filter(|value| render::pages::patient::EFFORTS.contains(value)) {
        facts.push(words(language, &format!("effort-{effort}")));
    }
    if log.note.is_some() {
        facts.push(words(language, "progress-log-note"));
    }
    if !log.red_flags.is_empty() {
        facts.push(words(language, "progress-log-stop"));
    }
    LogLine {
        id: log.id.to_string(),
        day: formats::day_long(language, log.date),
        state: mark,
        said: if mark == DayMark::Missed { words(language, "progress-log-none") } else { mark.word(language) },
        program: program.map(|program| program.name.clone()).unwrap_or_default(),
        facts: facts.join(" · "),
        note: None,
        answers: Vec::new(),
    }
}

/// The line with what was answered to the log; its note stands with the answer.
fn answered(patient: &Patient, replies: &[Reply], log: &SessionLog, line: LogLine) -> LogLine {
    // They come newest first.
    let answers: Vec<_> = replies
        .iter()
        .rev()
        .filter(|reply| reply.log == log.id)
        .map(|reply| replies::answered(patient.language, &patient.zone, reply))
        .collect();
    LogLine { note: log.note.clone().filter(|_| !answers.is_empty()), answers, ..line }
}
