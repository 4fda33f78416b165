//! From the queue's rows to the page.

use domain::{
    ids::{NoticeId, PatientId},
    person::Zone,
    reminder::{GRACE, NoticeSkip},
};
use jiff::{Timestamp, civil::Date};
use render::{
    attention::Status,
    formats::{day_with_weekday, hour},
    forms::Choice,
    pages::{
        physio::{
            caseload::{Empty, Filter},
            notices::{AttemptLine, Banner, Link, RefusedDay, ResendForm, Row},
        },
        story::Line,
    },
    words::Language,
};
use store::{
    notice::{Asked, Attempt, Counts, HeldMail, Notice, RefusedAddress, Sender, State},
    outbox::Kind,
};

use super::{Wanted, words};

const EN: Language = Language::En;

/// The states as people tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    All,
    Waiting,
    Sending,
    Sent,
    NotNeeded,
    Failed,
    Unknown,
}

impl States {
    const EVERY: [Self; 7] = [Self::All, Self::Waiting, Self::Sending, Self::Sent, Self::NotNeeded, Self::Failed, Self::Unknown];

    /// What an address says; all for anything else.
    pub(super) fn of(tag: &str) -> Self {
        Self::EVERY.into_iter().find(|states| states.tag() == tag).unwrap_or(Self::All)
    }

    fn tag(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::NotNeeded => "not-needed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Waiting => "Waiting",
            Self::Sending => "Being sent",
            Self::Sent => "Sent",
            Self::NotNeeded => "Not needed",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }

    pub(super) fn states(self) -> &'static [State] {
        match self {
            Self::All => &State::ALL,
            Self::Waiting => &[State::Pending],
            Self::Sending => &[State::Claimed, State::Sending],
            Self::Sent => &[State::Sent],
            Self::NotNeeded => &[State::Skipped],
            Self::Failed => &[State::Dead],
            Self::Unknown => &[State::Unknown],
        }
    }
}

/// One kind of mail, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(Option<Kind>);

impl Kinds {
    /// What an address says; all for anything else.
    pub(super) fn of(tag: &str) -> Self {
        Self(Kind::ALL.into_iter().find(|kind| kind.tag() == tag))
    }

    pub(super) fn tag(self) -> &'static str {
        self.0.map_or("all", Kind::tag)
    }

    pub(super) fn kinds(self) -> Vec<Kind> {
        self.0.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind])
    }

    pub(super) fn choices() -> Vec<Choice> {
        let mut choices = vec![Choice::new("all", "All kinds of mail")];
        choices.extend(Kind::ALL.into_iter().map(|kind| Choice::new(kind.tag(), words::kind(kind))));
        choices
    }
}

/// How the rows are looked at.
pub(super) struct View<'a> {
    pub(super) zone: &'a Zone,
    pub(super) now: Timestamp,
    pub(super) wanted: &'a Wanted,
    pub(super) sender: &'a Sender,
    /// The notice whose wish was refused because nobody had checked the address.
    pub(super) refused: Option<NoticeId>,
}

