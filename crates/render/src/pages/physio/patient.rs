//! One patient: who they are, what needs the physiotherapist, their programs, and the report that every figure can be defended from.

pub mod behind;
mod samples;

use domain::session_log::SkipReason;
use serde::Serialize;

use super::change::ChangeSection;
use crate::{Crumb, Field, charts::DayByDay};

/// `GET /patients/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct PatientPage {
    /// Patients / the name.
    pub crumbs: Vec<Crumb>,
    /// The name.
    pub name: String,
    /// "wei@example.com", "Asia/Kuala_Lumpur, now Sunday 22 November, 08:05", "English": how they are reached.
    pub facts: Vec<String>,
    /// Whether they have joined, in words.
    pub access: Access,
    /// What was refused, when something was.
    pub problem: Option<String>,
    /// What needs the physiotherapist, most urgent first.
    pub attention: Vec<AttentionCard>,
    /// What was set aside lately, newest first.
    pub set_aside: Vec<SetAside>,
    /// Programs that run, wait or are paused.
    pub programs: Vec<ProgramCard>,
    /// Programs that are over, newest first.
    pub earlier: Vec<ProgramCard>,
    /// Where a new program is made.
    pub new_program: String,
    /// Where the patient's mail is looked at.
    pub mail: String,
    /// Where name, address, language and zone are corrected.
    pub edit: String,
    /// Where consent, the data as a file and closing are.
    pub record: String,
    /// Which days the report is about.
    pub period: Period,
    /// The figures; `None` before there is anything to report.
    pub report: Option<Report>,
    /// Why there is no report yet.
    pub no_report: Option<NoReport>,
    /// Change as the patient tells it; `None` before the first program.
    pub change: Option<ChangeSection>,
}

/// Whether the patient can sign in.
#[derive(Debug, Clone, Serialize)]
pub struct Access {
    /// "Joined 12 October".
    pub label: String,
    /// A tag's tone.
    pub tone: &'static str,
    /// Where an invitation is sent again; `None` once joined, or without an address.
    pub invite: Option<String>,
    /// "Send the invitation again".
    pub invite_label: String,
    /// Whether the record is closed.
    pub closed: bool,
}

/// A finding that somebody of the clinic set aside.
#[derive(Debug, Clone, Serialize)]
pub struct SetAside {
    /// "Pain is rising".
    pub label: &'static str,
    /// "Acknowledged by Arjun Menon on 22 November".
    pub what: String,
    /// What was noted with it, for the clinic.
    pub note: Option<String>,
}

/// Why this patient needs the physiotherapist, and what can be done about it.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionCard {
    /// The kind, as the form sends it; also part of the ids on the page.
    pub kind: &'static str,
    /// The facts' identity, as the form sends it.
    pub key: String,
    /// The headline.
    pub label: String,
    /// A tag's tone.
    pub tone: &'static str,
    /// An icon's name, or empty.
    pub icon: &'static str,
    /// The facts in a sentence.
    pub sentence: String,
    /// "since yesterday".
    pub since: String,
    /// Where what was asked can be read and answered.
    pub answer: Option<String>,
    /// Where it is acknowledged.
    pub acknowledge: String,
    /// Where it is snoozed.
    pub snooze: String,
    /// A note to keep with the decision.
    pub note: Field,
    /// Until when it is snoozed.
    pub until: Field,
    /// The first day it can be snoozed until.
    pub earliest: String,
    /// Whether its forms stand open, because one of them was refused.
    pub open: bool,
}

/// A program in a few lines.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramCard {
    /// What it is called.
    pub name: String,
    /// Its own page.
    pub href: String,
    /// "Active", "Paused", "Starts soon", "Finished".
    pub status: String,
    /// A tag's tone.
    pub tone: &'static str,
    /// "Week 3 of 6 · 12 October to 22 November".
    pub when: String,
    /// "Monday to Saturday, once a day · 5 exercises, about 12 minutes".
    pub schedule: String,
    /// The report over its days; `None` before its first day.
    pub report: Option<String>,
    /// Where it is revised; `None` once it is over.
    pub revise: Option<String>,
    /// Where it is paused; `None` when it cannot be.
    pub pause: Option<String>,
    /// Where it goes on; `None` when it is not paused.
    pub resume: Option<String>,
    /// Where finishing it is posted; `None` once it is over.
    pub finish: Option<String>,
}

/// The days a report is about.
#[derive(Debug, Clone, Serialize)]
pub struct Period {
    /// The page itself, for the form.
    pub action: String,
    /// The first day, as typed or as chosen.
    pub from: Field,
    /// The last day, likewise.
    pub to: Field,
    /// Sensible choices.
    pub presets: Vec<Preset>,
    /// "Upper back relief, 12 October to 22 November".
    pub line: String,
}

/// A period to choose with one press.
#[derive(Debug, Clone, Serialize)]
pub struct Preset {
    /// "4 weeks".
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether it is the one shown.
    pub current: bool,
}

/// Why there are no figures.
#[derive(Debug, Clone, Serialize)]
pub struct NoReport {
    /// The short of it.
    pub title: String,
    /// What comes next.
    pub text: String,
    /// Whether to offer a new program.
    pub offer: bool,
}

