//! The mail the clinic sent, did not send, or could not send.

use serde::Serialize;

use crate::{
    Crumb, Field, Page,
    attention::Status,
    forms::Choice,
    pages::{
        physio::caseload::{Empty, Filter},
        story::DayTold,
    },
};

/// `GET /notices`.
#[derive(Debug, Clone, Serialize)]
pub struct Notices {
    /// "Mail", or "Mail to Wei Ling".
    pub title: String,
    /// The way here from the patient's page; empty for the whole clinic.
    pub crumbs: Vec<Crumb>,
    /// "The last 30 days: 312 sent, 1 failed."
    pub summary: String,
    /// What holds mail back at present.
    pub banners: Vec<Banner>,
    /// Addresses that were given up because the mail server refused them, by day, the newest first.
    pub refused: Vec<RefusedDay>,
    /// Mail that was queued before a restore and waits to be decided upon, oldest first.
    pub held: Vec<HeldMail>,
    /// Mail of whom, and the question about one day; `None` for the whole clinic.
    pub asked: Option<Ask>,
    /// What was searched for, as typed.
    pub search: String,
    /// Whom the search found, when it found more than one.
    pub found: Vec<Found>,
    /// What to say of a search that found nobody.
    pub found_none: Option<String>,
    /// The states, each with its count.
    pub filters: Vec<Filter>,
    /// The kind chosen.
    pub kind: Field,
    /// The kinds to choose from, "all" first.
    pub kinds: Vec<Choice>,
    /// Hidden fields that keep the other choices.
    pub keep: Vec<(String, String)>,
    /// Why mail was not needed: "12 already logged".
    pub reasons: Vec<String>,
    /// The mail, newest first.
    pub rows: Vec<Row>,
    /// What to say when there is none.
    pub empty: Option<Empty>,
    /// Where the list goes on.
    pub older: Option<String>,
    /// The beginning of the list, when it is not shown.
    pub newest: Option<String>,
}

/// Something that holds mail back.
#[derive(Debug, Clone, Serialize)]
pub struct Banner {
    /// What.
    pub title: String,
    /// What it means and what to do.
    pub text: String,
    /// The server's own words.
    pub words: Option<String>,
}

/// A mail that was queued before a restore.
#[derive(Debug, Clone, Serialize)]
pub struct HeldMail {
    /// Its id.
    pub id: String,
    /// "Invitation to weiling@demo.test".
    pub label: String,
    /// Whom it is about, where that is a patient.
    pub who: Option<String>,
    /// "Mon 23 Nov, 08:10".
    pub queued: String,
}

/// Addresses that were given up on one day.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedDay {
    /// The day, as `2026-11-23`.
    pub day: String,
    /// "Mon 23 Nov".
    pub title: String,
    /// The addresses.
    pub addresses: Vec<RefusedAddress>,
}

/// An address that was given up.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedAddress {
    /// The address.
    pub address: String,
    /// Whose it is, where that is known.
    pub who: Option<String>,
    /// "Mon 23 Nov, 08:10".
    pub since: String,
    /// The mail server's own words.
    pub words: String,
}

/// The mail of one patient, and the question about one day.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    /// The patient's id, as the form sends it.
    pub patient: String,
    /// What keeps mail from the patient's address at present.
    pub blocked: Option<Banner>,
    /// Where that can be put right.
    pub change: Option<Link>,
    /// The day asked about, as `2026-11-23`.
    pub date: Field,
    /// The answer.
    pub told: Option<DayTold>,
}

/// A patient that a search found.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The name.
    pub name: String,
    /// The address, if there is one.
    pub email: Option<String>,
    /// Their mail.
    pub href: String,
}

/// One mail.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Where the page can be opened at it.
    pub id: String,
    /// Whom it is for.
    pub who: String,
    /// The patient's page, for patients.
    pub who_href: Option<String>,
    /// Where it goes, or went.
    pub address: String,
    /// "Session reminder".
    pub kind: String,
    /// "for Mon 23 Nov, 08:00".
    pub what: Option<String>,
    /// When it was due, in the clinic's zone.
    pub due: String,
    /// Where it stands.
    pub status: Status,
    /// What that means.
    pub text: String,
    /// The mail server's own words.
    pub reply: Option<String>,
    /// "2 attempts".
    pub attempts_label: String,
    /// Each of them; empty where there is nothing more to say.
    pub attempts: Vec<AttemptLine>,
    /// Another attempt, where one may be made.
    pub resend: Option<ResendForm>,
    /// Why no other attempt can be made.
    pub no_resend: Option<String>,
    /// Where the patient's address is changed, when it is the address that stands in the way.
    pub change: Option<Link>,
}

/// A page that helps.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// "Change the address".
    pub label: String,
    /// The page.
    pub href: String,
}

/// One attempt to send.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptLine {
    /// When.
    pub at: String,
    /// How it ended.
    pub text: String,
    /// What was said.
    pub reply: Option<String>,
}

/// The wish for another attempt.
#[derive(Debug, Clone, Serialize)]
pub struct ResendForm {
    /// Where the form is sent.
    pub action: String,
    /// How many attempts the reader saw.
    pub seen: u32,
    /// Hidden fields that lead back here.
    pub patient: Option<String>,
    /// Exactly what may happen.
    pub warning: String,
    /// The mail that came back, which somebody has to answer for first.
    pub came_back: Option<String>,
    /// What is wrong with the answer.
    pub checked_error: String,
    /// "Send again to weiling@demo.test".
    pub label: String,
}

