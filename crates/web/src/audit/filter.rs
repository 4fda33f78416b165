//! What the owner asks the audit for, as an address has it.

use domain::{
    ids::{MembershipId, PatientId},
    person::Zone,
};
use jiff::{Timestamp, ToSpan as _, civil::Date};
use render::Field;
use serde::Deserialize;
use store::audit::{AuditAction, Filter};

use crate::PageError;

/// The query of the page, as typed. What names nothing is as if it were not given; an id that is none is a page that is not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    pub(crate) person: String,
    pub(crate) patient: String,
    pub(crate) what: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) q: String,
    pub(crate) before: String,
}

/// A day as typed: nothing, a day, or what is wrong with it.
pub(crate) fn day(typed: &str) -> Result<Option<Date>, String> {
    match typed.trim() {
        "" => Ok(None),
        text => match text.parse::<Date>().ok().filter(|date| (1900..=9000).contains(&date.year())) {
            Some(date) => Ok(Some(date)),
            None => Err("Give the day as year, month and day, such as 2026-12-24.".to_owned()),
        },
    }
}

fn id<T: std::str::FromStr>(typed: &str) -> Result<Option<T>, PageError> {
    match typed.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| PageError::NotFound),
    }
}

/// The first instants of a day and of the one after it.
pub(crate) fn bounds(zone: &Zone, date: Date) -> (Timestamp, Timestamp) {
    (zone.day_start(date), zone.day_start(date.saturating_add(1.day())))
}

impl Wanted {
    /// The member of staff asked about.
    pub(crate) fn member(&self) -> Result<Option<MembershipId>, PageError> {
        if self.person == PATIENTS { Ok(None) } else { id(&self.person) }
    }

    /// The patient asked about.
    pub(crate) fn patient(&self) -> Result<Option<PatientId>, PageError> {
        id(&self.patient)
    }

    pub(crate) fn deed(&self) -> Option<AuditAction> {
        AuditAction::of_tag(&self.what)
    }

    /// The days as the form shows them again, with what is wrong with them.
    pub(crate) fn days(&self) -> (Field, Field) {
        let field = |typed: &str| Field { value: typed.chars().take(40).collect(), error: day(typed).err() };
        let (from, mut to) = (field(&self.from), field(&self.to));
        if let (Ok(Some(first)), Ok(Some(last))) = (day(&self.from), day(&self.to))
            && last < first
        {
            to.error = Some("The last day is before the first.".to_owned());
        }
        (from, to)
    }

    /// What to look for.
    pub(crate) fn filter(&self, zone: &Zone) -> Result<Filter, PageError> {
        Ok(Filter {
            member: self.member()?,
            patient: self.patient()?,
            by_patients: (self.person == PATIENTS).then_some(true),
            deed: self.deed(),
            address: None,
            from: day(&self.from).ok().flatten().map(|date| bounds(zone, date).0),
            to: day(&self.to).ok().flatten().map(|date| bounds(zone, date).1),
            before: self.before.parse().ok(),
        })
    }

    /// The filter as a query, without the page; with `also` in its place.
    pub(crate) fn query(&self, also: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let own = [
            ("person", self.person.as_str()),
            ("patient", &self.patient),
            ("what", self.deed().map_or("", AuditAction::tag)),
            ("from", if day(&self.from).is_ok() { self.from.trim() } else { "" }),
            ("to", if day(&self.to).is_ok() { self.to.trim() } else { "" }),
        ];
        for (key, value) in own.iter().chain(also) {
            if !value.is_empty() {
                query.append_pair(key, value);
            }
        }
        query.finish()
    }

    /// An address with the filter kept.
    pub(crate) fn href(&self, path: &str, also: &[(&str, &str)]) -> String {
        match self.query(also) {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// The word for all patients in place of a person.
pub(crate) const PATIENTS: &str = "patients";
