//! What a patient can do about their own data.

use serde::Serialize;

use crate::{Field, Page};

/// `/account/consent`.
#[derive(Debug, Clone, Serialize)]
pub struct Consent {
    /// The wording of now, when it was not agreed to yet.
    pub offer: Option<Offer>,
    /// What was agreed to, newest first.
    pub agreed: Vec<Agreement>,
}

/// A wording to agree to.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// Its version, which the form sends back.
    pub version: String,
    /// Its words.
    pub paragraphs: Vec<String>,
    /// Whether nothing was agreed to before.
    pub first: bool,
    /// Why the answer was not taken.
    pub error: Option<String>,
}

/// What was agreed to once.
#[derive(Debug, Clone, Serialize)]
pub struct Agreement {
    /// "3 March 2026".
    pub day: String,
    /// "2026-11".
    pub version: String,
    /// The words as they were shown.
    pub paragraphs: Vec<String>,
    /// When it was taken back, if it was.
    pub withdrawn: Option<String>,
}

impl Page for Consent {
    const TEMPLATE: &'static str = "pages/patient/consent.html";

    fn samples() -> Vec<Self> {
        let words = || vec!["Riverside Physio keeps what you log.".to_owned(), "Its physiotherapists read it.".to_owned()];
        let agreed = Agreement { day: "3 March 2026".into(), version: "2026-02".into(), paragraphs: words(), withdrawn: None };
        let offer = Offer { version: "2026-11".into(), paragraphs: words(), first: false, error: None };
        vec![
            Self { offer: None, agreed: vec![agreed.clone()] },
            Self { offer: Some(offer.clone()), agreed: vec![agreed.clone()] },
            Self {
                offer: Some(Offer { error: Some("Please tick the box if you agree.".into()), ..offer.clone() }),
                agreed: vec![agreed.clone()],
            },
            Self { offer: Some(Offer { first: true, ..offer.clone() }), agreed: vec![] },
            Self { offer: Some(offer), agreed: vec![Agreement { withdrawn: Some("8 April 2026".into()), ..agreed }] },
        ]
    }
}

/// `/account/close`.
#[derive(Debug, Clone, Serialize)]
pub struct Close {
    /// The clinic's name.
    pub clinic: String,
    /// The address one signs in with, for the browser's password store.
    pub email: String,
    /// Whether it is about taking back what one agreed to.
    pub withdraw: bool,
    /// Whether the account has other places.
    pub elsewhere: bool,
    /// The password; its value is never shown.
    pub current: Field,
}

impl Page for Close {
    const TEMPLATE: &'static str = "pages/patient/close.html";

    fn samples() -> Vec<Self> {
        let usual = Self {
            clinic: "Riverside Physio".into(),
            email: "wei@example.test".into(),
            withdraw: false,
            elsewhere: false,
            current: Field::default(),
        };
        vec![
            usual.clone(),
            Self { withdraw: true, ..usual.clone() },
            Self { elsewhere: true, ..usual.clone() },
            Self { current: Field::refused("", "That is not your password."), ..usual },
        ]
    }
}

/// `/account/opened`.
#[derive(Debug, Clone, Serialize)]
pub struct Opened {
    /// The clinic's name.
    pub clinic: String,
    /// The day the list begins with; `None` when nothing is noted yet.
    pub since: Option<String>,
    /// What its people did, by day, newest first.
    pub days: Vec<OpenedDay>,
    /// The patient's own visits, a line for each day, newest first; folded away.
    pub own: Vec<String>,
    /// Whether there are older visits of their own.
    pub own_more: bool,
    /// What was done before this.
    pub older: Option<String>,
    /// The newest.
    pub newest: Option<String>,
}

/// What was done on one day.
#[derive(Debug, Clone, Serialize)]
pub struct OpenedDay {
    /// "Monday 2 March 2026".
    pub day: String,
    /// Who did what.
    pub lines: Vec<OpenedLine>,
}

/// What somebody did, once or several times in a row.
#[derive(Debug, Clone, Serialize)]
pub struct OpenedLine {
    /// "Hannah Lim".
    pub who: String,
    /// "Opened your record".
    pub what: String,
    /// "at 08:14", "3 times, the last at 08:14".
    pub when: String,
}

impl Page for Opened {
    const TEMPLATE: &'static str = "pages/patient/opened.html";

    fn samples() -> Vec<Self> {
        let line = |what: &str, when: &str| OpenedLine { who: "Hannah Lim".into(), what: what.into(), when: when.into() };
        let full = Self {
            clinic: "Riverside Physio".into(),
            since: Some("Monday 2 March 2026".into()),
            days: vec![
                OpenedDay {
                    day: "Monday 2 March 2026".into(),
                    lines: vec![line("Opened your record", "3 times, the last at 08:14"), line("Changed your program", "at 08:10")],
                },
                OpenedDay { day: "Friday 27 February 2026".into(), lines: vec![line("Made a copy of your data", "at 17:40")] },
            ],
            own: vec!["2 March 2026: 14 times, the last at 20:11".into()],
            own_more: false,
            older: None,
            newest: None,
        };
        vec![
            full.clone(),
            Self { days: vec![], own: vec![], ..full.clone() },
            Self { own_more: true, older: Some("/account/opened?before=12".into()), ..full.clone() },
            Self { newest: Some("/account/opened".into()), ..full },
        ]
    }
}
