//! `GET /reports/adherence?from=&to=&by=`: adherence and pain change by physiotherapist, program and (with `by=exercise`) exercise, and
//! who still logs by the week of the program. `/reports/adherence.csv` is the same as a file, RFC 4180 in UTF-8; its columns are
//! described in docs/exports.md.
//!
//! Everybody on the staff reads it. Where the clinic keeps physiotherapists to their caseload, row-level security gives them theirs.

use std::collections::HashMap;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use domain::{
    cohort::{self, Course, Group, Week},
    ids::{ExerciseId, MembershipId},
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use render::{
    Nav, charts,
    formats::{day_and_year, hour, one_decimal, percent, percent_points},
    pages::physio::{
        clinic_report::{COUNTED, ClinicReport, Report, Row},
        patient::{Figure, skip_reason},
    },
    words::Language,
};
use serde::Deserialize;
use store::{
    ClinicContext,
    audit::{AuditAction, AuditResource},
    reports::clinic::{self, Depth, Found},
};

use super::period::{self, Period};
use crate::{
    AppState, PageError, PageResult,
    account::download,
    csv::{BYTE_ORDER_MARK, line},
    extract::{Now, Pages, Query, Staff},
};

const EN: Language = Language::En;
/// The page.
const ADDRESS: &str = "/reports/adherence";
/// The most rows of one table; the file has all of them.
const LISTED: usize = 100;

/// The query: `?from=&to=&by=`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    from: String,
    to: String,
    /// `exercise` adds the exercises; anything else is the page without them.
    by: String,
}

/// The page.
pub async fn page(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    staff.scope.note(AuditAction::Read, AuditResource::Caseload, None);
    let asked = Asked::of(&wanted, &staff, now);
    let narrowed = staff.scope.is_kept();
    let found = find(&app, &staff.scope, &asked, now).await?;
    pages.at(Nav::Reports).show(&view(&asked, found, narrowed))
}

/// The file. A period that cannot be had, or that holds too much, is refused with its sentence.
pub async fn file(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
) -> Result<Response, PageError> {
    let asked = Asked::of(&wanted, &staff, now);
    if let Some(sentence) = asked.period.refused() {
        return Err(PageError::Refused(Some(sentence.to_owned())));
    }
    let turn = app.downloads.turn(&app.store, &staff.scope, staff.account).await?;
    staff.scope.note(AuditAction::Exported, AuditResource::Caseload, None);
    let Some(figures) = find(&app, &staff.scope, &asked, now).await? else {
        return Err(PageError::Refused(Some(too_much(asked.depth))));
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"adherence.csv\""),
    ];
    Ok((headers, download::text(turn, figures.csv())).into_response())
}

/// What a reader asked for.
struct Asked {
    period: Period,
    depth: Depth,
    today: Date,
    /// The clinic’s time of day.
    time: Time,
}

impl Asked {
    fn of(wanted: &Wanted, staff: &Staff, now: Timestamp) -> Self {
        let Wanted { from, to, by } = wanted;
        let today = staff.clinic.zone.date(now);
        let depth = if by == "exercise" { Depth::Exercises } else { Depth::Sessions };
        Self {
            period: Period::of_clinic(&period::Wanted::between(from, to), today),
            depth,
            today,
            time: staff.clinic.zone.time(now),
        }
    }

    /// The report of these days, at an address of it.
    fn href(&self, address: &str, depth: Depth) -> String {
        format!("{address}?from={}&to={}{}", self.period.from, self.period.to, keep(depth))
    }
}

/// What an address says of the depth.
fn keep(depth: Depth) -> &'static str {
    match depth {
        Depth::Sessions => "",
        Depth::Exercises => "&by=exercise",
    }
}

/// Everything there is to tell, each list in the order in which it is told.
struct Figures {
    whole: Group,
    staff: Vec<(String, Group)>,
    programs: Vec<(String, Group)>,
    exercises: Option<Vec<(String, cohort::OfExercise)>>,
    weeks: Vec<Week>,
}

/// The figures; `None` when there is more than is read at once.
async fn find(app: &AppState, scope: &ClinicContext, asked: &Asked, now: Timestamp) -> Result<Option<Figures>, PageError> {
    let (from, to, depth) = (asked.period.from, asked.period.to, asked.depth);
    let tx = app.store.begin(scope).await?;
    let questions = async { tokio::try_join!(clinic::read(&tx, from, to, depth, now), clinic::staff_names(&tx)) };
    let (found, staff) = tx.final_reads(questions).await?;
    tx.commit().await?;
    let Found::All(followed, exercises) = found else { return Ok(None) };
    // A thousand patients take tens of milliseconds: not on a thread that others wait for.
    let sums = tokio::task::spawn_blocking(move || {
        let courses: Vec<Course> = followed.into_iter().map(|followed| Course::measure(followed, from, to)).collect();
        Figures::of(&courses, &staff, (depth == Depth::Exercises).then_some(&exercises), from, to)
    });
    sums.await.map(Some).map_err(|_| PageError::internal("the figures were not worked out"))
}

