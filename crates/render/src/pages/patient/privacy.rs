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