impl View<'_> {
    pub(super) fn moment(&self, at: Timestamp) -> String {
        words::moment(self.zone, at)
    }

    pub(super) fn summary(&self, counts: Option<&Counts>, asked: Option<&Asked>) -> String {
        if let Some(asked) = asked {
            return asked.patient.email.as_ref().map_or_else(
                || "The clinic has no email address for this patient.".to_owned(),
                |email| format!("Everything sent to {email}, or not sent, newest first."),
            );
        }
        let Some(counts) = counts else { return "Nothing was sent yet.".to_owned() };
        let of = |state| counts.of(&[state]);
        let (failed, unknown) = (of(State::Dead), of(State::Unknown));
        let rest = match (failed, unknown) {
            (0, 0) => "None failed.".to_owned(),
            (failed, 0) => format!("{failed} failed."),
            (0, unknown) => format!("{unknown} unknown."),
            (failed, unknown) => format!("{failed} failed, {unknown} unknown."),
        };
        format!("{} sent in the last 30 days. {rest}", of(State::Sent))
    }

    /// What holds mail back, whoever it is for.
    pub(super) fn banners(&self) -> Vec<Banner> {
        let mut banners = Vec::new();
        if let Some((since, reason)) = &self.sender.paused {
            banners.push(if self.sender.refuses_everybody { Banner {
                title: format!("The mail server has refused one recipient after another since {}.", self.moment(*since)),
                text: "That is hardly true of all of them, so sending pauses and no address is given up for it. Mail waits here and is \
                       tried again by itself; a reminder that would come more than three hours late is left out. Whoever runs the \
                       server should look at it."
                    .to_owned(),
                words: (!reason.is_empty()).then(|| reason.clone()),
            } } else { Banner {
                title: format!("The mail server has taken no mail since {}.", self.moment(*since)),
                text: "Nothing is lost: mail waits here and is tried again by itself. A reminder that would come more than three hours \
                       late is left out. If this lasts, whoever runs the server should look at it."
                    .to_owned(),
                words: (!reason.is_empty()).then(|| reason.clone()),
            } });
        }
        if let Some(since) = self.sender.held_since {
            banners.push(Banner {
                title: format!("Reminders are held back since {}, after the data was restored.", self.moment(since)),
                text: "Some may have gone out before, so none is sent until whoever runs the server has released them \
                       (homestretch reminders release)."
                    .to_owned(),
                words: None,
            });
        }
        if self.sender.account_mail_waits {
            banners.push(Banner {
                title: "Mail that waited when the data was backed up is held back.".to_owned(),
                text: "It may have gone out before, so none is sent until you have decided below what is sent and what is left out. What is \
                       asked for now goes out."
                    .to_owned(),
                words: None,
            });
        }
        banners
    }

    /// Mail that was queued before a restore.
    pub(super) fn held(&self, held: &[HeldMail]) -> Vec<render::pages::physio::notices::HeldMail> {
        held.iter()
            .map(|mail| render::pages::physio::notices::HeldMail {
                id: mail.id.to_string(),
                label: format!("{} to {}", words::kind(mail.kind), mail.recipient),
                who: mail.patient.clone(),
                queued: self.moment(mail.queued),
            })
            .collect()
    }

    /// Addresses that were given up, by the day on which.
    pub(super) fn refused_addresses(&self, refused: &[RefusedAddress]) -> Vec<RefusedDay> {
        let mut days: Vec<RefusedDay> = Vec::new();
        for one in refused {
            let date = self.zone.date(one.since);
            let day = date.to_string();
            if days.last().is_none_or(|last| last.day != day) {
                days.push(RefusedDay { day, title: day_with_weekday(EN, date), addresses: Vec::new() });
            }
            if let Some(last) = days.last_mut() {
                last.addresses.push(render::pages::physio::notices::RefusedAddress {
                    address: one.address.as_str().to_owned(),
                    who: one.patient.as_ref().map(|(_, name)| name.clone()),
                    since: self.moment(one.since),
                    words: one.words.clone(),
                });
            }
        }
        days
    }

    pub(super) fn filters(&self, counts: Option<&Counts>) -> Vec<Filter> {
        let current = States::of(&self.wanted.state);
        States::EVERY
            .into_iter()
            .map(|states| Filter {
                label: states.label().to_owned(),
                count: counts.map(|counts| usize::try_from(counts.of(states.states())).unwrap_or(usize::MAX)),
                href: self.href(states, None),
                current: states == current && self.refused.is_none(),
            })
            .collect()
    }

    /// The page with other states or further on, everything else kept.
    pub(super) fn href(&self, states: States, before: Option<NoticeId>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.wanted.patient.is_empty() {
            query.append_pair("patient", &self.wanted.patient);
        }
        if states != States::All {
            query.append_pair("state", states.tag());
        }
        if let Kinds(Some(kind)) = Kinds::of(&self.wanted.kind) {
            query.append_pair("kind", kind.tag());
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/notices".to_owned(),
            query => format!("/notices?{query}"),
        }
    }

    pub(super) fn keep(&self) -> Vec<(String, String)> {
        let mut keep = Vec::new();
        if !self.wanted.patient.is_empty() {
            keep.push(("patient".to_owned(), self.wanted.patient.clone()));
        }
        let states = States::of(&self.wanted.state);
        if states != States::All {
            keep.push(("state".to_owned(), states.tag().to_owned()));
        }
        keep
    }

    pub(super) fn empty(&self) -> Empty {
        let narrowed = States::of(&self.wanted.state) != States::All || Kinds::of(&self.wanted.kind).0.is_some();
        let (title, text) = match (narrowed, self.wanted.patient.is_empty()) {
            (true, _) => ("Nothing here", "No mail is like that. “All” shows the rest."),
            (false, true) => ("No mail in the last 30 days", "Invitations, news of programs and reminders show up here."),
            (false, false) => ("No mail yet", "Invitations, news of programs and reminders to this patient show up here."),
        };
        Empty { title: title.to_owned(), text: text.to_owned(), invite: false }
    }

    pub(super) fn row(&self, notice: &Notice, attempts: &[Attempt]) -> Row {
        let (who, who_href) = match (&notice.patient, &notice.member) {
            (Some((id, name, _)), _) => (name.clone(), Some(format!("/patients/{id}"))),
            (None, Some((_, name))) => (name.clone(), None),
            (None, None) => ("Somebody of the clinic".to_owned(), None),
        };
        let lines: Vec<AttemptLine> =
            attempts.iter().filter(|attempt| attempt.notice == notice.id).map(|attempt| self.attempt(attempt)).collect();
        let (resend, no_resend) = self.again(notice);
        let link = notice.patient.as_ref().filter(|_| notice.state == State::Dead).and_then(|(id, ..)| {
            match (&notice.present, &notice.blocked) {
                (Some(_), Some(_)) => Some(change(*id, "Change the address")),
                (None, _) => Some(change(*id, "Add an address")),
                (Some(_), None) => None,
            }
        });
        Row {
            id: notice.id.to_string(),
            who,
            who_href,
            address: notice.recipient.as_str().to_owned(),
            kind: words::kind(notice.kind).to_owned(),
            what: notice.civil.map(|(date, time)| format!("for {}, {}", day_with_weekday(EN, date), hour(EN, time))),
            due: self.moment(notice.due_at),
            status: status(notice.state),
            text: words::fate(notice, self.zone, self.sender),
            reply: notice.reply.clone().filter(|_| notice.state != State::Skipped),
            attempts_label: match notice.attempts {
                1 => "1 attempt".to_owned(),
                n => format!("{n} attempts"),
            },
            // One attempt that ended as the row says tells nothing more.
            attempts: if lines.len() > 1 || notice.resent.is_some() { lines } else { Vec::new() },
            resend,
            no_resend,
            change: link,
        }
    }

    fn attempt(&self, attempt: &Attempt) -> AttemptLine {
        AttemptLine { at: self.moment(attempt.at), text: words::attempt(attempt), reply: attempt.reply.clone() }
    }

    /// The form for another attempt, or why there is none. A notice that needs none has neither.
    fn again(&self, notice: &Notice) -> (Option<ResendForm>, Option<String>) {
        let no = |why: &str| (None, Some(why.to_owned()));
        if !matches!(notice.state, State::Dead | State::Unknown) {
            return (None, None);
        }
        if notice.joined {
            return no("They have joined meanwhile, so it is not needed any more.");
        }
        let to = match &notice.patient {
            Some(_) => match &notice.present {
                Some(address) => address,
                None => return no("The clinic has no address of this patient any more."),
            },
            None => &notice.recipient,
        };
        if notice.kind == Kind::SessionReminder {
            if self.now.duration_since(notice.due_at) > GRACE || notice.superseded {
                return no("Too late to send it again: a reminder is worth sending for three hours, and until the next one.");
            }
            if notice.unsubscribed {
                return no("The patient has stopped reminders since.");
            }
        }
        let form = ResendForm {
            action: format!("/notices/{}/resend", notice.id),
            seen: notice.attempts,
            patient: (!self.wanted.patient.is_empty()).then(|| self.wanted.patient.clone()),
            warning: words::warning(notice, to),
            came_back: notice
                .blocked
                .as_ref()
                .map(|reply| format!("Mail to {to} came back: {}. Check the address first.", reply.trim_end_matches('.'))),
            checked_error: if self.refused == Some(notice.id) {
                "Tick this once you have checked the address. Nothing was sent.".to_owned()
            } else {
                String::new()
            },
            label: format!("Send again to {to}"),
        };
        (Some(form), None)
    }

    /// The mail of a date that is no reminder of that date.
    pub(super) fn story_other(&self, asked: &Asked, date: Date) -> Vec<Line> {
        let zone = &asked.patient.zone;
        let mut other: Vec<&Notice> =
            asked.notices.iter().filter(|notice| notice.civil.is_none() && zone.date(notice.due_at) == date).collect();
        other.reverse();
        other
            .into_iter()
            .map(|notice| {
                let Status { label, tone, icon } = status(notice.state);
                Line {
                    time: hour(EN, zone.time(notice.due_at)),
                    label,
                    tone,
                    icon,
                    text: format!("{}. {}", words::kind(notice.kind), words::fate(notice, zone, self.sender)),
                    reply: notice.reply.clone().filter(|_| notice.state != State::Skipped),
                }
            })
            .collect()
    }
}