impl Figures {
    fn of(
        courses: &[Course],
        staff: &HashMap<MembershipId, String>,
        exercises: Option<&HashMap<ExerciseId, String>>,
        from: Date,
        to: Date,
    ) -> Self {
        let by_staff = cohort::by(courses, |followed| followed.physiotherapist).into_iter().map(|(id, group)| {
            let name = id.map_or("On nobody’s caseload", |id| staff.get(&id).map_or("Somebody", String::as_str));
            (name.to_owned(), group)
        });
        let by_program = cohort::by(courses, |followed| followed.program.name.clone());
        let by_exercise = exercises.map(|names| {
            let name = |id| names.get(&id).cloned().unwrap_or_else(|| "An exercise".to_owned());
            let mut rows: Vec<_> = cohort::by_exercise(courses).into_iter().map(|(id, of)| (name(id), of)).collect();
            rows.sort_by(|(a, x), (b, y)| y.group.expected.cmp(&x.group.expected).then(a.cmp(b)));
            rows
        });
        Self {
            whole: cohort::whole(courses),
            staff: most_patients_first(by_staff),
            programs: most_patients_first(by_program.into_iter()),
            exercises: by_exercise,
            weeks: cohort::weeks(courses, from, to),
        }
    }

    fn csv(&self) -> String {
        let mut text = BYTE_ORDER_MARK.to_owned() + &line(COLUMNS);
        let mut add = |by: &str, name: &str, group: &Group| text.push_str(&line(cells(by, name, group)));
        add("clinic", "", &self.whole);
        for (name, group) in &self.staff {
            add("physiotherapist", name, group);
        }
        for (name, group) in &self.programs {
            add("program", name, group);
        }
        for (name, of) in self.exercises.iter().flatten() {
            add("exercise", name, &of.group);
        }
        for week in &self.weeks {
            text.push_str(&line(week_cells(week)));
        }
        text
    }
}

/// Those with most patients first: what can be read stands above what cannot.
fn most_patients_first(groups: impl Iterator<Item = (String, Group)>) -> Vec<(String, Group)> {
    let mut groups: Vec<_> = groups.collect();
    groups.sort_by(|(a, x), (b, y)| y.patients.cmp(&x.patients).then(a.to_lowercase().cmp(&b.to_lowercase())));
    groups
}

const COLUMNS: [&str; 13] = [
    "group",
    "name",
    "patients",
    "due",
    "done",
    "adherence",
    "completion",
    "pain_patients",
    "pain_better",
    "pain_worse",
    "pain_first",
    "pain_last",
    "too_few",
];

fn cells(by: &str, name: &str, group: &Group) -> [String; 13] {
    let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.4}")).unwrap_or_default();
    let mean = ratio;
    let exercise = by == "exercise";
    let few = group.pain.mean().is_none();
    let counted = |n: u32| if few { String::new() } else { n.to_string() };
    [
        by.to_owned(),
        name.to_owned(),
        group.patients.to_string(),
        group.expected.to_string(),
        if exercise { String::new() } else { group.sessions.to_string() },
        if exercise { String::new() } else { ratio(group.ratio()) },
        ratio(group.completion()),
        group.pain.read.to_string(),
        counted(group.pain.better),
        counted(group.pain.worse),
        mean(group.pain.means().map(|(first, _)| first)),
        mean(group.pain.means().map(|(_, last)| last)),
        if group.too_few() { "yes".to_owned() } else { "no".to_owned() },
    ]
}

fn week_cells(week: &Week) -> [String; 13] {
    let mut cells = [const { String::new() }; 13];
    cells[0] = "week".to_owned();
    cells[1] = week.number.to_string();
    cells[2] = week.programs.to_string();
    cells[3] = week.programs.to_string();
    cells[4] = week.logging.to_string();
    cells[5] = week.share().map(|share| format!("{share:.4}")).unwrap_or_default();
    cells[12] = if week.share().is_none() { "yes".to_owned() } else { "no".to_owned() };
    cells
}

fn view(asked: &Asked, found: Option<Figures>, narrowed: bool) -> ClinicReport {
    let whose = if narrowed { "Your own caseload, and patients on nobody’s" } else { "All patients of the clinic" };
    let Period { from, to, .. } = asked.period;
    ClinicReport {
        whose: whose.to_owned(),
        printed: format!(
            "{} to {} · self-reported · printed on {}, {}",
            day_and_year(EN, from),
            day_and_year(EN, to),
            day_and_year(EN, asked.today),
            hour(EN, asked.time)
        ),
        counted: COUNTED.into(),
        period: asked.period.view_of_clinic(ADDRESS, keep(asked.depth), asked.today),
        too_much: found.is_none().then(|| too_much(asked.depth)),
        report: found.filter(|figures| figures.whole.expected > 0).map(|figures| report(asked, &figures)),
    }
}

