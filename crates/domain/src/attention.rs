//! Attention: why a patient needs the physiotherapist, most urgent first.
//!
//! Each finding names its kind, the facts it rests on, the date it arose and a
//! `key` made of those facts. The key is what a physiotherapist acknowledges
//! or snoozes: the same facts keep the same key and stay away, new facts make
//! a new key and come back. To add a kind, add it to `AttentionKind` at its
//! place in the order of urgency, to `Facts`, and write its rule below.

mod pain_rules;
mod sessions;

use crate::adherence::Logged;
use crate::ids::{LogId, PatientId, ProgramId};
use crate::program::{Program, ProgramStatus, days_between};
use crate::session_log::{PainScore, RedFlag};
use crate::tags::tagged;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

tagged! {
    /// Why; in the order of urgency, most urgent first.
    "kind of attention"
    pub enum AttentionKind {
        /// The patient ticked a stop sign.
        StopSigns = "stop_signs",
        /// Pain after a session at or above the clinic's limit.
        PainHigh = "pain_high",
        /// Pain rose against the week before.
        PainRising = "pain_rising",
        /// Several due sessions in a row missed.
        MissedRun = "missed_run",
        /// Adherence fell against the fortnight before.
        Dropped = "dropped",
        /// Invited or assigned, and nothing since.
        NotStarted = "not_started",
        /// A note or message waits for an answer.
        Asked = "asked",
        /// The program is about to end.
        ReadyForReview = "ready_for_review",
    }
}

/// What a clinic may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Pain after a session from which it is high, 0–10.
    pub pain_high: u8,
    /// How many due sessions missed in a row make a run.
    pub missed_run: u32,
}

impl Default for Settings {
    /// Pain high from 7, a run from 3.
    fn default() -> Self {
        Self { pain_high: 7, missed_run: 3 }
    }
}

/// One logged session's pain, as the rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// The log.
    pub log: LogId,
    /// The patient's civil date of the session.
    pub date: Date,
    /// When it was performed: orders the sessions of one day.
    pub performed_at: Timestamp,
    /// Pain after the session. Sessions without a score are not in the list.
    pub after: PainScore,
}

/// A log in which stop signs were ticked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagged {
    /// The log.
    pub log: LogId,
    /// Its program.
    pub program: ProgramId,
    /// The patient's civil date of the session.
    pub date: Date,
    /// What was ticked.
    pub flags: Vec<RedFlag>,
}

/// A note or message of the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The log or message it stands in.
    pub id: Uuid,
    /// The patient's civil date that it is about.
    pub date: Date,
    /// When it came: orders them, since a note may be about a day that is over.
    pub at: Timestamp,
    /// Whether it was replied to as it stands now.
    pub answered: bool,
}

/// The notes that still wait for an answer: not replied to, and newer than the newest that was acknowledged, which was acknowledged
/// with all that had come before it.
pub fn waiting(questions: &[Question], marks: &[Mark]) -> Vec<Question> {
    let order = |question: &Question| (question.at, question.id);
    let acknowledged = |question: &&Question| {
        let key = question.id.to_string();
        marks.iter().any(|mark| mark.kind == AttentionKind::Asked && mark.state == MarkState::Acknowledged && mark.key == key)
    };
    let seen = questions.iter().filter(acknowledged).map(order).max();
    questions.iter().filter(|question| !question.answered && seen.is_none_or(|seen| order(question) > seen)).copied().collect()
}

/// All that attention looks at, for one patient. Lists may come in any order.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The patient.
    pub patient: PatientId,
    /// The date of the newest invitation, if there was one.
    pub invited_on: Option<Date>,
    /// Whether the patient has ever signed in (by password or one-tap link).
    pub signed_in: bool,
    /// The patient's programs, at least those that have not ended more than 28 days ago.
    pub programs: &'a [Program],
    /// Every log of these programs; `entries` may be empty.
    pub logs: &'a [Logged],
    /// Every scored session of the last 28 days or more.
    pub scores: &'a [Scored],
    /// The logs with stop signs of these programs.
    pub flagged: &'a [Flagged],
    /// What waits for an answer (see [`waiting`]).
    pub questions: &'a [Question],
}

