//! The log form, read: what the patient typed becomes a log, or a sentence beside each answer that cannot stand.

use domain::{
    ids::{LogId, PrescriptionId},
    person::Language,
    program::{Prescription, Program, Version},
    session_log::{Effort, Entry, LogError, MAX_NOTE_CHARS, Outcome, PainScore, RedFlag, SessionLog, SkipReason, entry_completion},
    text::is_blank,
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use render::{
    Field,
    pages::patient::{ExerciseView, LogForm},
};

use super::words;

/// A device whose clock runs ahead by less than this is believed.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How long a log may wait on a phone without a connection.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The fields of a posted form, as they came.
#[derive(Debug, Clone)]
pub(super) struct Given(pub Vec<(String, String)>);

impl Given {
    /// The first value of a field, or "".
    pub(super) fn one(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// Every value of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim())
    }

    /// The log's id, made by the device.
    pub(super) fn log_id(&self) -> Option<LogId> {
        self.one("log_id").parse().ok()
    }

    /// The day the log is for: `None` when it is no date; today when it was left out.
    pub(super) fn date(&self, today: Date) -> Option<Date> {
        match self.one("date") {
            "" => Some(today),
            text => text.parse().ok(),
        }
    }

    /// The prescriptions that were answered.
    pub(super) fn prescriptions(&self) -> Vec<PrescriptionId> {
        self.0.iter().filter_map(|(name, _)| name.strip_prefix("outcome-")?.parse().ok()).collect()
    }

    /// When the session was done: what the device says, where that is possible, else now.
    pub(super) fn performed_at(&self, now: Timestamp) -> Timestamp {
        let said: Option<Timestamp> = self.one("performed_at").parse().ok();
        said.filter(|at| *at <= now + CLOCK_SKEW && *at >= now - LONGEST_WAIT).map_or(now, |at| at.min(now))
    }
}

/// A form that was read.
pub(super) struct Answers {
    /// What can be kept. Complete when `faults` is false; when it is true, answers that cannot stand are left out.
    pub log: SessionLog,
    /// Whether something on the form has to be put right.
    pub faults: bool,
}

/// Reads `given` into a log of `program`'s `version`, writing into `form` what was typed and what is wrong with it. `log` brings the
/// id, the day and the hours; its answers are replaced. An unanswered exercise is a fault only when `complete` asks for all.
pub(super) fn read(
    language: Language,
    given: &Given,
    form: &mut LogForm,
    (program, version): (&Program, &Version),
    mut log: SessionLog,
    complete: bool,
) -> Answers {
    let mut faults = false;
    log.entries.clear();
    for view in &mut form.exercises {
        let prescription = version.prescriptions.iter().find(|prescription| prescription.id.to_string() == view.id);
        let Some(prescription) = prescription else { continue };
        type_in(given, view);
        match outcome(language, view, prescription) {
            Some(outcome) if too_much(prescription, outcome, program, &log) => {
                faults = true;
                let field = if view.reps.value.is_empty() { &mut view.outcome } else { &mut view.reps };
                field.error = Some(words(language, "error-too-much"));
            }
            Some(outcome) => log.entries.push(Entry { prescription: prescription.id, outcome }),
            None if view.outcome.value.is_empty() && !complete => {}
            None => {
                faults = true;
                if view.outcome.value.is_empty() {
                    view.outcome.error = Some(words(language, "error-outcome"));
                }
            }
        }
    }
    let mut score = |name: &str, field: &mut Field| {
        let (score, typed) = pain(language, given.one(name));
        faults |= typed.error.is_some();
        *field = typed;
        score
    };
    log.pain_before = score("pain_before", &mut form.pain_before);
    log.pain_after = score("pain_after", &mut form.pain_after);
    (log.effort, form.effort) = effort(language, given.one("effort"));
    (log.note, form.note) = note(language, given.one("note"));
    faults |= form.effort.error.is_some() || form.note.error.is_some();
    log.red_flags = given.all("red_flag").filter_map(|tag| tag.parse().ok()).collect();
    log.red_flags.sort_unstable();
    log.red_flags.dedup();
    tick(form, &log.red_flags);
    form.performed_at = given.one("performed_at").chars().take(40).collect();
    Answers { log, faults }
}

/// Fills the form with a log that was saved before.
pub(super) fn fill(form: &mut LogForm, log: &SessionLog, version: &Version) {
    for view in &mut form.exercises {
        let entry = log.entries.iter().find(|entry| entry.prescription.to_string() == view.id);
        let prescription = version.prescriptions.iter().find(|prescription| prescription.id.to_string() == view.id);
        let (Some(entry), Some(prescription)) = (entry, prescription) else { continue };
        match entry.outcome {
            Outcome::Skipped(reason) => {
                view.outcome = Field::holding("skipped");
                view.reason = Field::holding(reason.tag());
            }
            Outcome::Did { sets, reps, hold } => {
                let whole = entry_completion(entry.outcome, prescription) >= 1.0;
                view.outcome = Field::holding(if whole { "done" } else { "some" });
                let shown = |value: u16, least: u16| {
                    Field::holding(if whole && value == least { String::new() } else { value.to_string() })
                };
                view.sets = shown(sets, view.sets_min);
                view.reps = shown(reps, view.reps_min);
                view.hold = hold.map_or_else(Field::default, |hold| shown(hold, view.hold_min));
            }
        }
    }
    let score = |score: Option<PainScore>| Field::holding(score.map_or_else(|| "none".to_owned(), |score| score.get().to_string()));
    form.pain_before = score(log.pain_before);
    form.pain_after = score(log.pain_after);
    form.effort = log.effort.map_or_else(Field::default, |effort| Field::holding(effort.get().to_string()));
    form.note = Field::holding(log.note.clone().unwrap_or_default());
    tick(form, &log.red_flags);
}

/// The sentence for a log that a rule refuses as a whole.
pub(super) fn refusal(language: Language, why: LogError) -> String {
    let key = match why {
        LogError::Future => "error-future",
        LogError::TooLongAgo => "error-too-long-ago",
        LogError::NotToday => "error-not-today",
        LogError::OutsideProgram => "error-outside",
        LogError::OtherProgram | LogError::UnknownExercise | LogError::ExerciseTwice | LogError::CorrectsAnotherDay => {
            "error-changed"
        }
        LogError::TooMuch => "error-too-much",
        LogError::Empty => "error-empty",
        LogError::NoteTooLong => "error-note",
        LogError::CorrectedTooLate => "error-too-late",
    };
    words(language, key)
}

/// A log with no answers yet.
pub(super) fn blank(id: LogId, program: &Program, date: Date, performed_at: Timestamp, received_at: Timestamp) -> SessionLog {
    SessionLog {
        id,
        program: program.id,
        date,
        performed_at,
        received_at,
        entries: Vec::new(),
        pain_before: None,
        pain_after: None,
        effort: None,
        note: None,
        red_flags: Vec::new(),
    }
}

fn tick(form: &mut LogForm, flags: &[RedFlag]) {
    for sign in &mut form.signs {
        sign.on = flags.iter().any(|flag| flag.tag() == sign.value);
    }
    form.signs_open = !flags.is_empty();
}

fn type_in(given: &Given, view: &mut ExerciseView) {
    let typed = |what: &str| Field::holding(given.one(&format!("{what}-{}", view.id)));
    let (outcome, sets, reps, hold, reason) = (typed("outcome"), typed("sets"), typed("reps"), typed("hold"), typed("reason"));
    (view.outcome, view.sets, view.reps, view.hold, view.reason) = (outcome, sets, reps, hold, reason);
}

/// What became of one exercise; `None` when it was not said or cannot be read (then the fields of `view` say why).
fn outcome(language: Language, view: &mut ExerciseView, prescription: &Prescription) -> Option<Outcome> {
    let dose = &prescription.dose;
    match view.outcome.value.as_str() {
        // Done as prescribed is at least the lower bound; the player may have counted more.
        "done" => {
            let at_least = |field: &Field, least: u16| field.value.parse().map_or(least, |counted: u16| counted.max(least));
            Some(Outcome::Did {
                sets: at_least(&view.sets, dose.sets().min()),
                reps: at_least(&view.reps, dose.reps().min()),
                hold: dose.hold().map(|hold| at_least(&view.hold, hold.min())),
            })
        }
        "some" => {
            let sets = if view.asks_sets { number(language, &mut view.sets, "error-some-empty") } else { Some(1) };
            let reps = number(language, &mut view.reps, "error-some-empty");
            let hold = match (dose.hold(), view.hold.value.is_empty()) {
                (None, _) | (_, true) => Some(None),
                (Some(_), false) => number(language, &mut view.hold, "error-number").map(Some),
            };
            Some(Outcome::Did { sets: sets?, reps: reps?, hold: hold? })
        }
        "skipped" => match view.reason.value.parse::<SkipReason>() {
            Ok(reason) => Some(Outcome::Skipped(reason)),
            Err(_) => {
                view.reason.error = Some(words(language, "error-reason"));
                None
            }
        },
        _ => {
            view.outcome.value.clear();
            None
        }
    }
}

/// A whole number of at least 1.
fn number(language: Language, field: &mut Field, if_empty: &str) -> Option<u16> {
    let read = field.value.bytes().all(|byte| byte.is_ascii_digit()).then(|| field.value.parse::<u32>().ok()).flatten();
    match read {
        Some(n @ 1..) => Some(u16::try_from(n).unwrap_or(u16::MAX)),
        _ => {
            field.error = Some(words(language, if field.value.is_empty() { if_empty } else { "error-number" }));
            None
        }
    }
}

/// Whether this one answer is past what the domain takes.
fn too_much(prescription: &Prescription, outcome: Outcome, program: &Program, log: &SessionLog) -> bool {
    let alone = SessionLog { entries: vec![Entry { prescription: prescription.id, outcome }], ..log.clone() };
    // Of today as far as this question goes: whether the day may be logged is asked of the whole.
    alone.check(program, alone.date) == Err(LogError::TooMuch)
}

fn pain(language: Language, typed: &str) -> (Option<PainScore>, Field) {
    if matches!(typed, "" | "none") {
        return (None, Field::holding(typed));
    }
    match typed.parse().ok().and_then(|score| PainScore::new(score).ok()) {
        Some(score) => (Some(score), Field::holding(typed)),
        None => (None, Field::refused(typed, words(language, "error-pain"))),
    }
}

fn effort(language: Language, typed: &str) -> (Option<Effort>, Field) {
    if typed.is_empty() {
        return (None, Field::default());
    }
    match typed.parse().ok().and_then(|value| Effort::new(value).ok()) {
        Some(effort) => (Some(effort), Field::holding(typed)),
        None => (None, Field::refused(typed, words(language, "error-effort"))),
    }
}

fn note(language: Language, typed: &str) -> (Option<String>, Field) {
    // Browsers send CRLF for a new line.
    let text = typed.replace("\r\n", "\n");
    match text.chars().count() {
        // Nothing that could be read or answered, whatever signs it is made of.
        _ if is_blank(&text) => (None, Field::default()),
        n if n <= MAX_NOTE_CHARS => (Some(text.clone()), Field::holding(text)),
        _ => (Some(text.chars().take(MAX_NOTE_CHARS).collect()), Field::refused(text, words(language, "error-note"))),
    }
}
