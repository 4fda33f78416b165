//! "Why did I (not) get this mail?", answered for one patient and one civil date: what became of each chosen time, or why there was
//! none. Only facts go in and only reasons come out; the words are the pages' own, in the patient's voice and in the clinic's.
//!
//! What happened is told from the notices. Why something did not happen is worked out from how things stand now, because a rule's
//! former hours are not kept: a date whose reasons may have been others is told as [`Nothing::Unrecorded`], never guessed.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};

use crate::{
    ids::ProgramId,
    person::Zone,
    program::{DayKind, Program},
    reminder::{Due, NoticeSkip, ReminderRule},
};

/// For so long after its hour a reminder without a notice is merely about to be taken up.
const TAKEN_UP_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// What is known about the patient's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// The clinic has none.
    Missing,
    /// Mail may go to it.
    Open,
    /// The patient wants no reminders there.
    Unsubscribed,
    /// Mail to it came back; nothing is sent to it.
    CameBack,
}

/// A reminder that was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The civil date it is for.
    pub date: Date,
    /// The time the patient chose.
    pub time: Time,
    /// The instant of that.
    pub due_at: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a queued reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It waits for its turn, or to be tried again.
    Waiting {
        /// When it is looked at next.
        next_at: Timestamp,
        /// How often it was tried.
        attempts: u32,
        /// What the mail server said the last time.
        reply: Option<String>,
    },
    /// It is being handed over right now.
    Sending,
    /// The mail server took it.
    Sent {
        /// When.
        at: Timestamp,
        /// The server's words.
        reply: Option<String>,
    },
    /// It was not wanted any more.
    Skipped(NoticeSkip),
    /// It can never be sent.
    Dead {
        /// When that was known.
        at: Timestamp,
        /// The server's words, or ours.
        reply: Option<String>,
    },
    /// Nobody knows whether it arrived.
    Unknown {
        /// When the answer was missed.
        at: Timestamp,
        /// What happened instead of an answer.
        reply: Option<String>,
    },
}

/// A session that was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Of which program.
    pub program: ProgramId,
    /// For which date.
    pub date: Date,
    /// When it reached the clinic.
    pub at: Timestamp,
}

/// All that the answer rests on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The present instant.
    pub now: Timestamp,
    /// The patient's zone.
    pub zone: &'a Zone,
    /// When the clinic made the patient's record.
    pub known_since: Timestamp,
    /// Whether mail may go to the patient.
    pub address: Address,
    /// The patient's present hours, days and pause.
    pub rule: &'a ReminderRule,
    /// Since when each of the hours is chosen.
    pub chosen: &'a [(Time, Timestamp)],
    /// Every program of the patient.
    pub programs: &'a [Program],
    /// The sessions logged on the dates asked about.
    pub logs: &'a [Log],
    /// The reminders queued for the dates asked about.
    pub queued: &'a [Queued],
    /// Since when all reminders are held back after a restore, if they are.
    pub held_since: Option<Timestamp>,
}

/// Why there is no reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nothing {
    /// The clinic did not know the patient yet; its record was made on this date.
    BeforeRecord(Date),
    /// The clinic has no address.
    NoAddress,
    /// Mail to the address came back.
    CameBack,
    /// The patient wants no reminders.
    Unsubscribed,
    /// No hour is chosen.
    NoHours,
    /// The weekday is not among the chosen ones.
    NotThatWeekday,
    /// Reminders are paused up to and including this date.
    Paused(Date),
    /// The patient's zone left this date out.
    NoSuchDay,
    /// The hour lies in the clinic's quiet hours.
    Quiet,
    /// There is no program.
    NoProgram,
    /// The first program starts later, on this date.
    NotStarted(Date),
    /// The program has no session on that weekday.
    RestDay,
    /// The program is paused; the last paused date if it is known.
    ProgramPaused(Option<Date>),
    /// The last program ended on this date.
    ProgramFinished(Date),
    /// Every session of that date was logged, the last of them at this instant.
    Logged(Timestamp),
    /// The hour was chosen only after it had passed, at this instant.
    ChosenLater(Timestamp),
    /// The hour has just come; the reminder is about to be taken up.
    JustDue,
    /// Reminders are held back after a restore, since this instant.
    Held(Timestamp),
    /// The hour passed and nothing was queued: hours or days were others then, or nothing was running.
    Unrecorded,
}

/// What is to be said about one chosen time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It will come, unless the session is logged before.
    Planned(Timestamp),
    /// It was queued, and this became of it. For one that was not needed because of a log, when the log came.
    Queued {
        /// Its instant.
        due_at: Timestamp,
        /// What became of it.
        fate: Fate,
        /// The last log of that date, where it is the reason.
        logged_at: Option<Timestamp>,
    },
    /// There is none.
    Nothing(Nothing),
}

/// One civil date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayStory {
    /// The date.
    pub date: Date,
    /// Why there is no reminder on all of it; `None` when single times are to be told about.
    pub nothing: Option<Nothing>,
    /// Each time, in order. Empty exactly when `nothing` says why.
    pub times: Vec<(Time, Told)>,
}