/// The figures of a period.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// "33 of 36", or "No sessions due yet".
    pub sessions: Figure,
    /// "83%", or the same.
    pub completion: Figure,
    /// "5.4 → 1.6", or "Not enough scores yet".
    pub pain: Figure,
    /// How the change in pain is read, a sentence each; empty without a score.
    pub pain_reading: Vec<String>,
    /// "3.1 of 10", or "Not given yet".
    pub effort: Figure,
    /// Whose word this is, a sentence each.
    pub self_reported: Vec<String>,
    /// What could not be read in full, if anything.
    pub cut: Option<String>,
    /// The chart; the rows behind it are its table.
    pub chart: DayByDay,
    /// The rows that the figures rest on.
    pub behind: behind::Behind,
    /// Exercise by exercise, in the program's order.
    pub exercises: Vec<ExerciseRow>,
    /// What the patient said, newest first.
    pub said: Vec<Said>,
    /// What was said before that.
    pub said_older: Vec<Said>,
    /// How many older notes there are besides these, in words.
    pub said_more: Option<String>,
    /// How the patient learns of an answer, in a sentence.
    pub told: String,
    /// The period's first and last day, for forms that lead back to it.
    pub days: [String; 2],
    /// The newest sessions, newest first.
    pub logs: Vec<LogRow>,
    /// Those before them.
    pub older_logs: Vec<LogRow>,
    /// "Show the 26 sessions before", when there are any.
    pub older_label: Option<String>,
    /// What is left out of the list, if anything.
    pub logs_more: Option<String>,
    /// The same as a file.
    pub csv: String,
    /// "12 October 2026 to 22 November 2026 · self-reported · printed on 22 November 2026, 16:05", for paper.
    pub printed: String,
}

/// One figure and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// The figure, as text.
    pub value: String,
    /// What it is out of, or what it means.
    pub note: String,
    /// Whether `value` is a number; words are set smaller.
    pub known: bool,
}

impl Figure {
    /// A number.
    pub fn of(value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { value: value.into(), note: note.into(), known: true }
    }

    /// Words in a number's place: nothing is claimed.
    pub fn none(value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { value: value.into(), note: note.into(), known: false }
    }
}

/// One exercise over the period.
#[derive(Debug, Clone, Serialize)]
pub struct ExerciseRow {
    /// Its name.
    pub name: String,
    /// 0 to 100, for the bar; `None` when it was never due.
    pub percent: Option<u8>,
    /// "94%".
    pub figure: String,
    /// "94% of 36 times", read aloud for the bar.
    pub label: String,
    /// "Skipped 8 times: it hurt 6, no time 2".
    pub skipped: Option<String>,
    /// The sessions in which not all of it was done, newest first: a link to the day and what was said.
    pub times: Vec<(behind::Linked, String)>,
    /// How many more of them there are.
    pub times_more: usize,
}

/// A note with what stood around it.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// The session log's id.
    pub log: String,
    /// The patient's words; `None` when only a stop sign was ticked.
    pub text: Option<String>,
    /// "18 Nov".
    pub date: String,
    /// "pain 2 → 3 · skipped wall angels".
    pub facts: Option<String>,
    /// Stop signs that were ticked with it.
    pub flags: Vec<String>,
    /// Whether it waits for an answer.
    pub waits: bool,
    /// What was answered, oldest first.
    pub answers: Vec<Answer>,
    /// Where an answer is posted.
    pub reply: String,
    /// An answer that was refused, or an empty one.
    pub words: Field,
    /// Whether its form stands open, because it was refused.
    pub open: bool,
}

/// What was answered to a note.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The answer.
    pub text: String,
    /// "Hannah Lee, 19 Nov · read 20 Nov".
    pub by: String,
    /// What the note said then, when it says something else now.
    pub to: Option<String>,
}

/// One logged session.
#[derive(Debug, Clone, Serialize)]
pub struct LogRow {
    /// "Wed 18 Nov".
    pub date: String,
    /// "80%".
    pub done: String,
    /// "2 → 3", "not given".
    pub pain: String,
    /// "3 · moderate", "not given".
    pub effort: String,
    /// "wall angels (it hurt)".
    pub skipped: Option<String>,
    /// "corrected 19 Nov", "logged 2 days later", "entered by the clinic".
    pub marks: Vec<String>,
}

/// A reason for skipping, as the clinic reads it.
pub fn skip_reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Pain => "it hurt",
        SkipReason::NoTime => "no time",
        SkipReason::NotSureHow => "not sure how",
        SkipReason::NoEquipment => "no equipment",
        SkipReason::Other => "another reason",
    }
}

/// What Borg's CR10 scale calls a value from 0 to 10; a mean reads as the value next to it.
pub fn effort_word(value: f64) -> &'static str {
    match value.round() as i64 {
        ..=0 => "nothing at all",
        1 => "very light",
        2 => "light",
        3 => "moderate",
        4 => "somewhat strong",
        5 | 6 => "strong",
        7..=9 => "very strong",
        10.. => "extremely strong",
    }
}
