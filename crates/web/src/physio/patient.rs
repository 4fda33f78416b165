//! `GET /patients/{id}`: who they are, what needs the physiotherapist, their programs, and the report.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    attention::{Attention, AttentionKind, MarkState},
    ids::{ExerciseId, LogId, PatientId},
    person::Language as Speaks,
    program::{Program, ProgramStatus, Version},
};
use jiff::{Timestamp, ToSpan, civil::Date};
use render::{
    Crumb, Field, Nav, attention as words,
    formats::{about_minutes, day_and_year, day_range_by, day_relative, exercise_count, moment, weekdays},
    pages::physio::patient::{Access, AttentionCard, NoReport, PatientPage, ProgramCard, SetAside},
    words::Language,
};
use store::{
    ClinicContext, Store, StoreError,
    attention::Decided,
    audit::{AuditAction, AuditResource},
    patient::Patient,
    reply::{self, Reply},
    reports::patient::{self as rows, Session},
};

use super::{
    change::Told,
    period::{self, Period, Wanted},
    report::Facts,
    said::Notes,
    standing::{Ground, Standing},
};
use crate::{
    AppState, PageResult,
    extract::{Id, Now, Pages, Query, Staff},
};

const EN: Language = Language::En;
/// How many decisions are shown; they are read when somebody wonders what a colleague did about a finding lately.
const DECIDED: u32 = 20;

/// The page.
pub async fn page(
    State(app): State<AppState>,
    staff: Staff,
    Id(id): Id<PatientId>,
    Now(now): Now,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let record = Record::load(&app.store, &staff.scope, id, wanted, now).await?;
    pages.at(Nav::Patients).show(&record.view(None))
}

/// Everything the page is made of.
#[derive(Debug)]
pub struct Record {
    /// The patient.
    pub patient: Patient,
    /// How they stand today.
    pub standing: Standing,
    /// Which days the report is about; `None` before the first program has begun.
    pub period: Option<Period>,
    /// The sessions of the period.
    pub sessions: Vec<Session>,
    /// What was answered to them.
    pub replies: Vec<Reply>,
    /// What was decided about findings lately.
    pub decided: Vec<Decided>,
    /// What the patient told of how things are.
    pub told: Told,
    /// The names of the exercises in the patient's programs.
    pub names: HashMap<ExerciseId, String>,
    now: Timestamp,
}

/// A decision about a finding, or an answer, that was refused: what was typed, and why.
#[derive(Debug, Default)]
pub struct Refused {
    /// Which finding; `None` when it is not among those that are open.
    pub kind: Option<AttentionKind>,
    /// The note.
    pub note: Field,
    /// The date; `None` where it was not part of the form.
    pub until: Option<Field>,
    /// The answer to a session's note.
    pub reply: Option<(LogId, Field)>,
    /// A sentence above everything else.
    pub problem: Option<String>,
}

impl Record {
    /// Reads it in one transaction and two round trips.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown id and another clinic's alike; the store's own.
    pub async fn load(
        store: &Store,
        scope: &ClinicContext,
        id: PatientId,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let tx = store.begin(scope).await?;
        tx.note(AuditAction::Read, AuditResource::Record, Some(id));
        let ids = [id];
        let (patient, ground, exercises, decided, told) = tokio::try_join!(
            store::patient::find(&tx, id),
            Ground::gather(&tx, &ids, now),
            store::exercise::of_patient(&tx, id),
            store::attention::decided(&tx, id, DECIDED),
            Told::gather(&tx, id),
        )?;
        let standing = ground.judge(vec![rows::listed(&patient)], now).pop().ok_or(StoreError::NotFound)?;
        let period = Period::choose(&wanted, &standing.programs, standing.today);
        let (sessions, replies) = match &period {
            Some(Period { from, to, .. }) => {
                let both = async { tokio::try_join!(rows::sessions(&tx, id, *from, *to), reply::between(&tx, id, *from, *to)) };
                tx.final_reads(both).await?
            }
            None => (Vec::new(), Vec::new()),
        };
        tx.commit().await?;
        let names = exercises.into_iter().map(|(id, exercise)| (id, exercise.name)).collect();
        Ok(Self { patient, standing, period, sessions, replies, told, decided, names, now })
    }

