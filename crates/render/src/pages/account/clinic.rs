//! The clinic's settings, for its owner.

use serde::Serialize;

use crate::{Field, Page};

/// `/settings`.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// The clinic's name.
    pub name: Field,
    /// Its zone, by its IANA name.
    pub zone: Field,
    /// Zones to offer while one types.
    pub zones: Vec<String>,
    /// Its telephone number.
    pub phone: Field,
    /// Its WhatsApp number.
    pub whatsapp: Field,
    /// When reminders stop in the evening, `21:00`.
    pub quiet_from: Field,
    /// When they may begin again, `07:00`.
    pub quiet_to: Field,
    /// From which pain score on a session is reported.
    pub pain_high: Field,
    /// After how many missed sessions in a row a patient is reported.
    pub missed_run: Field,
    /// Whether physiotherapists see their own caseload only.
    pub own_caseload: bool,
    /// Whether staff must have a second factor.
    pub second_factor: bool,
    /// Why that cannot be turned on yet.
    pub second_factor_wrong: Option<String>,
    /// The fields for proving who is there, when something changes that matters and the proof is some time ago.
    pub proof: Option<Proof>,
    /// Whether something was refused.
    pub wrong: bool,
}

/// The password, and the code for whoever has a second factor.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The account's address.
    pub email: String,
    /// The password; its value is never shown.
    pub password: Field,
    /// The code; its value is never shown.
    pub code: Field,
    /// Whether the account has a second factor.
    pub asks_code: bool,
}

impl Page for Settings {
    const TEMPLATE: &'static str = "pages/account/settings.html";

    fn samples() -> Vec<Self> {
        let usual = Self {
            name: Field::holding("Riverside Physio"),
            zone: Field::holding("Asia/Kuala_Lumpur"),
            zones: vec!["Asia/Kuala_Lumpur".into(), "Asia/Singapore".into()],
            phone: Field::holding("+60 12-345 6789"),
            whatsapp: Field::holding("+60 12-345 6789"),
            quiet_from: Field::holding("21:00"),
            quiet_to: Field::holding("07:00"),
            pain_high: Field::holding("7"),
            missed_run: Field::holding("3"),
            own_caseload: false,
            second_factor: false,
            second_factor_wrong: None,
            proof: None,
            wrong: false,
        };
        let wrong =
            Self {
                zone: Field::refused("Malaysia/KL", "“Malaysia/KL” is not a time zone we know."), wrong: true, ..usual.clone()
            };
        let narrow = Self { own_caseload: true, ..usual.clone() };
        let asking = Self { second_factor: true, ..usual.clone() };
        let first = Self { second_factor_wrong: Some("Please set up your own first.".into()), wrong: true, ..asking.clone() };
        let proof = Proof {
            email: "olivia@clinic.test".into(),
            password: Field::default(),
            code: Field::refused("", "That code is not right."),
            asks_code: true,
        };
        let proving = Self { proof: Some(proof.clone()), wrong: true, ..narrow.clone() };
        let mistyped = Proof { password: Field::refused("", "That is not your password."), asks_code: false, ..proof };
        let again = Self { proof: Some(mistyped), wrong: true, ..narrow.clone() };
        vec![usual, wrong, narrow, asking, first, proving, again]
    }
}
