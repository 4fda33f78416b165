//! The second factor: its code at signing in, setting it up, its recovery codes; and proving once more who one is.

use serde::Serialize;

use crate::{Field, Page, Svg};

/// `/sign-in/code`.
#[derive(Debug, Default, Serialize)]
pub struct Code {
    /// The code; its value is never shown again.
    pub code: Field,
    /// Where to go afterwards: a local path, or nothing.
    pub next: String,
    /// Whether a recovery code is asked for: then the keyboard has letters.
    pub recovery: bool,
    /// The address of the same page for the other kind of code.
    pub other: String,
}

impl Page for Code {
    const TEMPLATE: &'static str = "pages/account/code.html";

    fn samples() -> Vec<Self> {
        vec![
            Self { other: "/sign-in/code?next=&with=recovery".into(), ..Self::default() },
            Self { next: "/patients".into(), ..Self::default() },
            Self { recovery: true, other: "/sign-in/code?next=".into(), ..Self::default() },
            Self { code: Field::refused("", "That code is not right."), ..Self::default() },
        ]
    }
}

/// `/account/confirm`.
#[derive(Debug, Serialize)]
pub struct Confirm {
    /// The account's address.
    pub email: String,
    /// The password; its value is never shown.
    pub password: Field,
    /// The code; its value is never shown.
    pub code: Field,
    /// Whether the account has a second factor.
    pub asks_code: bool,
    /// Where to go afterwards: a local path, or nothing.
    pub next: String,
}

impl Page for Confirm {
    const TEMPLATE: &'static str = "pages/account/confirm.html";

    fn samples() -> Vec<Self> {
        let usual = || Self {
            email: "hannah@clinic.test".into(),
            password: Field::default(),
            code: Field::default(),
            asks_code: false,
            next: String::new(),
        };
        vec![
            usual(),
            Self { next: "/team".into(), ..usual() },
            Self { password: Field::refused("", "That is not your password."), ..usual() },
            Self { asks_code: true, ..usual() },
            Self { asks_code: true, code: Field::refused("", "That code is not right."), ..usual() },
        ]
    }
}

/// Where setting up stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none.
    Off,
    /// The app is to be told the secret.
    Pending,
    /// It is asked for at every sign-in.
    On,
}

/// `/account/second-factor`.
#[derive(Debug, Clone, Serialize)]
pub struct SecondFactor {
    /// Where it stands.
    pub state: State,
    /// Whether the clinic wants staff to have one.
    pub wanted: bool,
    /// The QR code, while it is being set up.
    pub qr_svg: Svg,
    /// The secret for typing, while it is being set up: `ABCD EFGH …`.
    pub secret: String,
    /// The first code.
    pub code: Field,
    /// Since when it is on: "Mon 2 March 2026".
    pub since: String,
    /// How many recovery codes are left.
    pub codes_left: u32,
}

impl Page for SecondFactor {
    const TEMPLATE: &'static str = "pages/account/second_factor.html";

    fn samples() -> Vec<Self> {
        let off = Self {
            state: State::Off,
            wanted: false,
            qr_svg: Svg::default(),
            secret: String::new(),
            code: Field::default(),
            since: String::new(),
            codes_left: 0,
        };
        let pending = Self {
            state: State::Pending,
            qr_svg: crate::qr::svg("otpauth://totp/Homestretch:hannah%40clinic.test?secret=GEZDGNBVGY3TQOJQ").unwrap_or_default(),
            secret: "GEZD GNBV GY3T QOJQ".into(),
            ..off.clone()
        };
        let on = Self { state: State::On, since: "2 March 2026".into(), codes_left: 9, ..off.clone() };
        vec![
            Self { wanted: true, ..off.clone() },
            off,
            Self { code: Field::refused("", "That is not the code of this moment."), ..pending.clone() },
            pending,
            Self { codes_left: 2, ..on.clone() },
            Self { wanted: true, ..on.clone() },
            on,
        ]
    }
}

/// The recovery codes, shown once.
#[derive(Debug, Serialize)]
pub struct RecoveryCodes {
    /// `ABCD-EFGH-IJKL-MNOP`.
    pub codes: Vec<String>,
    /// Whether the second factor was turned on just now.
    pub first: bool,
}

impl Page for RecoveryCodes {
    const TEMPLATE: &'static str = "pages/account/recovery_codes.html";

    fn samples() -> Vec<Self> {
        let codes = || ["GEZD-GNBV-GY3T-QOJQ", "MFRG-GZDF-MZTW-Q2LK"].map(String::from).into();
        vec![Self { codes: codes(), first: true }, Self { codes: codes(), first: false }]
    }
}
