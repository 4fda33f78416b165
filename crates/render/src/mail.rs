//! The emails: a typed struct per kind, three templates each (`subject.txt`, `body.txt`, `body.html`).
//!
//! No health data stands in a subject or a preview text. Times come in as text, already in the reader's zone.
//! To add a kind: a struct below with [`Mail`], its folder under `templates/mail`, one line in [`all`].

use serde::Serialize;

use crate::words::Language;
use crate::{RenderError, Templates};

/// One kind of email: its fields are the variables of its three templates.
pub trait Mail: Serialize {
    /// The folder under `templates/mail`.
    const KIND: &'static str;

    /// Examples that together show every state.
    fn samples() -> Vec<Self>
    where
        Self: Sized;
}

/// A finished email, ready to be addressed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedMail {
    /// One line; holds no CR, LF or other control character, whatever anybody is called.
    pub subject: String,
    /// The plain part, complete in itself.
    pub text: String,
    /// The HTML part, styles inlined.
    pub html: String,
}

/// The clinic that a mail comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// The clinic's name.
    pub clinic: String,
    /// The telephone number as people write it, when set.
    pub phone: Option<String>,
    /// `https://wa.me/<number>`, when set.
    pub whatsapp: Option<String>,
}

/// Somebody is asked to join: a patient, or a colleague.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invitation {
    /// From which clinic.
    pub sender: Sender,
    /// The invited person's given name.
    pub name: String,
    /// Who invites them, when it is a person.
    pub inviter: Option<String>,
    /// Whether they join the clinic's staff; otherwise they are a patient.
    pub staff: bool,
    /// `/welcome/{token}`, absolute.
    pub link: String,
    /// Until when the link works: "Sunday 29 November, 14:30".
    pub expires: String,
}

/// Somebody asked for a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PasswordReset {
    /// From which clinic (or the installation's own name).
    pub sender: Sender,
    /// The person's given name.
    pub name: String,
    /// `/password/reset/{token}`, absolute.
    pub link: String,
    /// Until when the link works: "15:30".
    pub expires: String,
}

/// A program was assigned or revised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramAssigned {
    /// From which clinic.
    pub sender: Sender,
    /// The patient's given name.
    pub name: String,
    /// The physiotherapist's name.
    pub by: String,
    /// Whether it is a change to a program the patient already has.
    pub revised: bool,
    /// "5 exercises".
    pub exercises: String,
    /// "about 12 minutes".
    pub minutes: String,
    /// "Monday to Saturday".
    pub days: String,
    /// Sessions on each of those days.
    pub times_a_day: u8,
    /// The first day it holds for: "Monday 23 November".
    pub from: String,
    /// The last day: "Sunday 3 January".
    pub until: String,
    /// `/today`, absolute.
    pub link: String,
    /// The hour of the reminder, "08:00", when one is set.
    pub reminded_at: Option<String>,
}

/// A session of the day is still open at the hour the patient chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionReminder {
    /// From which clinic.
    pub sender: Sender,
    /// The patient's given name.
    pub name: String,
    /// "Sunday 22 November".
    pub today: String,
    /// "5 exercises".
    pub exercises: String,
    /// "about 12 minutes".
    pub minutes: String,
    /// The one-tap link `/go/{token}`, absolute.
    pub link: String,
    /// Until when the link works: "Tuesday 24 November, 08:00".
    pub expires: String,
    /// The hour the patient chose: "08:00".
    pub chosen: String,
    /// `/reminders`, absolute.
    pub settings: String,
    /// `/unsubscribe/{token}`, absolute.
    pub unsubscribe: String,
}

