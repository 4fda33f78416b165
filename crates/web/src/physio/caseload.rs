//! `GET /patients`: the caseload, most urgent first.

use axum::extract::State;
use domain::{
    attention::{self, Attention},
    person::Role,
    program::{Program, ProgramStatus},
};
use render::{
    Nav, Pagination,
    attention::{self as words, Status},
    charts,
    formats::{day_relative, percent},
    pages::physio::caseload::{Caseload, Empty, Filter, Row, legend},
    words::Language,
};
use serde::Deserialize;
use store::{
    audit::{AuditAction, AuditResource},
    reports::caseload,
};

use super::standing::{self, Standing};
use crate::{
    AppState, PageResult,
    extract::{Now, Pages, Query, Staff},
};

/// How many patients a page shows.
const PAGE: usize = 50;

/// Whom to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// Everyone.
    #[default]
    All,
    /// Who needs the physiotherapist.
    Attention,
    /// Who is on a program.
    Active,
    /// Whose programs have ended.
    Finished,
}

/// Whose patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The reader's own.
    Mine,
    /// The whole clinic's.
    Clinic,
}

/// The query of the caseload.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    show: Show,
    whose: Option<Whose>,
    /// As typed: whatever is no page of the list shows the first.
    page: String,
}

/// The page.
pub async fn page(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    // An owner looks at the clinic, a physiotherapist at their own caseload, unless they say otherwise.
    let whose = wanted.whose.unwrap_or(if staff.role == Role::Owner { Whose::Clinic } else { Whose::Mine });
    let own = (whose == Whose::Mine).then_some(staff.membership);
    let search: String = wanted.q.trim().chars().take(120).collect();
    staff.scope.note(AuditAction::Read, AuditResource::Caseload, None);
    let tx = app.store.begin(&staff.scope).await?;
    let patients = caseload::patients(&tx, own, &search).await?;
    let mut standings = tx.final_reads(standing::of(&tx, patients, now)).await?;
    tx.commit().await?;
    standings.sort_by(|a, b| urgency(a).cmp(&urgency(b)));
    let list = List { wanted: &wanted, whose, default: staff.role != Role::Owner, search: &search };
    pages.at(Nav::Patients).show(&list.view(&standings))
}

/// Who comes first: by the most urgent reason, then by how long it has stood, then those on a program, then by name.
fn urgency(standing: &Standing) -> impl Ord {
    let first = attention::headline(&standing.open);
    (
        first.map_or(u8::MAX, |attention| attention.kind as u8),
        first.map(|attention| attention.since),
        match standing.status() {
            _ if standing.patient.closed => 4,
            Some(ProgramStatus::Active) => 0,
            Some(ProgramStatus::Paused | ProgramStatus::Upcoming) => 1,
            None => 2,
            Some(ProgramStatus::Finished) => 3,
        },
        standing.patient.name.to_lowercase(),
    )
}

fn shown(show: Show, standing: &Standing) -> bool {
    match show {
        Show::All => true,
        Show::Attention => !standing.open.is_empty(),
        Show::Active if standing.patient.closed => false,
        Show::Finished if standing.patient.closed => true,
        Show::Active => matches!(standing.status(), Some(ProgramStatus::Active | ProgramStatus::Paused | ProgramStatus::Upcoming)),
        Show::Finished => standing.status() == Some(ProgramStatus::Finished),
    }
}

struct List<'a> {
    wanted: &'a Wanted,
    whose: Whose,
    /// Whether [`Whose::Mine`] is what this reader sees unasked.
    default: bool,
    search: &'a str,
}