impl Page for Notices {
    const TEMPLATE: &'static str = "pages/physio/notices.html";

    fn samples() -> Vec<Self> {
        let filter = |label: &str, count: usize, current| Filter {
            label: label.into(),
            count: Some(count),
            href: "/notices".into(),
            current,
        };
        let sent = Row {
            id: "0199".into(),
            who: "Wei Ling".into(),
            who_href: Some("/patients/0199".into()),
            address: "weiling@demo.test".into(),
            kind: "Session reminder".into(),
            what: Some("for Mon 23 Nov, 08:00".into()),
            due: "Mon 23 Nov, 08:00".into(),
            status: Status { label: "Sent".into(), tone: "", icon: "check" },
            text: "Taken by the mail server on Mon 23 Nov, 08:00.".into(),
            reply: Some("250 2.0.0 Ok: queued as 4F1A".into()),
            attempts_label: "1 attempt".into(),
            attempts: Vec::new(),
            resend: None,
            no_resend: None,
            change: None,
        };
        let change = Link { label: "Change the address".into(), href: "/patients/0199/edit".into() };
        let dead = Row {
            id: "0198".into(),
            who_href: None,
            kind: "Invitation".into(),
            what: None,
            status: Status { label: "Failed".into(), tone: "pain", icon: "warning" },
            text: "It cannot be delivered.".into(),
            reply: Some("550 5.1.1 no such user".into()),
            attempts_label: "2 attempts".into(),
            attempts: vec![AttemptLine {
                at: "Mon 23 Nov, 08:00".into(),
                text: "Refused for good".into(),
                reply: Some("550 5.1.1 no such user".into()),
            }],
            resend: Some(ResendForm {
                action: "/notices/0198/resend".into(),
                seen: 2,
                patient: Some("0199".into()),
                warning: "It was refused, so nobody gets it twice.".into(),
                came_back: Some("Mail to weiling@demo.test came back: 550 5.1.1 no such user. Check the address first.".into()),
                checked_error: "Tick this first.".into(),
                label: "Send again to weiling@demo.test".into(),
            }),
            change: Some(change.clone()),
            ..sent.clone()
        };
        let late = Row { no_resend: Some("Too late to send it again.".into()), resend: None, ..dead.clone() };
        let page = Self {
            title: "Mail".into(),
            crumbs: Vec::new(),
            summary: "312 sent in the last 30 days.".into(),
            banners: Vec::new(),
            refused: Vec::new(),
            held: Vec::new(),
            asked: None,
            search: String::new(),
            found: Vec::new(),
            found_none: None,
            filters: vec![filter("All", 315, true), filter("Sent", 312, false), filter("Failed", 1, false)],
            kind: Field::holding("all"),
            kinds: vec![Choice::new("all", "All mail"), Choice::new("reminder", "Session reminders")],
            keep: Vec::new(),
            reasons: vec!["12 already logged".into()],
            rows: vec![sent, dead, late],
            empty: None,
            older: Some("/notices?before=0198".into()),
            newest: None,
        };
        let [told, none] = DayTold::samples();
        let ask = Ask { patient: "0199".into(), blocked: None, change: None, date: Field::holding("2026-11-23"), told: Some(told) };
        let away = Banner {
            title: "The mail server is away".into(),
            text: "Mail waits and goes out when it answers again.".into(),
            words: Some("Connection refused".into()),
        };
        let refused = |address: &str, who: Option<&str>| RefusedAddress {
            address: address.into(),
            who: who.map(Into::into),
            since: "Mon 23 Nov, 08:10".into(),
            words: "550 5.1.1 no such user".into(),
        };
        let refused = vec![RefusedDay {
            day: "2026-11-23".into(),
            title: "Mon 23 Nov".into(),
            addresses: vec![refused("weiling@demo.test", Some("Wei Ling")), refused("old@demo.test", None)],
        }];
        vec![
            page.clone(),
            Self { refused, ..page.clone() },
            Self {
                held: vec![
                    HeldMail {
                        id: "0198".into(),
                        label: "Invitation to weiling@demo.test".into(),
                        who: Some("Wei Ling".into()),
                        queued: "Mon 23 Nov, 08:10".into(),
                    },
                    HeldMail {
                        id: "0199".into(),
                        label: "New password to hannah@demo.test".into(),
                        who: None,
                        queued: "Mon 23 Nov, 08:12".into(),
                    },
                ],
                ..page.clone()
            },
            Self { banners: vec![away.clone()], newest: Some("/notices".into()), older: None, ..page.clone() },
            Self {
                title: "Mail to Wei Ling".into(),
                crumbs: vec![Crumb::to("Wei Ling", "/patients/0199"), Crumb::here("Mail")],
                asked: Some(Ask { blocked: Some(away), change: Some(change), ..ask.clone() }),
                keep: vec![("patient".into(), "0199".into())],
                ..page.clone()
            },
            Self { asked: Some(Ask { told: Some(none), ..ask }), ..page.clone() },
            Self {
                search: "wei".into(),
                found: vec![Found { name: "Wei Ling".into(), email: None, href: "/notices?patient=0199".into() }],
                ..page.clone()
            },
            Self { search: "zzz".into(), found_none: Some("Nobody found.".into()), ..page.clone() },
            Self {
                rows: Vec::new(),
                reasons: Vec::new(),
                empty: Some(Empty { title: "No mail yet".into(), text: "It shows up here.".into(), invite: false }),
                ..page
            },
        ]
    }
}