    /// What the report is made of, when there is one.
    pub fn facts(&self) -> Option<Facts<'_>> {
        Some(Facts {
            first_name: self.patient.name.called(),
            region: self.patient.region,
            zone: &self.patient.zone,
            programs: &self.standing.programs,
            sessions: &self.sessions,
            said: Notes { patient: &self.patient, replies: &self.replies, waiting: &self.standing.waiting, refused: None },
            names: &self.names,
            period: self.period.as_ref()?,
            today: self.standing.today,
            time: self.patient.zone.time(self.now),
        })
    }

    /// The page, with a decision that was refused.
    pub fn view(&self, refused: Option<&Refused>) -> PatientPage {
        let (id, today) = (self.patient.id, self.standing.today);
        let mut programs: Vec<&Program> = self.standing.programs.iter().collect();
        programs.sort_by_key(|program| std::cmp::Reverse((program.start, program.id)));
        let (over, current): (Vec<&Program>, Vec<&Program>) =
            programs.into_iter().partition(|program| program.status(today) == ProgramStatus::Finished);
        let change = self.told.section(&[&current[..], &over[..]].concat(), self.patient.region, today);
        let card = |program: &Program| program_card(program, id, today);
        let report = self.facts().zip(self.period.as_ref()).map(|(mut facts, period)| {
            facts.said.refused = refused.and_then(|refused| refused.reply.as_ref());
            facts.report(format!("/patients/{id}/report.csv?from={}&to={}", period.from, period.to))
        });
        PatientPage {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::here(self.patient.name.as_str())],
            name: self.patient.name.as_str().to_owned(),
            facts: self.reached(),
            access: self.access(),
            problem: refused.and_then(|refused| {
                let unsaid = refused.reply.as_ref().and_then(|(_, field)| field.error.clone());
                refused.problem.clone().or(unsaid)
            }),
            attention: self.standing.open.iter().map(|attention| self.attention_card(attention, refused)).collect(),
            set_aside: self.decided.iter().map(|decided| self.set_aside(decided)).collect(),
            programs: current.into_iter().map(card).collect(),
            earlier: over.into_iter().map(card).collect(),
            new_program: format!("/patients/{id}/programs/new"),
            mail: format!("/notices?patient={id}"),
            edit: format!("/patients/{id}/edit"),
            record: format!("/patients/{id}/record"),
            no_report: report.is_none().then(|| self.no_report()),
            period: self.period.as_ref().map_or_else(
                || render::pages::physio::patient::Period {
                    action: format!("/patients/{id}"),
                    from: Field::default(),
                    to: Field::default(),
                    presets: Vec::new(),
                    line: String::new(),
                },
                |period| period.view(id, &self.standing.programs, today),
            ),
            report,
            change,
        }
    }

    fn reached(&self) -> Vec<String> {
        let Patient { email, zone, language, .. } = &self.patient;
        let here = zone.datetime(self.now);
        vec![
            email.as_ref().map_or_else(|| "No email address".to_owned(), |email| email.as_str().to_owned()),
            format!("{}, where it is {}", zone.name(), moment(EN, here.date(), here.time())),
            speaks(*language).to_owned(),
        ]
    }

    fn access(&self) -> Access {
        let Patient { id, email, zone, invited_at, joined_at, closed, .. } = &self.patient;
        let today = self.standing.today;
        let ago = |at: Timestamp| day_relative(EN, zone.date(at), today);
        let (label, tone) = match (joined_at, invited_at) {
            _ if closed.is_some() => (self.closed(), "warn"),
            (Some(joined), _) => (format!("Joined {}", ago(*joined)), ""),
            (None, Some(invited)) => (format!("Invited {}, not signed in", ago(*invited)), "warn"),
            (None, None) => ("Not invited".to_owned(), "quiet"),
        };
        let invite_label = if invited_at.is_some() { "Send the invitation again" } else { "Send an invitation" };
        Access {
            label,
            tone,
            invite: (joined_at.is_none() && email.is_some() && closed.is_none()).then(|| format!("/patients/{id}/invite")),
            invite_label: invite_label.to_owned(),
            closed: closed.is_some(),
        }
    }

    /// "Account closed on 3 March 2026".
    fn closed(&self) -> String {
        let day = self.patient.closed.as_ref().map(|closed| day_and_year(EN, self.patient.zone.date(closed.at)));
        format!("Account closed on {}", day.unwrap_or_default())
    }

    fn attention_card(&self, attention: &Attention, refused: Option<&Refused>) -> AttentionCard {
        let (patient, today) = (self.patient.id, self.standing.today);
        let words::Status { label, tone, icon } = words::status(attention);
        let refused = refused.filter(|refused| refused.kind == Some(attention.kind));
        let week = today.saturating_add(7.days());
        let since = match (today - attention.since).get_days() {
            ..=0 => "Since today.".to_owned(),
            1 => "Since yesterday.".to_owned(),
            _ => format!("Since {}.", render::formats::day_medium(EN, attention.since)),
        };
        AttentionCard {
            kind: attention.kind.tag(),
            key: attention.key.clone(),
            label,
            tone,
            icon,
            sentence: words::sentence(attention),
            since,
            answer: (attention.kind == AttentionKind::Asked).then(|| self.to_newest_note()).flatten(),
            acknowledge: format!("/attention/{patient}/acknowledge"),
            snooze: format!("/attention/{patient}/snooze"),
            note: refused.map(|refused| refused.note.clone()).unwrap_or_default(),
            until: refused.and_then(|refused| refused.until.clone()).unwrap_or_else(|| Field::holding(week.to_string())),
            earliest: today.saturating_add(1.day()).to_string(),
            open: refused.is_some(),
        }
    }

    /// One line of what was decided.
    fn set_aside(&self, Decided { kind, state, note, by, at }: &Decided) -> SetAside {
        let day = render::formats::day_medium(EN, self.patient.zone.date(*at));
        SetAside {
            label: words::kind(*kind),
            what: match state {
                MarkState::Acknowledged => format!("Acknowledged by {by} on {day}"),
                MarkState::SnoozedUntil(until) => {
                    format!("Snoozed until {} by {by} on {day}", render::formats::day_medium(EN, *until))
                }
            },
            note: note.clone(),
        }
    }

    /// Where the newest note that waits can be read and answered: on this page, over days that it is one of.
    fn to_newest_note(&self) -> Option<String> {
        let newest = self.standing.waiting.iter().max_by_key(|question| (question.at, question.id))?;
        let shown = self.period.as_ref().is_some_and(|period| (period.from..=period.to).contains(&newest.date));
        let page = if shown { String::new() } else { period::href(self.patient.id, newest.date, self.standing.today) };
        Some(format!("{page}#note-{}", newest.id))
    }

    fn no_report(&self) -> NoReport {
        match self.standing.program() {
            None => NoReport {
                title: "No program yet".to_owned(),
                text: "Assign one, and what the patient logs will be counted here.".to_owned(),
                offer: true,
            },
            Some(program) if program.start > self.standing.today => NoReport {
                title: format!("The first program starts {}", day_relative(EN, program.start, self.standing.today)),
                text: "The report begins with its first day.".to_owned(),
                offer: false,
            },
            // Finished before it began.
            Some(_) => NoReport {
                title: "Nothing to report".to_owned(),
                text: "No program of this patient has had a day yet.".to_owned(),
                offer: true,
            },
        }
    }
}