impl List<'_> {
    fn view(&self, standings: &[Standing]) -> Caseload {
        let show = self.wanted.show;
        let count = |show| standings.iter().filter(|standing| shown(show, standing)).count();
        let chosen: Vec<&Standing> = standings.iter().filter(|standing| shown(show, standing)).collect();
        let last = chosen.len().div_ceil(PAGE).max(1);
        let at = self.wanted.page.parse().unwrap_or(1).clamp(1, last);
        let rows: Vec<Row> = chosen.iter().skip((at - 1) * PAGE).take(PAGE).map(|standing| row(standing)).collect();
        let to = |page: usize| self.href(show, self.whose, Some(page));
        let filter = |label: &str, show: Show| Filter {
            label: label.to_owned(),
            count: Some(count(show)),
            href: self.href(show, self.whose, None),
            current: self.wanted.show == show,
        };
        let other = match self.whose {
            Whose::Mine => ("The whole clinic", Whose::Clinic),
            Whose::Clinic => ("My patients", Whose::Mine),
        };
        let filters = vec![
            filter("Everyone", Show::All),
            filter("Needs attention", Show::Attention),
            filter("On a program", Show::Active),
            filter("Finished", Show::Finished),
            Filter { label: other.0.to_owned(), count: None, href: self.href(show, other.1, None), current: false },
        ];
        let mut keep = Vec::new();
        if show != Show::All {
            keep.push(("show".to_owned(), word(show).to_owned()));
        }
        if let Some(whose) = self.whose_word(self.whose) {
            keep.push(("whose".to_owned(), whose.to_owned()));
        }
        Caseload {
            title: if self.whose == Whose::Mine { "Your patients".to_owned() } else { "The clinic’s patients".to_owned() },
            summary: summary(count(Show::Attention), standings.len(), self.search),
            search: self.search.to_owned(),
            filters,
            keep,
            empty: rows.is_empty().then(|| empty(show, self.search, self.whose)),
            rows,
            pages: Pagination {
                page: u32::try_from(at).unwrap_or(u32::MAX),
                pages: u32::try_from(last).unwrap_or(u32::MAX),
                previous: (at > 1).then(|| to(at - 1)),
                next: (at < last).then(|| to(at + 1)),
            },
            legend_svg: legend(),
        }
    }

    /// Only said where it differs from what the reader sees unasked.
    fn whose_word(&self, whose: Whose) -> Option<&'static str> {
        match (whose, self.default) {
            (Whose::Mine, false) => Some("mine"),
            (Whose::Clinic, true) => Some("clinic"),
            _ => None,
        }
    }

    fn href(&self, show: Show, whose: Whose, page: Option<usize>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.search.is_empty() {
            query.append_pair("q", self.search);
        }
        if show != Show::All {
            query.append_pair("show", word(show));
        }
        if let Some(whose) = self.whose_word(whose) {
            query.append_pair("whose", whose);
        }
        if let Some(page) = page.filter(|page| *page > 1) {
            query.append_pair("page", &page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/patients".to_owned(),
            query => format!("/patients?{query}"),
        }
    }
}

fn word(show: Show) -> &'static str {
    match show {
        Show::All => "all",
        Show::Attention => "attention",
        Show::Active => "active",
        Show::Finished => "finished",
    }
}

fn summary(need: usize, all: usize, search: &str) -> String {
    let who = match (all, search.is_empty()) {
        (0, true) => return "Nobody here yet.".to_owned(),
        (0, false) => return format!("Nobody found for “{search}”."),
        (1, true) => "1 patient".to_owned(),
        (all, true) => format!("{all} patients"),
        (1, false) => format!("1 patient found for “{search}”"),
        (all, false) => format!("{all} patients found for “{search}”"),
    };
    match need {
        0 => format!("{who}. Nobody needs you today."),
        1 => format!("{who}, 1 needs you today. Sorted by who needs you first."),
        need => format!("{who}, {need} need you today. Sorted by who needs you first."),
    }
}

