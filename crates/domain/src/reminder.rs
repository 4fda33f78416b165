//! Reminders: when the next is due, and whether one that is due is still
//! wanted at the moment of sending. The engine that sends them keeps its own
//! promises; here are only the rules.

use crate::ids::ProgramId;
use crate::person::Zone;
use crate::program::{Program, Weekdays};
use crate::tags::tagged;
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The most reminder times a patient may choose for a day.
pub const MAX_TIMES: usize = 3;
/// How long after its time a reminder may still be sent.
pub const GRACE: SignedDuration = SignedDuration::from_hours(3);

/// Hours in which a clinic sends nothing, from `from` up to but not including
/// `to`. It may wrap around midnight; the same time twice means no quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// The first quiet minute.
    pub from: Time,
    /// The first minute that is not quiet.
    pub to: Time,
}

impl Default for QuietHours {
    /// 21:00 to 07:00.
    fn default() -> Self {
        Self { from: Time::constant(21, 0, 0, 0), to: Time::constant(7, 0, 0, 0) }
    }
}

impl QuietHours {
    /// Whether a local time lies in them.
    pub fn contains(&self, time: Time) -> bool {
        if self.from <= self.to { self.from <= time && time < self.to } else { time >= self.from || time < self.to }
    }
}

/// Why a reminder rule is not taken, as the patient reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// More than three times.
    #[error("Choose up to 3 times a day.")]
    TooManyTimes,
    /// A time in the clinic's quiet hours, at which nothing would ever come.
    #[error("The clinic sends nothing between {from} and {to}. Choose another time.", from = hours(.0.from), to = hours(.0.to))]
    Quiet(QuietHours),
}

fn hours(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// When a patient wants to be reminded, in the patient's own civil time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReminderRule {
    /// Up to three local times; none means no reminders.
    pub times: Vec<Time>,
    /// On which weekdays.
    pub weekdays: Weekdays,
    /// The patient's zone.
    pub zone: Zone,
    /// The clinic's quiet hours.
    pub quiet: QuietHours,
    /// The last day without reminders, inclusive, if the patient paused them.
    pub paused_until: Option<Date>,
}

/// A reminder that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Due {
    /// The patient's civil date: with `time`, what makes it this reminder and no other.
    pub date: Date,
    /// The time the patient chose.
    pub time: Time,
    /// The instant at which that is.
    pub at: Timestamp,
}

tagged! {
    /// Why a reminder that was planned is not sent.
    "reason for not sending"
    pub enum NoticeSkip {
        /// Every session of that day is logged already.
        Logged = "logged",
        /// No program asks for a session on that day any more.
        NotActive = "not_active",
        /// The patient wants no more reminders.
        Unsubscribed = "unsubscribed",
        /// It would arrive in the clinic's quiet hours.
        Quiet = "quiet",
        /// Its time has passed by too much, or a later one has taken its place.
        Expired = "expired",
        /// The patient paused reminders.
        Paused = "paused",
        /// The patient's record was closed.
        Closed = "closed",
        /// The mail server refused the address before, so no reminders go to it.
        Refused = "refused",
        /// It waited when a backup was made, and after the restore it was decided not to send it.
        LeftOut = "left_out",
    }
}

/// How things stand for the patient on the reminder's date, at the moment of
/// sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Sessions due on that date over all programs.
    pub slots: u32,
    /// Of these, how many are logged already.
    pub logged: u32,
    /// Whether the patient has unsubscribed.
    pub unsubscribed: bool,
}

impl Standing {
    /// Counts a date over the patient's programs. `logged` says how many logs a
    /// program has on that date, whatever was done in them: who skipped and
    /// said why has answered. Logs beyond a program's own slots fill nobody
    /// else's.
    pub fn on(date: Date, programs: &[Program], logged: impl Fn(ProgramId) -> u32, unsubscribed: bool) -> Self {
        let (mut slots, mut filled) = (0, 0);
        for program in programs {
            let due = u32::from(program.slots_on(date));
            slots += due;
            filled += logged(program.id).min(due);
        }
        Self { slots, logged: filled, unsubscribed }
    }
}

/// What to do with a reminder now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Send it.
    Send,
    /// Its time has not come (the clock was set back).
    Wait,
    /// Never send it, and say why.
    Skip(NoticeSkip),
}

