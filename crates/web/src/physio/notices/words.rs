//! What became of a mail, in words for the clinic.

use domain::{
    person::{Email, Zone},
    reminder::NoticeSkip,
    reminder_story::{DayStory, Fate, Nothing, Told},
};
use jiff::{Timestamp, civil::Date};
use render::{
    formats::{day_long, day_medium, day_with_weekday, hour},
    pages::story::{DayTold, Line},
    words::Language,
};
use store::{
    notice::{Asked, Attempt, Counts, Notice, Sender, State},
    outbox::Kind,
};

use super::view::{reason, status};

const EN: Language = Language::En;

/// "Mon 23 Nov, 08:00".
pub(super) fn moment(zone: &Zone, at: Timestamp) -> String {
    format!("{}, {}", day_with_weekday(EN, zone.date(at)), hour(EN, zone.time(at)))
}

/// The name of a kind of mail.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Invitation => "Invitation",
        Kind::PasswordReset => "New password",
        Kind::ProgramAssigned => "New program",
        Kind::SessionReminder => "Session reminder",
        Kind::Test => "Test mail",
        Kind::Answer => "Answer to a note",
    }
}

/// "12 already logged", for each reason there is.
pub(super) fn reasons(counts: &Counts) -> Vec<String> {
    counts.reasons.iter().map(|(why, count)| format!("{count} {}", reason(*why))).collect()
}

/// What became of a notice, in a sentence or two. The server's words stand beside it.
pub(super) fn fate(notice: &Notice, zone: &Zone, sender: &Sender) -> String {
    let when = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(" {}", moment(zone, at)));
    let again =
        notice.resent.as_ref().map(|(name, at)| format!(" Sent again by {name}, {}.", moment(zone, *at))).unwrap_or_default();
    let text = match notice.state {
        State::Pending if notice.kind == Kind::SessionReminder && sender.held_since.is_some() => {
            "Held back since the data was restored.".to_owned()
        }
        State::Pending if sender.paused.is_some() => "Waits until the mail server takes mail again.".to_owned(),
        State::Pending if notice.attempts > 0 && notice.resent.is_none() => {
            format!("Not sent yet; tried again {}.", moment(zone, notice.next_at))
        }
        State::Pending => "Waits for its turn.".to_owned(),
        State::Claimed => "It is being written.".to_owned(),
        State::Sending => "It is being handed over to the mail server.".to_owned(),
        State::Sent => format!("Taken by the mail server{}.", when(notice.settled_at)),
        State::Skipped => notice.reason.map_or_else(|| "It was not wanted any more.".to_owned(), |why| skipped(why).to_owned()),
        State::Dead => format!("It could not be delivered{}.", when(notice.settled_at)),
        State::Unknown => {
            format!("The mail server did not say whether it took it{}. It may or may not have arrived.", when(notice.settled_at))
        }
    };
    format!("{text}{again}")
}

fn skipped(why: NoticeSkip) -> &'static str {
    match why {
        NoticeSkip::Logged => "The session was logged already.",
        NoticeSkip::NotActive => "No session was due that day.",
        NoticeSkip::Unsubscribed => "The patient wants no reminders.",
        NoticeSkip::Quiet => "It would have come in the clinic’s quiet hours.",
        NoticeSkip::Expired => "Too late: its time was more than three hours ago, or a later one took its place.",
        NoticeSkip::Paused => "The patient had paused reminders.",
        NoticeSkip::Closed => "The patient’s record was closed.",
        NoticeSkip::Refused => "The mail server refused this address before, so no reminders go to it.",
        NoticeSkip::LeftOut => "Left out by the clinic after the data was restored: it may have gone out before.",
    }
}

/// Exactly what another attempt may do.
pub(super) fn warning(notice: &Notice, to: &Email) -> String {
    let mut text = match (notice.state, notice.kind) {
        (State::Unknown, _) => {
            "If the first one did arrive after all, this will be a second mail. Ask the person first, if you can.".to_owned()
        }
        (_, Kind::Invitation | Kind::PasswordReset) => "The first one did not arrive. This one brings a fresh link.".to_owned(),
        _ => "The first one did not arrive, so nobody gets it twice.".to_owned(),
    };
    if notice.kind == Kind::SessionReminder {
        text.push_str(" It is left out if the session has been logged meanwhile.");
    }
    if *to != notice.recipient {
        text.push_str(&format!(" It goes to their present address, not to {}.", notice.recipient));
    }
    text
}

/// Why a wish changed nothing.
pub(super) fn moved(notice: &Notice, zone: &Zone) -> String {
    match (&notice.resent, notice.state) {
        (Some((name, at)), State::Pending | State::Claimed | State::Sending) => {
            format!("{name} has sent it again already, {}. It is on its way once.", moment(zone, *at))
        }
        (Some((name, at)), _) => {
            format!(
                "{name} has sent it again already, {}. Look at what became of it before you send it once more.",
                moment(zone, *at)
            )
        }
        (None, State::Sent) => "It turned out to be sent, so it was not sent again.".to_owned(),
        (None, _) => "It has changed since you looked. Nothing was sent; please look at it again.".to_owned(),
    }
}

/// How an attempt ended.
pub(super) fn attempt(attempt: &Attempt) -> String {
    let phase = match attempt.phase.as_str() {
        "compose" => "while the mail was written",
        "connect" | "greeting" | "ehlo" | "tls" => "while connecting to the mail server",
        "auth" => "at the mail server’s sign-in",
        "mail" => "when the mail server heard who it is from",
        "rcpt" => "when the mail server heard whom it is for",
        "data" => "when the mail was to be handed over",
        "dot" => "after the mail was handed over",
        _ => "",
    };
    let end = match attempt.outcome.as_str() {
        "sent" => return "taken by the mail server".to_owned(),
        "retry" => "not taken, to be tried again",
        "dead" | "refused" => "refused for good",
        "unknown" => "no answer",
        other => other,
    };
    if phase.is_empty() { end.to_owned() } else { format!("{end}, {phase}") }
}

