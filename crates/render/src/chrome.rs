//! What stands around every page: whose clinic, who is signed in, where in the product, a notice.

use crate::words::{Language, say};
use serde::Serialize;

/// The frame of a page, the same for every template: `{{ chrome.clinic }}`, `{{ chrome.person.name }}`, …
#[derive(Debug, Clone, Serialize)]
pub struct Chrome {
    /// The clinic's name, or "Homestretch" where no clinic is known yet.
    pub clinic: String,
    /// Who is signed in; `None` on the way in and on some error pages.
    pub person: Option<Person>,
    /// Which part of the product the page belongs to.
    pub nav: Nav,
    /// The reader's language.
    #[serde(serialize_with = "tag")]
    pub language: Language,
    /// A sentence about what just happened, shown once at the top.
    pub flash: Option<Flash>,
    /// Whether this is the demo clinic: a strip says so and leads to the captured mail.
    pub demo: bool,
    /// `https://wa.me/<number>` of the clinic, when set.
    pub whatsapp: Option<String>,
    /// The clinic's telephone number as people write it, when set.
    pub phone: Option<String>,
    /// Whether the account has a second clinic or role to change to.
    pub can_switch: bool,
}

impl Chrome {
    /// The frame for somebody not signed in.
    pub fn plain(language: Language) -> Self {
        Self {
            clinic: "Homestretch".into(),
            person: None,
            nav: Nav::None,
            language,
            flash: None,
            demo: false,
            whatsapp: None,
            phone: None,
            can_switch: false,
        }
    }

    /// The same frame with another part of the product marked as current.
    #[must_use]
    pub fn at(mut self, nav: Nav) -> Self {
        self.nav = nav;
        self
    }

    /// The same frame with a notice.
    #[must_use]
    pub fn saying(mut self, flash: Option<Flash>) -> Self {
        self.flash = flash;
        self
    }

    /// A physiotherapist's frame, as samples use it.
    pub fn sample_staff() -> Self {
        Self {
            clinic: "Riverside Physio".into(),
            person: Some(Person { name: "Hannah".into(), role: "Physiotherapist".into(), owner: false, patient: false }),
            whatsapp: Some("https://wa.me/60123456789".into()),
            phone: Some("+60 12-345 6789".into()),
            ..Self::plain(Language::En)
        }
        .at(Nav::Patients)
    }

    /// A patient's frame, as samples use it.
    pub fn sample_patient() -> Self {
        Self {
            person: Some(Person { name: "Wei Ling".into(), role: "Patient".into(), owner: false, patient: true }),
            ..Self::sample_staff()
        }
        .at(Nav::Today)
    }
}

fn tag<S: serde::Serializer>(language: &Language, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(language.tag())
}

/// Who is signed in, as the page addresses them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The given name.
    pub name: String,
    /// Their role here in words: "Physiotherapist", "Owner", "Patient".
    pub role: String,
    /// Whether the clinic's settings, team and audit are theirs.
    pub owner: bool,
    /// Whether they are here as a patient.
    pub patient: bool,
}

/// The parts of the product that a bar or a tab leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nav {
    /// None of them.
    None,
    /// The caseload and a patient's pages.
    Patients,
    /// The exercise library.
    Library,
    /// Reusable programs.
    Programs,
    /// The clinic's report.
    Reports,
    /// The mail the clinic sent, or could not send.
    Notices,
    /// The owner's pages.
    Clinic,
    /// The patient's session of the day.
    Today,
    /// The patient's own history.
    Progress,
    /// The patient's reminders.
    Reminders,
    /// The account.
    Account,
}

/// A sentence about what just happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flash {
    /// How it went.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

impl Flash {
    /// It worked.
    pub fn good(text: impl Into<String>) -> Self {
        Self { tone: Tone::Good, text: text.into() }
    }

    /// It needs a look.
    pub fn warn(text: impl Into<String>) -> Self {
        Self { tone: Tone::Warn, text: text.into() }
    }

    /// As it is; with mail on its way, followed by the sentence that it may still arrive.
    pub fn with_mail_on_its_way(self, language: Language, on_its_way: bool) -> Self {
        if !on_its_way {
            return self;
        }
        Self { text: format!("{} {}", self.text, say(language, "mail-on-its-way", &[])), ..self }
    }
}

/// How a notice sounds; each has its own sign, never a colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It worked.
    Good,
    /// It needs a look.
    Warn,
    /// It failed.
    Bad,
}
