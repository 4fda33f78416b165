//! Pages that a link in a mail opens. Opening one changes nothing; pressing its button does.

use serde::Serialize;

use crate::{Field, Page};

/// `/password/reset/{token}`.
#[derive(Debug, Default, Serialize)]
pub struct Reset {
    /// The account's address, masked: the link may have been forwarded.
    pub email: String,
    /// What was wrong with the password.
    pub password: Field,
}

impl Page for Reset {
    const TEMPLATE: &'static str = "pages/account/reset.html";

    fn samples() -> Vec<Self> {
        let email = "h***@clinic.test".to_owned();
        vec![
            Self { email: email.clone(), password: Field::default() },
            Self { email, password: Field::refused("", "Please use at least 8 characters.") },
        ]
    }
}

/// Why a link does not work any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// An invitation that was accepted.
    InvitationUsed,
    /// An invitation whose time is over, or that was withdrawn.
    InvitationExpired,
    /// A link to a new password that was used.
    ResetUsed,
    /// A link to a new password whose time is over.
    ResetExpired,
    /// A one-tap link whose time is over.
    OneTapExpired,
    /// A one-tap link that came with an older mail or to an address that the record no longer has.
    OneTapEnded,
    /// A link to end reminders whose time is over.
    UnsubscribeExpired,
    /// A link of a patient who is not there any more.
    RecordGone,
    /// A link that was cut on its way, or is not ours.
    Incomplete,
}

/// A link that does not work any more, and what to do now.
#[derive(Debug, Serialize)]
pub struct LinkOver {
    /// Why.
    pub over: Over,
    /// The clinic to ask, when it is known.
    pub clinic: Option<String>,
}

impl Page for LinkOver {
    const TEMPLATE: &'static str = "pages/account/link_over.html";

    fn samples() -> Vec<Self> {
        let known = Some("Riverside Physio".to_owned());
        vec![
            Self { over: Over::InvitationUsed, clinic: known.clone() },
            Self { over: Over::InvitationExpired, clinic: None },
            Self { over: Over::InvitationExpired, clinic: known },
            Self { over: Over::ResetUsed, clinic: None },
            Self { over: Over::ResetExpired, clinic: None },
            Self { over: Over::OneTapExpired, clinic: None },
            Self { over: Over::OneTapEnded, clinic: None },
            Self { over: Over::UnsubscribeExpired, clinic: None },
            Self { over: Over::RecordGone, clinic: None },
            Self { over: Over::Incomplete, clinic: None },
        ]
    }
}

/// `/welcome/{token}`: somebody was invited.
#[derive(Debug, Serialize)]
pub struct Welcome {
    /// The clinic that invites.
    pub clinic: String,
    /// The physiotherapist who invites, when one is named.
    pub by: Option<String>,
    /// The given name to greet with; `None` greets without.
    pub first: Option<String>,
    /// The address the account will have.
    pub email: String,
    /// Whether they are invited as a patient: consent is asked then, and a name is not.
    pub patient: bool,
    /// Whether the address has an account already: its password is asked then, not a new one.
    pub existing: bool,
    /// A member of staff's own name.
    pub name: Field,
    /// What was wrong with the password.
    pub password: Field,
    /// What a patient agrees to, paragraph by paragraph; empty for staff.
    pub consent: Vec<String>,
    /// The version of that text.
    pub consent_version: String,
    /// Whether the box was ticked before something else was refused.
    pub agreed: bool,
    /// Said when the box was not ticked.
    pub consent_error: Option<String>,
}

impl Page for Welcome {
    const TEMPLATE: &'static str = "pages/account/welcome.html";

    fn samples() -> Vec<Self> {
        let patient = || Self {
            clinic: "Riverside Physio".into(),
            by: Some("Hannah Tan".into()),
            first: Some("Wei".into()),
            email: "wei@home.test".into(),
            patient: true,
            existing: false,
            name: Field::default(),
            password: Field::default(),
            consent: vec!["Your physiotherapist sees what you log.".into(), "You can leave at any time.".into()],
            consent_version: "2026-11".into(),
            agreed: false,
            consent_error: None,
        };
        let staff = || Self {
            by: None,
            first: None,
            email: "ravi@clinic.test".into(),
            patient: false,
            name: Field::holding("Ravi Kumar"),
            consent: vec![],
            consent_version: String::new(),
            ..patient()
        };
        vec![
            patient(),
            Self { by: None, ..patient() },
            Self { first: None, ..patient() },
            Self { existing: true, ..patient() },
            Self { password: Field::refused("", "Please use at least 8 characters."), agreed: true, ..patient() },
            Self { consent_error: Some("Please read this and tick the box.".into()), ..patient() },
            staff(),
            Self { existing: true, ..staff() },
            Self { name: Field::refused("", "Please give a name."), ..staff() },
        ]
    }
}

/// `/go/{token}`: one button that opens today's session.
#[derive(Debug, Serialize)]
pub struct OneTap {
    /// The clinic.
    pub clinic: String,
}

impl Page for OneTap {
    const TEMPLATE: &'static str = "pages/account/one_tap.html";

    fn samples() -> Vec<Self> {
        vec![Self { clinic: "Riverside Physio".into() }]
    }
}

/// `/unsubscribe/{token}`: ends reminders.
#[derive(Debug, Serialize)]
pub struct Unsubscribe {
    /// Whether it is done.
    pub done: bool,
    /// Whether a reminder is on its way in this moment.
    pub on_its_way: bool,
    /// The clinic whose reminders these are.
    pub clinic: String,
    /// For a link that came to an address that is not the patient's any more: that address, masked.
    pub earlier: Option<String>,
}

impl Page for Unsubscribe {
    const TEMPLATE: &'static str = "pages/account/unsubscribe.html";

    fn samples() -> Vec<Self> {
        let clinic = "Riverside Physio".to_owned();
        let page = |done, on_its_way, earlier: Option<&str>| Self {
            done,
            on_its_way,
            clinic: clinic.clone(),
            earlier: earlier.map(str::to_owned),
        };
        let earlier = Some("w***@old.test");
        vec![
            page(false, false, None),
            page(true, false, None),
            page(true, true, None),
            page(false, false, earlier),
            page(true, false, earlier),
            page(true, true, earlier),
        ]
    }
}