/// A patient wants to see how the reminders arrive.
///
/// It carries the same links as a reminder to change and to stop them, so that a mail program shows it as it will show those. It opens
/// no session: it may be asked for on a day without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// From which clinic.
    pub sender: Sender,
    /// The patient's given name.
    pub name: String,
    /// The hours the patient chose, "08:00 and 18:30"; `None` when there is none.
    pub times: Option<String>,
    /// The address that reminders come from, for the contacts.
    pub from: String,
    /// `/reminders`, absolute.
    pub settings: String,
    /// `/unsubscribe/{token}`, absolute.
    pub unsubscribe: String,
}

/// Tells a patient that what they wrote was answered. Neither the question nor the answer is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// From which clinic. Nobody is named: whoever of its staff answered, and two who did share one mail.
    pub sender: Sender,
    /// The patient's given name.
    pub name: String,
    /// `/today`, absolute; who answered stands there. It asks for the password.
    pub link: String,
}

/// Renders all three parts of `mail` in `language`.
///
/// # Errors
/// [`RenderError`] when a template asks for what the mail lacks: our mistake, a test finds it.
pub fn render<M: Mail>(templates: &Templates, language: Language, mail: &M) -> Result<RenderedMail, RenderError> {
    let part = |name: &str| templates.render_part(&format!("mail/{}/{name}", M::KIND), language.tag(), mail);
    Ok(RenderedMail { subject: one_line(&part("subject.txt")?), text: paragraphs(&part("body.txt")?), html: part("body.html")? })
}

/// What a header may hold: control characters and line breaks become single spaces, so that no name begins a second header, and
/// what would be read as an encoded word (RFC 2047) is none.
pub fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ").replace("=?", "= ?")
}

// Unicode's own line and paragraph separators, which some mail clients honour.
fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// The longest line of a plain part, in characters: what every mail program shows without breaking it once more.
const LINE: usize = 76;

/// Template leftovers tidied: no space at line ends, at most one empty line in a row, long lines broken between words.
fn paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut empty = true; // also swallows leading empty lines
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() && empty {
            continue;
        }
        empty = line.is_empty();
        wrap(line, &mut out);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Breaks a line between words. An address stays whole, or nobody could follow it; so does a text that is written without spaces.
