//! What became of a mail, in words for the patient. The mail server's own words are the clinic's to read.

use domain::{
    person::{Language, Zone},
    reminder::NoticeSkip,
    reminder_story::{DayStory, Fate, Nothing, Told},
};
use jiff::{Timestamp, civil::Date};
use render::{
    formats::{day_long, day_medium, day_with_weekday, hour, weekday},
    pages::story::{DayTold, Line},
    words::say,
};
use store::{
    notice::{Asked, Notice, State},
    outbox::Kind,
};

use super::words;

/// Whose mail, and in which words.
pub(super) struct Teller<'a> {
    pub(super) language: Language,
    pub(super) asked: &'a Asked,
}

impl Teller<'_> {
    fn zone(&self) -> &Zone {
        &self.asked.patient.zone
    }

    fn say(&self, key: &str) -> String {
        words(self.language, key)
    }

    fn day(&self, key: &str, date: Date) -> String {
        say(self.language, key, &[("day", day_medium(self.language, date).into())])
    }

    fn at(&self, key: &str, at: Timestamp, date: Date) -> String {
        let address = self.asked.patient.email.as_ref().map_or("", |email| email.as_str());
        say(self.language, key, &[("time", self.moment(at, date).into()), ("address", address.into())])
    }

    /// "07:40", with the day where it is another than `date`.
    fn moment(&self, at: Timestamp, date: Date) -> String {
        let time = hour(self.language, self.zone().time(at));
        let on = self.zone().date(at);
        if on == date { time } else { format!("{}, {time}", day_with_weekday(self.language, on)) }
    }

    /// The answer for one day.
    pub(super) fn day_told(&self, story: &DayStory) -> DayTold {
        let mut other: Vec<&Notice> = self
            .asked
            .notices
            .iter()
            .filter(|notice| notice.civil.is_none() && self.zone().date(notice.due_at) == story.date)
            .collect();
        other.reverse();
        DayTold {
            day: day_long(self.language, story.date),
            nothing: story.nothing.map(|why| self.nothing(why, story.date)),
            lines: story.times.iter().map(|(time, told)| self.line(hour(self.language, *time), told, story.date)).collect(),
            other: other
                .into_iter()
                .map(|notice| self.notice(notice, hour(self.language, self.zone().time(notice.due_at))))
                .collect(),
        }
    }

    /// One time of a day.
    fn line(&self, time: String, told: &Told, date: Date) -> Line {
        let (label, tone, icon, text) = match told {
            Told::Planned(_) => ("mail-planned", "quiet", "clock", self.say("fate-planned")),
            Told::Nothing(why) => ("mail-none", "quiet", "", self.nothing(*why, date)),
            Told::Queued { fate, logged_at, .. } => self.fate(fate, *logged_at, date),
        };
        Line { time, label: self.say(label), tone, icon, text, reply: None }
    }

    /// What became of a queued mail: its label's key, how that looks, and a sentence.
    fn fate(&self, fate: &Fate, logged_at: Option<Timestamp>, date: Date) -> (&'static str, &'static str, &'static str, String) {
        match fate {
            Fate::Waiting { attempts: 0, .. } => ("mail-waiting", "quiet", "clock", self.say("fate-waiting")),
            Fate::Waiting { next_at, .. } => ("mail-waiting", "quiet", "clock", self.at("fate-again", *next_at, date)),
            Fate::Sending => ("mail-sending", "quiet", "mail", self.say("fate-sending")),
            Fate::Sent { at, .. } => ("mail-sent", "", "check", self.at("fate-sent", *at, date)),
            Fate::Skipped(why) => {
                let text = match (why, logged_at) {
                    (NoticeSkip::Logged, Some(at)) => self.at("fate-logged", at, date),
                    (NoticeSkip::Logged, None) => self.say("fate-logged-before"),
                    (NoticeSkip::NotActive, _) => self.say("fate-not-active"),
                    (NoticeSkip::Unsubscribed, _) => self.say("fate-unsubscribed"),
                    (NoticeSkip::Quiet, _) => self.say("fate-quiet"),
                    (NoticeSkip::Expired, _) => self.say("fate-expired"),
                    (NoticeSkip::Paused, _) => self.say("fate-paused"),
                    (NoticeSkip::Closed, _) => self.say("fate-closed"),
                    (NoticeSkip::Refused, _) => self.say("fate-refused"),
                    (NoticeSkip::LeftOut, _) => self.say("fate-left-out"),
                };
                ("mail-not-sent", "quiet", "", text)
            }
            Fate::Dead { at, .. } => ("mail-failed", "warn", "warning", self.at("fate-dead", *at, date)),
            Fate::Unknown { .. } => ("mail-unknown", "warn", "info", self.say("fate-unknown")),
        }
    }

    /// Why there is no reminder.
    pub(super) fn nothing(&self, why: Nothing, date: Date) -> String {
        match why {
            Nothing::BeforeRecord(_) => self.say("why-before-record"),
            Nothing::NoAddress => self.say("why-no-address"),
            Nothing::CameBack => self.say("why-came-back"),
            Nothing::Unsubscribed => self.say("why-unsubscribed"),
            Nothing::NoHours => self.say("why-no-hours"),
            Nothing::NotThatWeekday => say(self.language, "why-weekday", &[("day", weekday(self.language, date.weekday()).into())]),
            Nothing::Paused(until) => self.day("why-paused", until),
            Nothing::NoSuchDay => self.say("why-no-day"),
            Nothing::Quiet => self.say("why-quiet"),
            Nothing::NoProgram => self.say("why-no-program"),
            Nothing::NotStarted(start) => self.day("why-not-started", start),
            Nothing::RestDay => self.say("why-rest"),
            Nothing::ProgramPaused(None) => self.say("why-program-paused"),
            Nothing::ProgramPaused(Some(until)) => self.day("why-program-paused-until", until),
            Nothing::ProgramFinished(last) => self.day("why-finished", last),
            Nothing::Logged(at) => self.at("why-logged", at, date),
            Nothing::ChosenLater(at) => {
                let on = self.zone().date(at);
                let args =
                    [("day", day_medium(self.language, on).into()), ("time", hour(self.language, self.zone().time(at)).into())];
                say(self.language, "why-chosen-later", &args)
            }
            Nothing::JustDue => self.say("why-just-due"),
            Nothing::Held(_) => self.say("why-held"),
            Nothing::Unrecorded => self.say("why-unrecorded"),
        }
    }

    /// One mail of the list, `when` as it is to be shown.
    pub(super) fn notice(&self, notice: &Notice, when: String) -> Line {
        let (at, reply) = (notice.settled_at.unwrap_or(notice.due_at), None);
        let fate = match notice.state {
            State::Pending | State::Claimed => Fate::Waiting { next_at: notice.next_at, attempts: notice.attempts, reply },
            State::Sending => Fate::Sending,
            State::Sent => Fate::Sent { at, reply },
            State::Skipped => Fate::Skipped(notice.reason.unwrap_or(NoticeSkip::Expired)),
            State::Dead => Fate::Dead { at, reply },
            State::Unknown => Fate::Unknown { at, reply },
        };
        let date = notice.civil.map_or_else(|| self.zone().date(notice.due_at), |(date, _)| date);
        let logged_at = (fate == Fate::Skipped(NoticeSkip::Logged)).then(|| self.asked.logged_at(date)).flatten();
        let (label, tone, icon, text) = self.fate(&fate, logged_at, date);
        let kind = match notice.kind {
            Kind::Invitation => "mail-kind-invitation",
            Kind::PasswordReset => "mail-kind-password",
            Kind::ProgramAssigned => "mail-kind-program",
            Kind::SessionReminder => "mail-kind-reminder",
            Kind::Test => "mail-kind-test",
            Kind::Answer => "mail-kind-answer",
        };
        let text = say(self.language, "mail-line", &[("kind", self.say(kind).into()), ("what", text.into())]);
        Line { time: when, label: self.say(label), tone, icon, text, reply: None }
    }

    /// One mail of the list of the last days.
    pub(super) fn listed(&self, notice: &Notice) -> Line {
        let (date, time) = notice.civil.unwrap_or_else(|| (self.zone().date(notice.due_at), self.zone().time(notice.due_at)));
        self.notice(notice, format!("{}, {}", day_with_weekday(self.language, date), hour(self.language, time)))
    }
}
