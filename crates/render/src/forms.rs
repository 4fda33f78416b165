//! What a form shows again after it was refused: the value as typed and the reason, field by field.

use domain::program::Weekdays;
use serde::Serialize;

use crate::formats;
use crate::words::Language;

/// One field of a form: what stands in it and what is wrong with it.
///
/// Pages carry one per input and hand it to the `ui.field` family of components:
/// `{{<ui.field name="email" label="Email" field={email} type="email"/>}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The text in the input, exactly as typed; empty for a new form. Always empty for passwords.
    pub value: String,
    /// A sentence that says how to put it right; `None` when nothing is wrong.
    pub error: Option<String>,
}

impl Field {
    /// A field that holds `value` and has no fault.
    pub fn holding(value: impl Into<String>) -> Self {
        Self { value: value.into(), error: None }
    }

    /// A field that holds `value` as typed, refused with a sentence.
    pub fn refused(value: impl Into<String>, error: impl Into<String>) -> Self {
        Self { value: value.into(), error: Some(error.into()) }
    }
}

/// One choice of a select or of a group of radio buttons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What the person reads.
    pub label: String,
}

impl Choice {
    /// A choice that sends `value` and reads `label`.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// One circle of the day picker `ui.days`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DayChoice {
    /// What the form sends for it: "0" for Monday to "6" for Sunday.
    pub value: u8,
    /// "M".
    pub letter: String,
    /// "Monday".
    pub label: String,
    /// Whether it is chosen.
    pub on: bool,
}

impl DayChoice {
    /// The week from Monday, with `chosen` ticked.
    pub fn week(language: Language, chosen: Weekdays) -> Vec<Self> {
        (0..7u8)
            .zip(formats::WEEK)
            .map(|(value, day)| Self {
                value,
                letter: formats::weekday_letter(language, day),
                label: formats::weekday(language, day),
                on: chosen.contains(day),
            })
            .collect()
    }
}

/// The pages of a long list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pagination {
    /// Which page is shown, from 1.
    pub page: u32,
    /// How many pages there are, at least 1.
    pub pages: u32,
    /// The address of the page before, with every filter kept; `None` on the first.
    pub previous: Option<String>,
    /// The address of the page after, with every filter kept; `None` on the last.
    pub next: Option<String>,
}

/// A step on the way to the present page; the last one has no address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Crumb {
    /// What it is called.
    pub label: String,
    /// Where it leads; `None` for the present page.
    pub href: Option<String>,
}

impl Crumb {
    /// A step that leads back to `href`.
    pub fn to(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: Some(href.into()) }
    }

    /// The present page.
    pub fn here(label: impl Into<String>) -> Self {
        Self { label: label.into(), href: None }
    }
}
