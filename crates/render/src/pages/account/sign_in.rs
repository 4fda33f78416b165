//! The front page, signing in, choosing a clinic, and a forgotten password.

use serde::Serialize;

use crate::{Field, Page};

/// `/` for somebody nobody knows yet.
#[derive(Debug, Serialize)]
pub struct Front {
    /// The demo's accounts to try, when this is the demo.
    pub demo: Option<Demo>,
}

impl Page for Front {
    const TEMPLATE: &'static str = "pages/account/front.html";

    fn samples() -> Vec<Self> {
        vec![Self { demo: None }, Self { demo: Some(Demo::usual()) }]
    }
}

/// The accounts of the demo clinic, which are no secret.
#[derive(Debug, Clone, Serialize)]
pub struct Demo {
    /// Their addresses.
    pub emails: Vec<String>,
    /// The password of all of them.
    pub password: String,
}

impl Demo {
    /// As the demo is made.
    pub fn usual() -> Self {
        let emails = ["patient@demo.test", "physio@demo.test", "owner@demo.test"].map(String::from).into();
        Self { emails, password: "homestretch-demo".into() }
    }
}

/// `/sign-in`.
#[derive(Debug, Default, Serialize)]
pub struct SignIn {
    /// The address, kept after a refusal.
    pub email: Field,
    /// A sentence above the form: what did not work.
    pub problem: Option<String>,
    /// Where to go afterwards: a local path, or nothing for the person's first page.
    pub next: String,
    /// The demo's accounts to try, when this is the demo.
    pub demo: Option<Demo>,
}

impl Page for SignIn {
    const TEMPLATE: &'static str = "pages/account/sign_in.html";

    fn samples() -> Vec<Self> {
        vec![
            Self::default(),
            Self {
                email: Field::holding("hannah@clinic.test"),
                problem: Some("That email and password do not go together.".into()),
                ..Self::default()
            },
            Self { email: Field::refused("hannah", "It should look like name@example.com."), ..Self::default() },
            Self { next: "/patients".into(), ..Self::default() },
            Self { demo: Some(Demo::usual()), ..Self::default() },
        ]
    }
}

/// `/places`: which clinic, and as whom.
#[derive(Debug, Serialize)]
pub struct Places {
    /// Where the account may go.
    pub places: Vec<Place>,
    /// Where to go afterwards: a local path, or nothing.
    pub next: String,
}

/// One place to choose.
#[derive(Debug, Serialize)]
pub struct Place {
    /// What the form sends.
    pub value: String,
    /// The clinic's name.
    pub clinic: String,
    /// "Owner", "Physiotherapist", "Patient".
    pub role: String,
    /// Whether the session is there now.
    pub here: bool,
}

impl Page for Places {
    const TEMPLATE: &'static str = "pages/account/places.html";

    fn samples() -> Vec<Self> {
        let place = |clinic: &str, role: &str, here| Place {
            value: format!("{clinic}-{role}"),
            clinic: clinic.into(),
            role: role.into(),
            here,
        };
        vec![
            Self {
                places: vec![place("Riverside Physio", "Physiotherapist", true), place("Hill Clinic", "Patient", false)],
                next: String::new(),
            },
            Self {
                places: vec![place("Riverside Physio", "Physiotherapist", false), place("Hill Clinic", "Patient", false)],
                next: "/patients".into(),
            },
        ]
    }
}

/// `/password/forgot`: the form, and the same answer for every address.
#[derive(Debug, Default, Serialize)]
pub struct Forgot {
    /// The address.
    pub email: Field,
    /// Whether it was sent; the page then says what happens next.
    pub sent: bool,
}

impl Page for Forgot {
    const TEMPLATE: &'static str = "pages/account/forgot.html";

    fn samples() -> Vec<Self> {
        vec![
            Self::default(),
            Self { email: Field::refused("hannah", "It should look like name@example.com."), sent: false },
            Self { email: Field::holding("hannah@clinic.test"), sent: true },
        ]
    }
}