/// Tells one date.
pub fn tell(case: &Case<'_>, date: Date) -> DayStory {
    let mut times: Vec<(Time, Told)> = case
        .queued
        .iter()
        .filter(|queued| queued.date == date)
        .map(|queued| {
            let logged_at = (queued.fate == Fate::Skipped(NoticeSkip::Logged)).then(|| last_log(case, date)).flatten();
            (queued.time, Told::Queued { due_at: queued.due_at, fate: queued.fate.clone(), logged_at })
        })
        .collect();
    let whole = whole_day(case, date);
    // Where nothing was queued and one reason holds for the whole date, it is said once.
    if whole.is_none() || (!times.is_empty() && date >= case.zone.date(case.now)) {
        for time in &case.rule.times {
            if times.iter().all(|(told, _)| told != time) {
                times.push((*time, whole.map_or_else(|| open_time(case, date, *time), Told::Nothing)));
            }
        }
    }
    times.sort_by_key(|(time, _)| *time);
    let nothing = if times.is_empty() { whole.or(Some(Nothing::NoHours)) } else { None };
    DayStory { date, nothing, times }
}

/// Why a whole date has no reminder, as things stand; the reason that would hold longest comes first.
fn whole_day(case: &Case<'_>, date: Date) -> Option<Nothing> {
    let Case { zone, rule, .. } = *case;
    let since = zone.date(case.known_since);
    let past = date < zone.date(case.now);
    if date < since {
        return Some(Nothing::BeforeRecord(since));
    }
    match case.address {
        Address::Missing => return Some(Nothing::NoAddress),
        Address::CameBack if !past => return Some(Nothing::CameBack),
        Address::Unsubscribed if !past => return Some(Nothing::Unsubscribed),
        Address::CameBack | Address::Unsubscribed | Address::Open => {}
    }
    if rule.times.is_empty() {
        return Some(Nothing::NoHours);
    }
    if !zone.has(date) {
        return Some(Nothing::NoSuchDay);
    }
    if !rule.weekdays.contains(date.weekday()) {
        return Some(Nothing::NotThatWeekday);
    }
    if let Some(until) = rule.paused_until.filter(|until| date <= *until && !past) {
        return Some(Nothing::Paused(until));
    }
    if past { None } else { no_session(case, date) }
}

/// Why no session is open on a date, if none is.
fn no_session(case: &Case<'_>, date: Date) -> Option<Nothing> {
    let slots = |program: &Program| u32::from(program.slots_on(date));
    let due: u32 = case.programs.iter().map(slots).sum();
    if due > 0 {
        let filled: u32 = case
            .programs
            .iter()
            .map(|program| {
                let logs = case.logs.iter().filter(|log| log.program == program.id && log.date == date).count();
                u32::try_from(logs).unwrap_or(u32::MAX).min(slots(program))
            })
            .sum();
        return (filled >= due).then(|| last_log(case, date).map_or(Nothing::Unrecorded, Nothing::Logged));
    }
    let running = |kind: DayKind| case.programs.iter().find(move |program| program.day_kind(date) == kind);
    if running(DayKind::Rest).is_some() {
        return Some(Nothing::RestDay);
    }
    if let Some(program) = running(DayKind::Paused) {
        let covering = || program.pauses.iter().filter(|pause| pause.covers(date)).map(|pause| pause.until);
        let open = covering().any(|until| until.is_none());
        return Some(Nothing::ProgramPaused(if open { None } else { covering().flatten().max() }));
    }
    // One that was finished before it began has no day at all.
    let lived = || case.programs.iter().filter(|program| program.last_day() >= program.start);
    if let Some(start) = lived().map(|program| program.start).filter(|start| *start > date).min() {
        return Some(Nothing::NotStarted(start));
    }
    Some(lived().map(Program::last_day).max().map_or(Nothing::NoProgram, Nothing::ProgramFinished))
}

/// A chosen time for which nothing is queued.
fn open_time(case: &Case<'_>, date: Date, time: Time) -> Told {
    let Case { rule, zone, now, .. } = *case;
    let due = Due { date, time, at: zone.instant(date, time) };
    if rule.quiet.contains(time) || rule.quiet.contains(zone.time(due.at)) {
        return Told::Nothing(Nothing::Quiet);
    }
    if due.at > now {
        return match case.held_since {
            Some(since) => Told::Nothing(Nothing::Held(since)),
            None => Told::Planned(due.at),
        };
    }
    let chosen = case.chosen.iter().find(|(chosen, _)| *chosen == time).map(|(_, at)| *at);
    if let Some(at) = chosen.filter(|at| *at >= due.at) {
        return Told::Nothing(Nothing::ChosenLater(at));
    }
    if let Some(since) = case.held_since.filter(|since| *since <= due.at) {
        return Told::Nothing(Nothing::Held(since));
    }
    if now.duration_since(due.at) <= TAKEN_UP_WITHIN {
        return Told::Nothing(Nothing::JustDue);
    }
    Told::Nothing(Nothing::Unrecorded)
}

fn last_log(case: &Case<'_>, date: Date) -> Option<Timestamp> {
    case.logs.iter().filter(|log| log.date == date).map(|log| log.at).max()
}
