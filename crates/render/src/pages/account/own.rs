//! `/account`: one's name, password and sessions; the same for patients and staff, in the frame of each.

use serde::Serialize;

use crate::{Field, Page, forms::Choice};

/// What stands on everybody's account page.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// The address one signs in with.
    pub email: String,
    /// One's name in this clinic.
    pub name: Field,
    /// One's language.
    pub language: Field,
    /// The languages there are.
    pub languages: Vec<Choice>,
    /// The password of now; its value is never shown.
    pub current: Field,
    /// The password to come; its value is never shown.
    pub new: Field,
    /// Where one is signed in, the last used first.
    pub sessions: Vec<Session>,
    /// How many of them are not this one.
    pub others: u32,
    /// Whether a member of staff has a second factor.
    pub second_factor: bool,
}

/// One browser somebody is signed in with.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// Its id, which ends it.
    pub id: String,
    /// "Firefox on Windows".
    pub browser: String,
    /// "last used Sun 22 Nov, 08:14".
    pub seen: String,
    /// The clinic it is in, when the account is signed in to several.
    pub clinic: Option<String>,
    /// The network address it was opened from; not kept for sessions from before it was noted.
    pub address: Option<String>,
    /// Whether it is the one that shows this page.
    pub here: bool,
    /// Whether it came by a one-tap link and opens a day's session only.
    pub one_tap: bool,
}

impl Account {
    fn samples() -> Vec<Self> {
        let session = |here: bool, one_tap: bool| Session {
            id: format!("0193a6c2-{here}-{one_tap}"),
            browser: "Firefox on Windows".into(),
            seen: "Sun 22 Nov, 08:14".into(),
            clinic: one_tap.then(|| "Riverside Physio".into()),
            address: (here || one_tap).then(|| "203.0.113.7".into()),
            here,
            one_tap,
        };
        let usual = || Self {
            email: "hannah@clinic.test".into(),
            name: Field::holding("Hannah Tan"),
            language: Field::holding("en"),
            languages: vec![Choice::new("en", "English")],
            current: Field::default(),
            new: Field::default(),
            sessions: vec![session(true, false)],
            others: 0,
            second_factor: false,
        };
        vec![
            usual(),
            Self { sessions: vec![session(true, false), session(false, false), session(false, true)], others: 2, ..usual() },
            Self { name: Field::refused("", "Please give a name."), ..usual() },
            Self { current: Field::refused("", "That is not your password."), ..usual() },
            Self { new: Field::refused("", "Please use at least 8 characters."), ..usual() },
        ]
    }
}

/// For a patient, with the tabs.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct OfPatient(pub Account);

impl Page for OfPatient {
    const TEMPLATE: &'static str = "pages/account/of_patient.html";

    fn samples() -> Vec<Self> {
        Account::samples().into_iter().map(Self).collect()
    }
}

/// For staff, with the bar.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct OfStaff(pub Account);

impl Page for OfStaff {
    const TEMPLATE: &'static str = "pages/account/of_staff.html";

    fn samples() -> Vec<Self> {
        Account::samples().into_iter().map(Self).collect()
    }
}