fn too_much(depth: Depth) -> String {
    let most = thousands(depth.most());
    match depth {
        Depth::Sessions => {
            format!(
                "More than {most} sessions were logged in these days. A part of them would be a wrong figure: choose a shorter period."
            )
        }
        Depth::Exercises => format!(
            "More than {most} sessions were logged in these days, too many to go through exercise by exercise. Choose a shorter period."
        ),
    }
}

fn report(asked: &Asked, figures: &Figures) -> Report {
    let Figures { whole, staff, programs, exercises, weeks } = figures;
    let more = |all: usize, what: &str| {
        (all > LISTED).then(|| format!("{LISTED} of {} {what} are listed; the CSV file has all of them.", thousands(all)))
    };
    let rows = |groups: &[(String, Group)]| groups.iter().take(LISTED).map(|(name, group)| row(name, group)).collect();
    Report {
        csv: asked.href(&format!("{ADDRESS}.csv"), asked.depth),
        patients: Figure::of(thousands(whole.patients as usize), "with a session due"),
        sessions: match whole.ratio() {
            Some(ratio) => Figure::of(counts(whole.sessions, whole.expected), format!("{} of those prescribed", percent(ratio))),
            None => Figure::none(counts(whole.sessions, whole.expected), "too few to read"),
        },
        completion: match whole.completion() {
            Some(ratio) => Figure::of(percent(ratio), "of all prescribed, missed sessions as 0%"),
            None => Figure::none("Too few to read", ""),
        },
        pain: pain_figure(whole),
        staff: rows(staff),
        programs: rows(programs),
        programs_more: more(programs.len(), "programs"),
        exercises: exercises.as_ref().map(|all| all.iter().take(LISTED).map(|(name, of)| exercise_row(name, of)).collect()),
        exercises_more: exercises.as_ref().and_then(|all| more(all.len(), "exercises")),
        with_exercises: exercises.is_none().then(|| format!("{}#by-exercise", asked.href(ADDRESS, Depth::Exercises))),
        weeks: (!weeks.is_empty()).then(|| charts::by_week(weeks)),
    }
}

fn pain_figure(whole: &Group) -> Figure {
    let pain = &whole.pain;
    match pain.mean() {
        Some(_) => {
            let note = format!(
                "patients with a meaningful change for the better · {} for the worse · mean change {}",
                pain.worse,
                change(whole)
            );
            Figure::of(counts(pain.better, pain.read), note)
        }
        None if pain.read == 0 => Figure::none("No change to read yet", "it takes more than 7 days with a score in the period"),
        None => Figure::none("Too few to read", of_patients(pain.read)),
    }
}

fn row(name: &str, group: &Group) -> Row {
    let pain = &group.pain;
    Row {
        name: name.to_owned(),
        patients: group.patients,
        counts: counts(group.sessions, group.expected),
        percent: group.ratio().map(percent_points),
        figure: group.ratio().map_or_else(|| "too few to read".to_owned(), percent),
        completion: group.completion().map(percent),
        pain: change(group),
        pain_note: match pain.mean() {
            Some(_) => {
                Some(format!("n = {}: {} better, {} worse, {} neither", pain.read, pain.better, pain.worse, pain.unchanged()))
            }
            None => (pain.read > 0).then(|| of_patients(pain.read)),
        },
        skipped: None,
    }
}

fn exercise_row(name: &str, of: &cohort::OfExercise) -> Row {
    let cohort::OfExercise { group, skipped } = of;
    let times: u32 = skipped.iter().map(|(_, n)| n).sum();
    let reasons: Vec<String> = skipped.iter().map(|(reason, n)| format!("{} {n}", skip_reason(*reason))).collect();
    Row {
        counts: format!(
            "due {}",
            if group.expected == 1 { "once".to_owned() } else { format!("{} times", thousands(group.expected as usize)) }
        ),
        percent: group.completion().map(percent_points),
        figure: group.completion().map_or_else(|| "too few to read".to_owned(), percent),
        completion: None,
        skipped: (times > 0).then(|| {
            format!("Skipped {}: {}", if times == 1 { "once".to_owned() } else { format!("{times} times") }, reasons.join(", "))
        }),
        ..row(name, group)
    }
}

/// "down 1.4".
fn change(group: &Group) -> String {
    match group.pain.mean() {
        None if group.pain.read == 0 => "no change to read".to_owned(),
        None => "too few to read".to_owned(),
        Some(mean) => match one_decimal(mean.abs()) {
            same if same == "0.0" => "unchanged".to_owned(),
            size if mean < 0.0 => format!("down {size}"),
            size => format!("up {size}"),
        },
    }
}

fn of_patients(n: u32) -> String {
    if n == 1 { "n = 1 patient".to_owned() } else { format!("n = {n} patients") }
}

fn counts(done: u32, due: u32) -> String {
    format!("{} of {}", thousands(done as usize), thousands(due as usize))
}

/// "10,530".
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