/// The answer for one day.
pub(super) fn day(asked: &Asked, story: &DayStory, other: &[Line]) -> DayTold {
    let zone = &asked.patient.zone;
    let address = asked.patient.email.as_ref().map_or("", |email| email.as_str());
    DayTold {
        day: format!("{} {}", day_long(EN, story.date), story.date.year()),
        nothing: story.nothing.map(|why| format!("No reminder. {}", nothing(why, zone, story.date, address))),
        lines: story.times.iter().map(|(time, told)| line(hour(EN, *time), told, zone, story.date, address)).collect(),
        other: other.to_vec(),
    }
}

fn line(time: String, told: &Told, zone: &Zone, date: Date, address: &str) -> Line {
    let at = |at: Timestamp| time_or_moment(zone, at, date);
    let (state, text, reply) = match told {
        Told::Planned(_) => {
            return Line {
                time,
                label: "Planned".to_owned(),
                tone: "quiet",
                icon: "clock",
                text: format!("It will go to {address}, unless the session is logged before."),
                reply: None,
            };
        }
        Told::Nothing(why) => {
            return Line {
                time,
                label: "None".to_owned(),
                tone: "quiet",
                icon: "",
                text: nothing(*why, zone, date, address),
                reply: None,
            };
        }
        Told::Queued { due_at: _, fate, logged_at } => match fate {
            Fate::Waiting { next_at, attempts: 0, .. } => {
                (State::Pending, format!("It waits for its turn, {}.", at(*next_at)), None)
            }
            Fate::Waiting { next_at, attempts, reply } => {
                (State::Pending, format!("Tried {}, not sent yet; tried again {}.", times(*attempts), at(*next_at)), reply.clone())
            }
            Fate::Sending => (State::Sending, "It is being handed over to the mail server.".to_owned(), None),
            Fate::Sent { at: sent, reply } => (State::Sent, format!("The mail server took it at {}.", at(*sent)), reply.clone()),
            Fate::Skipped(why) => {
                let text = match (why, logged_at) {
                    (NoticeSkip::Logged, Some(logged)) => {
                        format!("The session was logged at {}, so no reminder was needed.", at(*logged))
                    }
                    (why, _) => skipped(*why).to_owned(),
                };
                (State::Skipped, text, None)
            }
            Fate::Dead { at: failed, reply } => {
                (State::Dead, format!("It could not be delivered; that was known at {}.", at(*failed)), reply.clone())
            }
            Fate::Unknown { at: missed, reply } => (
                State::Unknown,
                format!(
                    "It was handed over at {}, and the mail server did not say whether it took it. It may or may not have arrived.",
                    at(*missed)
                ),
                reply.clone(),
            ),
        },
    };
    let look = status(state);
    Line { time, label: look.label, tone: look.tone, icon: look.icon, text, reply }
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") }
}

/// "07:40", with the day where it is another.
fn time_or_moment(zone: &Zone, at: Timestamp, date: Date) -> String {
    if zone.date(at) == date { hour(EN, zone.time(at)) } else { moment(zone, at) }
}

/// Why there is no reminder.
fn nothing(why: Nothing, zone: &Zone, date: Date, address: &str) -> String {
    let day = |date: Date| day_medium(EN, date);
    match why {
        Nothing::BeforeRecord(since) => format!("The clinic did not know the patient then; the record was made on {}.", day(since)),
        Nothing::NoAddress => "The clinic has no email address for the patient.".to_owned(),
        Nothing::CameBack => format!("Mail to {address} came back, so nothing is sent to it."),
        Nothing::Unsubscribed => "The patient has stopped reminders.".to_owned(),
        Nothing::NoHours => "The patient has chosen no hour to be reminded at.".to_owned(),
        Nothing::NotThatWeekday => format!("The patient has not chosen {}s.", render::formats::weekday(EN, date.weekday())),
        Nothing::Paused(until) => format!("The patient has paused reminders up to and including {}.", day(until)),
        Nothing::NoSuchDay => "This date was left out where the patient lives.".to_owned(),
        Nothing::Quiet => "That hour lies in the clinic’s quiet hours.".to_owned(),
        Nothing::NoProgram => "The patient has no program.".to_owned(),
        Nothing::NotStarted(start) => format!("The program starts on {}.", day(start)),
        Nothing::RestDay => "It is a rest day of the program.".to_owned(),
        Nothing::ProgramPaused(Some(until)) => format!("The program is paused up to and including {}.", day(until)),
        Nothing::ProgramPaused(None) => "The program is paused.".to_owned(),
        Nothing::ProgramFinished(last) => format!("The last program ended on {}.", day(last)),
        Nothing::Logged(at) => format!("The session was logged at {} already.", time_or_moment(zone, at, date)),
        Nothing::ChosenLater(at) => format!("This hour was chosen only afterwards, {}.", moment(zone, at)),
        Nothing::JustDue => "Its time has just come. It will be taken up within a minute.".to_owned(),
        Nothing::Held(since) => format!("Reminders are held back since {}, after the data was restored.", moment(zone, since)),
        Nothing::Unrecorded => {
            "Nothing was queued then. Hours or days were others at that time, or the server was not running.".to_owned()
        }
    }
}