fn empty(show: Show, search: &str, whose: Whose) -> Empty {
    let (title, text, invite) = match (search.is_empty(), show) {
        (false, _) => ("Nobody found", "Try a part of the name or of the email address.", false),
        (true, Show::All) if whose == Whose::Clinic => ("No patients yet", "Invite the first one; it takes a minute.", true),
        (true, Show::All) => ("No patients on your caseload yet", "Invite the first one; it takes a minute.", true),
        (true, Show::Attention) => ("Nobody needs you today", "Everyone is on their way.", false),
        (true, Show::Active) => ("Nobody is on a program", "Open a patient to assign one.", false),
        (true, Show::Finished) => ("No finished programs yet", "They are kept here with their reports.", false),
    };
    Empty { title: title.to_owned(), text: text.to_owned(), invite }
}

fn row(standing: &Standing) -> Row {
    let Standing { patient, today, programs: _, sessions, waiting: _, open, adherence } = standing;
    let language = Language::En;
    let ratio = adherence.ratio();
    let scores: Vec<Option<u8>> = sessions.scores.iter().rev().take(10).rev().map(|score| Some(score.after.get())).collect();
    Row {
        href: format!("/patients/{}", patient.id),
        name: patient.name.clone(),
        program: program_line(standing),
        status: attention::headline(open).map_or_else(|| calm(standing), words::status),
        more: also(open),
        strip_svg: adherence
            .days
            .iter()
            .any(|day| !matches!(day.state, domain::adherence::DayState::Outside))
            .then(|| charts::strip(language, &adherence.days.iter().map(|day| day.state.into()).collect::<Vec<_>>())),
        adherence: ratio.map(percent),
        pain_svg: (!scores.is_empty()).then(|| charts::sparkline(language, &scores)),
        pain: sessions.scores.last().map(|score| format!("{}/10", score.after.get())),
        last: sessions.last.map_or_else(
            || "Never".to_owned(),
            |date| if date == *today { "Logged today".to_owned() } else { capital(&day_relative(language, date, *today)) },
        ),
    }
}

/// The reasons beside the headline.
fn also(open: &[Attention]) -> Option<String> {
    let headline = attention::headline(open)?;
    let mut others = open.iter().filter(|attention| attention.kind != headline.kind);
    let next = words::status(others.next()?).label.to_lowercase();
    Some(match others.count() {
        0 => format!("Also: {next}"),
        more => format!("Also: {next}, and {more} more"),
    })
}

/// What to say of somebody who does not need the physiotherapist.
fn calm(standing: &Standing) -> Status {
    match standing.status() {
        _ if standing.patient.closed => Status::plain("Record closed", "quiet"),
        None => Status::plain("No program yet", "quiet"),
        Some(ProgramStatus::Finished) => Status::plain("Finished", "quiet"),
        // Set aside is not gone on: it still waits for a physiotherapist.
        Some(ProgramStatus::Paused) if standing.program().is_some_and(Program::is_stopped) => {
            Status::plain("Stopped by a stop sign", "pain")
        }
        Some(ProgramStatus::Paused) => Status::plain("Paused", "quiet"),
        Some(_) if standing.patient.invited_at.is_some() && standing.patient.joined_at.is_none() => {
            Status::plain("Invited, not signed in", "quiet")
        }
        Some(ProgramStatus::Upcoming) => Status::plain("Starts soon", "quiet"),
        Some(ProgramStatus::Active) => match standing.adherence.ratio() {
            None => Status::plain("Just started", ""),
            Some(ratio) if ratio >= 0.8 => Status::plain("On track", ""),
            Some(_) => Status::plain("Missing some sessions", "quiet"),
        },
    }
}

/// "Upper back relief · week 3".
pub fn program_line(standing: &Standing) -> String {
    let Some(program) = standing.program() else { return "No program yet".to_owned() };
    match program.week_on(standing.today) {
        Some((week, _)) if program.status(standing.today) != ProgramStatus::Finished => format!("{} · week {week}", program.name),
        None if program.start > standing.today => {
            format!("{} · starts {}", program.name, day_relative(Language::En, program.start, standing.today))
        }
        _ => format!("{} · ended", program.name),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