/// What a finding rests on, with the numbers a page shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// Stop signs, each once, from logs no physiotherapist has resumed after.
    StopSigns {
        /// What was ticked.
        flags: Vec<RedFlag>,
        /// The newest log with any.
        log: LogId,
    },
    /// A program that a stop sign still holds, though no log waits any more.
    StillStopped {
        /// The program that has been held the longest.
        program: ProgramId,
        /// The day since which it is.
        from: Date,
    },
    /// High pain.
    PainHigh {
        /// The newest score at or above the limit.
        score: PainScore,
        /// The clinic's limit.
        limit: u8,
        /// The log it stands in.
        log: LogId,
    },
    /// Rising pain: means of scores after sessions.
    PainRising {
        /// Mean of the last three scored sessions.
        recent: f64,
        /// Mean of the seven days before them.
        before: f64,
        /// How many scores `before` rests on.
        before_n: u32,
    },
    /// A run of missed sessions that still lasts.
    MissedRun {
        /// How many due sessions.
        sessions: u32,
        /// The date of the first of them.
        first: Date,
    },
    /// Adherence of two fortnights, each 0..=1.
    Dropped {
        /// The last 14 days.
        recent: f64,
        /// The 14 days before.
        before: f64,
    },
    /// Invited and never signed in.
    NeverSignedIn {
        /// The date of the invitation.
        invited: Date,
        /// Days since.
        days: u32,
    },
    /// A program that runs without a single log.
    NothingLogged {
        /// The program.
        program: ProgramId,
        /// Its first day.
        start: Date,
        /// Days since.
        days: u32,
    },
    /// Notes or messages without an answer.
    Asked {
        /// How many.
        count: u32,
        /// The newest.
        newest: Uuid,
    },
    /// A program about to end.
    ReadyForReview {
        /// The program.
        program: ProgramId,
        /// Its last day.
        end: Date,
        /// Days from today to the last day; 0 is today.
        days_left: u32,
    },
}

/// One reason why a patient needs the physiotherapist.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// Which.
    pub kind: AttentionKind,
    /// The date it arose.
    pub since: Date,
    /// What it rests on.
    pub facts: Facts,
    /// The identity of these facts.
    pub key: String,
}

/// What a physiotherapist decided about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkState {
    /// Seen: it goes.
    Acknowledged,
    /// It comes back on that date, if it still holds.
    SnoozedUntil(Date),
}

/// A decision, bound to the facts it was made on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The kind.
    pub kind: AttentionKind,
    /// The finding's key.
    pub key: String,
    /// The decision.
    pub state: MarkState,
}

