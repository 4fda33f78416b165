//! The words of others and our own.
//!
//! Ours are URNs and not addresses, because the program has no address of its own that would stay, and an installation's would make
//! every clinic's codes different ones. What was released is never changed, only added to; each is explained in `docs/exports.md`.

use domain::{
    person::Language,
    session_log::{RedFlag, SkipReason},
};

use super::elements::{Coding, Concept, Text};
use crate::words::say;

pub(super) const SNOMED: &str = "http://snomed.info/sct";
pub(super) const LOINC: &str = "http://loinc.org";
pub(super) const LANGUAGES: &str = "urn:ietf:bcp:47";
const CATEGORIES: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

const SKIP_REASONS: &str = "urn:homestretch:codes:skip-reason";
const STOP_SIGNS: &str = "urn:homestretch:codes:stop-sign";
const OBSERVATIONS: &str = "urn:homestretch:codes:observation";
const PROCEDURES: &str = "urn:homestretch:codes:procedure";

/// The Patient-Specific Functional Scale of 1995: 0 unable, 10 as before.
pub(super) const ABILITY: &str = "urn:homestretch:questionnaire:psfs-1995";
/// The Global Rating of Change with 11 points, −5 to 5.
pub(super) const CHANGE: &str = "urn:homestretch:questionnaire:groc-11";

/// One prescribed exercise, by its name in the clinic.
pub(super) fn exercise(name: Option<Text<'_>>) -> Concept<'_> {
    Concept { coding: vec![Coding::new(SNOMED, "229065009", "Exercise therapy")], text: name }
}

/// One sitting of a program, whose exercises are parts of it.
pub(super) fn session() -> Concept<'static> {
    Concept::of(Coding::new(PROCEDURES, "home-session", "Home exercise session"))
}

/// When pain was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// Pain from 0 to 10. The same in LOINC's word, which knows no before and after, and in a narrower one of ours, which does.
pub(super) fn pain(moment: Moment) -> Concept<'static> {
    let (code, display) = match moment {
        Moment::Before => ("pain-before-session", "Pain before the session"),
        Moment::After => ("pain-after-session", "Pain after the session"),
    };
    let loinc = Coding::new(LOINC, "72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported");
    Concept { coding: vec![loinc, Coding::new(OBSERVATIONS, code, display)], text: Text::new(display) }
}

/// How hard the session was, on the scale CR10.
pub(super) fn effort() -> Concept<'static> {
    Concept::of(Coding::new(OBSERVATIONS, "effort-cr10", "Effort of the session, 0 to 10 (CR10)"))
}

/// That signs to stop for were ticked.
pub(super) fn stop_signs() -> Concept<'static> {
    Concept::of(Coding::new(OBSERVATIONS, "stop-signs", "Stop signs that were ticked after the session"))
}

/// One of these signs, in the words that were ticked.
pub(super) fn stop_sign(sign: RedFlag) -> Concept<'static> {
    Concept::of(Coding::said(STOP_SIGNS, sign.tag(), say(Language::En, &format!("flag-{sign}"), &[])))
}

/// Why an exercise was skipped, in the words that were chosen.
pub(super) fn skipped(reason: SkipReason) -> Concept<'static> {
    Concept::of(Coding::said(SKIP_REASONS, reason.tag(), say(Language::En, &format!("skip-{reason}"), &[])))
}

/// What people say of themselves.
pub(super) fn survey() -> Concept<'static> {
    Concept { coding: vec![Coding::new(CATEGORIES, "survey", "Survey")], text: None }
}