/// How far ahead to look: a week, and a week more for a weekday whose date a
/// zone left out when it crossed the date line.
const HORIZON_DAYS: i32 = 15;

impl ReminderRule {
    /// A rule as a patient may choose it: times sorted, each once, at most
    /// three, none of them in quiet hours.
    pub fn new(
        mut times: Vec<Time>,
        weekdays: Weekdays,
        zone: Zone,
        quiet: QuietHours,
        paused_until: Option<Date>,
    ) -> Result<Self, RuleError> {
        times.sort_unstable();
        times.dedup();
        if times.len() > MAX_TIMES {
            return Err(RuleError::TooManyTimes);
        }
        if times.iter().any(|time| quiet.contains(*time)) {
            return Err(RuleError::Quiet(quiet));
        }
        Ok(Self { times, weekdays, zone, quiet, paused_until })
    }

    /// The rule's dues on one civil date of its zone, in no particular order.
    pub fn dues_on(&self, date: Date) -> impl Iterator<Item = Due> {
        let wanted =
            self.weekdays.contains(date.weekday()) && self.paused_until.is_none_or(|until| date > until) && self.zone.has(date);
        self.times
            .iter()
            .filter(move |_| wanted)
            .map(move |time| Due { date, time: *time, at: self.zone.instant(date, *time) })
            .filter(|due| {
                // A time in a gap arrives later than it was chosen for.
                !self.quiet.contains(due.time) && !self.quiet.contains(self.zone.time(due.at))
            })
    }
}

/// The first reminder of the rule strictly after an instant; `None` when it
/// has no times or no days. A time that does not exist on a day moves forward
/// by the gap, a time that exists twice is the first of the two (RFC 5545).
pub fn next_due(rule: &ReminderRule, after: Timestamp) -> Option<Due> {
    if rule.times.is_empty() || rule.weekdays.is_empty() {
        return None;
    }
    // A due of yesterday's date can lie after an instant of today only in a
    // gap at midnight, but then it does.
    let mut date = rule.zone.date(after).yesterday().ok()?;
    if let Some(until) = rule.paused_until {
        date = date.max(until);
    }
    let end = date.checked_add((HORIZON_DAYS + 1).days()).unwrap_or(Date::MAX);
    let mut found: Option<Due> = None;
    while date <= end {
        let next = rule.dues_on(date).filter(|due| due.at > after).min_by_key(|due| (due.at, due.time));
        match (found, next) {
            // In a gap at midnight, yesterday's last and today's first change places.
            (Some(best), Some(next)) if next.at < best.at => found = Some(next),
            (Some(_), _) => return found,
            (None, next) => found = next,
        }
        date = date.tomorrow().ok()?;
    }
    found
}

/// Whether a later time of the rule comes at the very same instant, as a gap can bring about; that one is sent.
fn has_twin(rule: &ReminderRule, due: &Due) -> bool {
    let later = |other: &Due| other.at == due.at && (other.date, other.time) > (due.date, due.time);
    [Some(due.date), due.date.tomorrow().ok()].into_iter().flatten().any(|date| rule.dues_on(date).any(|other| later(&other)))
}

/// Whether a due reminder is still wanted at the moment of sending.
pub fn decide(rule: &ReminderRule, due: &Due, standing: &Standing, now: Timestamp) -> Decision {
    if standing.unsubscribed {
        return Decision::Skip(NoticeSkip::Unsubscribed);
    }
    if now < due.at {
        return Decision::Wait;
    }
    // After an outage a patient gets one reminder, the newest, not a pile.
    let superseded = next_due(rule, due.at).is_some_and(|next| next.at <= now) || has_twin(rule, due);
    if now.duration_since(due.at) > GRACE || superseded {
        return Decision::Skip(NoticeSkip::Expired);
    }
    if rule.paused_until.is_some_and(|until| due.date <= until) {
        return Decision::Skip(NoticeSkip::Paused);
    }
    if standing.slots == 0 {
        return Decision::Skip(NoticeSkip::NotActive);
    }
    if standing.logged >= standing.slots {
        return Decision::Skip(NoticeSkip::Logged);
    }
    if rule.quiet.contains(rule.zone.time(now)) {
        return Decision::Skip(NoticeSkip::Quiet);
    }
    Decision::Send
}