fn program_card(program: &Program, patient: PatientId, today: Date) -> ProgramCard {
    let id = program.id;
    let status = program.status(today);
    let (word, tone) = match status {
        ProgramStatus::Active => ("Running", ""),
        ProgramStatus::Paused if program.is_stopped() => ("Stopped by a stop sign", "pain"),
        ProgramStatus::Paused => ("Paused", "warn"),
        ProgramStatus::Upcoming => ("Not started yet", "quiet"),
        ProgramStatus::Finished => ("Finished", "quiet"),
    };
    let last = program.last_day();
    let days = day_range_by(EN, program.start, if last < program.start { program.end } else { last }, today);
    let when = match program.week_on(today) {
        Some((week, of)) if status != ProgramStatus::Finished => format!("Week {week} of {of} · {days}"),
        _ if program.start > today => format!("Starts {} · {days}", day_relative(EN, program.start, today)),
        _ => days,
    };
    let runs = status != ProgramStatus::Finished;
    let page = format!("/programs/{id}");
    ProgramCard {
        name: program.name.clone(),
        status: word.to_owned(),
        tone,
        when,
        schedule: program
            .version_on(today.clamp(program.start, program.end))
            .or(program.newest())
            .map_or_else(String::new, schedule),
        report: (program.start <= today && last >= program.start).then(|| period::href(patient, program.start, last.min(today))),
        revise: runs.then(|| format!("{page}/revise")),
        pause: (runs && status != ProgramStatus::Paused).then(|| format!("{page}#pause-from")),
        resume: (status == ProgramStatus::Paused).then(|| format!("{page}#resume-reason")),
        finish: runs.then(|| format!("{page}/finish")),
        href: page,
    }
}

/// "Monday to Saturday, once a day · 5 exercises, about 12 minutes".
fn schedule(version: &Version) -> String {
    let often = match version.times_a_day {
        1 => "once a day".to_owned(),
        2 => "twice a day".to_owned(),
        n => format!("{n} times a day"),
    };
    let days = weekdays(EN, version.weekdays);
    let mut chars = days.chars();
    let days: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    format!("{days}, {often} · {}, {}", exercise_count(EN, version.prescriptions.len()), about_minutes(EN, version.minutes()))
}

fn speaks(language: Speaks) -> &'static str {
    match language {
        Speaks::En => "English",
        Speaks::Ms => "Malay",
        Speaks::Zh => "Chinese",
        Speaks::Ta => "Tamil",
    }
}
