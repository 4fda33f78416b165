//! The time zones a person can choose from.

use std::sync::LazyLock;

use domain::person::Zone;
use jiff::Timestamp;
use render::{formats::hour, forms::Choice, words::Language};

/// Where many people live, from east to west: shown before the whole list.
const COMMON: [&str; 20] = [
    "Pacific/Auckland",
    "Australia/Sydney",
    "Australia/Perth",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Kuala_Lumpur",
    "Asia/Jakarta",
    "Asia/Bangkok",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Africa/Nairobi",
    "Europe/Berlin",
    "Europe/London",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
];

static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| jiff::tz::db().available().map(|name| name.to_string()).filter(|name| is_place(name)).collect());

/// The IANA names of every place, in order.
pub(crate) fn names() -> &'static [String] {
    &NAMES
}

/// A zone as people name it: "Kuala Lumpur".
pub(crate) fn place(zone: &str) -> String {
    zone.rsplit('/').next().unwrap_or(zone).replace('_', " ")
}

/// The zones often chosen, with the present time there; the reader's own comes first, whatever it is.
pub(crate) fn common(language: Language, own: &Zone, now: Timestamp) -> Vec<Choice> {
    let others = COMMON.into_iter().filter(|name| *name != own.name()).filter_map(|name| Zone::parse(name).ok());
    std::iter::once(own.clone())
        .chain(others)
        .map(|zone| Choice::new(zone.name(), format!("{}, {}", place(zone.name()), hour(language, zone.time(now)))))
        .collect()
}

/// Every zone by its whole name.
pub(crate) fn all() -> Vec<Choice> {
    names().iter().map(|name| Choice::new(name, name.replace('_', " "))).collect()
}

fn is_place(zone: &str) -> bool {
    let region = zone.split('/').next().unwrap_or_default();
    zone == "UTC"
        || ["Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"].contains(&region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_offered_can_be_chosen() {
        assert!(names().len() > 300);
        for name in names().iter().map(String::as_str).chain(COMMON) {
            assert_eq!(Zone::parse(name).map(|zone| zone.name().to_owned()).as_deref(), Ok(name));
        }
        assert_eq!(place("America/Argentina/Buenos_Aires"), "Buenos Aires");
    }
}