/// Everything that needs the physiotherapist about this patient, most urgent
/// first, at most one of each kind. `today` is the patient's civil date.
/// Decisions are not applied: see [`open`].
pub fn attention(case: &Case<'_>, settings: &Settings, today: Date) -> Vec<Attention> {
    [
        stop_signs(case, today),
        pain_rules::high(case.scores, settings.pain_high, today),
        pain_rules::rising(case.scores, today),
        sessions::missed_run(case.programs, case.logs, settings.missed_run, today),
        sessions::dropped(case.programs, case.logs, today),
        not_started(case, today),
        asked(case.questions),
        ready_for_review(case.programs, today),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What still waits for the physiotherapist once the decisions are applied.
/// Findings keep their order.
pub fn open(attentions: Vec<Attention>, marks: &[Mark], today: Date) -> Vec<Attention> {
    attentions
        .into_iter()
        .filter(|attention| {
            !marks.iter().any(|mark| {
                mark.kind == attention.kind
                    && mark.key == attention.key
                    && match mark.state {
                        MarkState::Acknowledged => true,
                        MarkState::SnoozedUntil(date) => today < date,
                    }
            })
        })
        .collect()
}

/// The one finding a single line states for the patient: the most urgent,
/// except that for somebody who has never begun "not started" says more than
/// the sessions missed because of it.
pub fn headline(attentions: &[Attention]) -> Option<&Attention> {
    let first = attentions.first()?;
    let not_started = attentions.iter().find(|attention| attention.kind == AttentionKind::NotStarted);
    match (first.kind, not_started) {
        (AttentionKind::MissedRun | AttentionKind::Dropped, Some(better)) => Some(better),
        _ => Some(first),
    }
}

/// A flagged log waits until a physiotherapist has resumed its program after
/// it (or acknowledges it). Resuming is seen in the pauses: the stops made on
/// or after the log's date have all ended, and there was one.
fn stop_signs(case: &Case<'_>, today: Date) -> Option<Attention> {
    let handled = |flagged: &Flagged| {
        let program = case.programs.iter().find(|program| program.id == flagged.program);
        let mut stops = program
            .iter()
            .flat_map(|program| &program.pauses)
            .filter(|pause| pause.needs_physiotherapist && pause.from >= flagged.date)
            .peekable();
        stops.peek().is_some() && stops.all(|pause| pause.until.is_some())
    };
    let waiting: Vec<&Flagged> = case.flagged.iter().filter(|flagged| !flagged.flags.is_empty() && !handled(flagged)).collect();
    let Some(newest) = waiting.iter().max_by_key(|flagged| (flagged.date, flagged.log)) else {
        return still_stopped(case, today);
    };
    let oldest = waiting.iter().map(|flagged| flagged.date).min()?;
    let mut flags: Vec<RedFlag> = waiting.iter().flat_map(|flagged| flagged.flags.iter().copied()).collect();
    flags.sort_unstable();
    flags.dedup();
    Some(Attention {
        kind: AttentionKind::StopSigns,
        since: oldest,
        // A sign that is ticked in a correction is a new fact in a log that may be known already.
        key: format!("{} {}", newest.log, flags.iter().map(|flag| flag.tag()).collect::<Vec<_>>().join(" ")),
        facts: Facts::StopSigns { flags, log: newest.log },
    })
}

/// A program that a stop sign holds while no flagged log waits: the tick was
/// taken back in a correction, or another of the patient's programs was
/// resumed and this one was not. Nobody but a physiotherapist can let it go
/// on, so somebody has to be told.
fn still_stopped(case: &Case<'_>, today: Date) -> Option<Attention> {
    let held = |program: &Program| {
        let stops = program.pauses.iter().filter(|pause| pause.needs_physiotherapist && pause.until.is_none());
        stops.map(|pause| pause.from).min().filter(|_| program.status(today) != ProgramStatus::Finished)
    };
    let (from, program) = case.programs.iter().filter_map(|program| Some((held(program)?, program.id))).min()?;
    Some(Attention {
        kind: AttentionKind::StopSigns,
        since: from,
        key: format!("{program} stopped {from}"),
        facts: Facts::StillStopped { program, from },
    })
}

/// Days after which an invitation or a start without any answer needs somebody.
const NOT_STARTED_DAYS: i32 = 3;

fn not_started(case: &Case<'_>, today: Date) -> Option<Attention> {
    let late = |from: Date| {
        let days = u32::try_from(days_between(from, today)).ok()?;
        let since = from.checked_add(NOT_STARTED_DAYS.days()).ok()?;
        (since <= today).then_some((days, since))
    };
    if let Some(invited) = case.invited_on.filter(|_| !case.signed_in)
        && let Some((days, since)) = late(invited)
    {
        return Some(Attention {
            kind: AttentionKind::NotStarted,
            since,
            key: format!("invited {invited}"),
            facts: Facts::NeverSignedIn { invited, days },
        });
    }
    let silent = |program: &&Program| {
        program.status(today) == ProgramStatus::Active && !case.logs.iter().any(|log| log.program == program.id)
    };
    case.programs
        .iter()
        .filter(silent)
        .filter_map(|program| late(program.start).map(|(days, since)| (program, days, since)))
        // A program for Mondays that began on a Tuesday has asked for nothing yet.
        .filter(|(program, _, _)| has_been_due(program, today))
        .min_by_key(|(program, _, _)| (program.start, program.id))
        .map(|(program, days, since)| Attention {
            kind: AttentionKind::NotStarted,
            since,
            key: format!("program {}", program.id),
            facts: Facts::NothingLogged { program: program.id, start: program.start, days },
        })
}

fn has_been_due(program: &Program, today: Date) -> bool {
    program.start.series(1.day()).take_while(|date| *date < today).any(|date| program.slots_on(date) > 0)
}

fn asked(questions: &[Question]) -> Option<Attention> {
    let newest = questions.iter().max_by_key(|question| (question.at, question.id))?;
    let oldest = questions.iter().map(|question| question.date).min()?;
    Some(Attention {
        kind: AttentionKind::Asked,
        since: oldest,
        key: newest.id.to_string(),
        facts: Facts::Asked { count: u32::try_from(questions.len()).unwrap_or(u32::MAX), newest: newest.id },
    })
}

/// How long before its end a program should be looked at.
const REVIEW_DAYS: i32 = 7;

fn ready_for_review(programs: &[Program], today: Date) -> Option<Attention> {
    programs
        .iter()
        .filter(|program| matches!(program.status(today), ProgramStatus::Active | ProgramStatus::Paused))
        .filter_map(|program| {
            let left = days_between(today, program.end);
            (left <= REVIEW_DAYS).then_some((program, u32::try_from(left).ok()?))
        })
        .min_by_key(|(program, left)| (*left, program.id))
        .map(|(program, days_left)| Attention {
            kind: AttentionKind::ReadyForReview,
            since: program.end.checked_sub(REVIEW_DAYS.days()).map_or(program.start, |date| date.max(program.start)),
            // A program whose end was moved is a new fact.
            key: format!("{} ends {}", program.id, program.end),
            facts: Facts::ReadyForReview { program: program.id, end: program.end, days_left },
        })
}