fn wrap(line: &str, out: &mut String) {
    let mut used = 0;
    for (n, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if n > 0 && used + 1 + length > LINE {
            out.push('\n');
            used = 0;
        } else if n > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
}

/// One registered kind of mail.
pub struct Entry {
    /// Its folder under `templates/mail`.
    pub kind: &'static str,
    /// Renders every sample of it.
    pub render: fn(&Templates, Language) -> Result<Vec<RenderedMail>, RenderError>,
    /// The names of its fields.
    pub fields: fn() -> std::collections::BTreeSet<String>,
}

/// Every kind of mail there is.
pub fn all() -> Vec<Entry> {
    vec![
        entry::<Invitation>(),
        entry::<PasswordReset>(),
        entry::<ProgramAssigned>(),
        entry::<SessionReminder>(),
        entry::<Test>(),
        entry::<Answer>(),
    ]
}

fn entry<M: Mail>() -> Entry {
    Entry {
        kind: M::KIND,
        render: |templates, language| M::samples().iter().map(|mail| render(templates, language, mail)).collect(),
        fields: || crate::registry::field_names(&M::samples()),
    }
}

impl Sender {
    fn sample() -> Self {
        Self {
            clinic: "Riverside Physio".into(),
            phone: Some("+60 12-345 6789".into()),
            whatsapp: Some("https://wa.me/60123456789".into()),
        }
    }

    fn sample_bare() -> Self {
        Self { phone: None, whatsapp: None, ..Self::sample() }
    }
}

impl Mail for Invitation {
    const KIND: &'static str = "invitation";

    fn samples() -> Vec<Self> {
        let patient = Self {
            sender: Sender::sample(),
            name: "Priya".into(),
            inviter: Some("Hannah".into()),
            staff: false,
            link: "https://clinic.example/welcome/q3Vh0sJxgq7Jw1d1vQnX2y8Zb5cK9mE4tR6uP0aLkSd".into(),
            expires: "Sunday 29 November, 14:30".into(),
        };
        vec![
            Self { inviter: None, sender: Sender::sample_bare(), ..patient.clone() },
            Self { staff: true, ..patient.clone() },
            patient,
        ]
    }
}

impl Mail for PasswordReset {
    const KIND: &'static str = "password_reset";

    fn samples() -> Vec<Self> {
        let one = Self {
            sender: Sender::sample(),
            name: "Hannah".into(),
            link: "https://clinic.example/password/reset/q3Vh0sJxgq7Jw1d1vQnX2y8Zb5cK9mE4tR6uP0aLkSd".into(),
            expires: "Sunday 22 November, 15:30".into(),
        };
        vec![Self { sender: Sender::sample_bare(), ..one.clone() }, one]
    }
}

impl Mail for ProgramAssigned {
    const KIND: &'static str = "program_assigned";

    fn samples() -> Vec<Self> {
        let one = Self {
            sender: Sender::sample(),
            name: "Farah".into(),
            by: "Hannah".into(),
            revised: false,
            exercises: "5 exercises".into(),
            minutes: "about 12 minutes".into(),
            days: "Monday to Saturday".into(),
            times_a_day: 1,
            from: "Monday 23 November".into(),
            until: "Sunday 3 January".into(),
            link: "https://clinic.example/today".into(),
            reminded_at: Some("08:00".into()),
        };
        vec![
            Self { revised: true, ..one.clone() },
            Self { times_a_day: 2, reminded_at: None, sender: Sender::sample_bare(), ..one.clone() },
            one,
        ]
    }
}

impl Mail for SessionReminder {
    const KIND: &'static str = "session_reminder";

    fn samples() -> Vec<Self> {
        let one = Self {
            sender: Sender::sample(),
            name: "Wei Ling".into(),
            today: "Sunday 22 November".into(),
            exercises: "5 exercises".into(),
            minutes: "about 12 minutes".into(),
            link: "https://clinic.example/go/AQGiBTu-ZnbPmG9sPICjWTEBogU7vpZw0qqmKv3Am56TAAAAAGmk3oBUNT6dGj3BZ7xJ7-Kcrpu3jkWAFWgzM4592luwYX9aYw".into(),
            expires: "Tuesday 24 November, 08:00".into(),
            chosen: "08:00".into(),
            settings: "https://clinic.example/reminders".into(),
            unsubscribe: "https://clinic.example/unsubscribe/AQGiBTu-ZnbPmG9sPICjWTEBogU7vpZw0qqmKv3Am56TAAAAAGmk3oBUNT6dGj3BZ7xJ7-Kcrpu3jkWAFWgzM4592luwYX9aYw".into(),
        };
        vec![Self { sender: Sender::sample_bare(), ..one.clone() }, one]
    }
}

impl Mail for Test {
    const KIND: &'static str = "test";

    fn samples() -> Vec<Self> {
        let one = Self {
            sender: Sender::sample(),
            name: "Wei Ling".into(),
            times: Some("08:00 and 18:30".into()),
            from: "reminders@clinic.example".into(),
            settings: "https://clinic.example/reminders".into(),
            unsubscribe: "https://clinic.example/unsubscribe/AQGiBTu-ZnbPmG9sPICjWTEBogU7vpZw0qqmKv3Am56TAAAAAGmk3oBUNT6dGj3BZ7xJ7-Kcrpu3jkWAFWgzM4592luwYX9aYw".into(),
        };
        vec![Self { times: None, sender: Sender::sample_bare(), ..one.clone() }, one]
    }
}

impl Mail for Answer {
    const KIND: &'static str = "answer";

    fn samples() -> Vec<Self> {
        let one = Self { sender: Sender::sample(), name: "Wei Ling".into(), link: "https://clinic.example/today".into() };
        vec![Self { sender: Sender::sample_bare(), ..one.clone() }, one]
    }
}