/// The way to the patient's record.
pub(super) fn change(patient: PatientId, label: &str) -> Link {
    Link { label: label.to_owned(), href: format!("/patients/{patient}/edit") }
}

/// How a state looks.
pub(super) fn status(state: State) -> Status {
    let (label, tone, icon) = match state {
        State::Pending => ("Waiting", "quiet", "clock"),
        State::Claimed | State::Sending => ("Being sent", "quiet", "mail"),
        State::Sent => ("Sent", "", "check"),
        State::Skipped => ("Not needed", "quiet", ""),
        State::Dead => ("Failed", "pain", "warning"),
        State::Unknown => ("Unknown", "warn", "info"),
    };
    Status { label: label.to_owned(), tone, icon }
}

/// The words of a count of skipped mail.
pub(super) fn reason(why: NoticeSkip) -> &'static str {
    match why {
        NoticeSkip::Logged => "already logged",
        NoticeSkip::NotActive => "no session due",
        NoticeSkip::Unsubscribed => "reminders stopped",
        NoticeSkip::Quiet => "quiet hours",
        NoticeSkip::Expired => "too late",
        NoticeSkip::Paused => "reminders paused",
        NoticeSkip::Closed => "record closed",
        NoticeSkip::Refused => "address refused before",
        NoticeSkip::LeftOut => "left out after a restore",
    }
}
