//! The data types of FHIR, as far as we send them.

use std::{borrow::Cow, fmt};

use domain::person::Zone;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A resource within the bundle, `urn:uuid:…`: its `fullUrl`, and what references to it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Urn(pub(super) Uuid);

impl Urn {
    /// Made from a kind and the ids of rows: the same in every export. Ids that devices and forms make may be any, also another row's, so
    /// none is taken as it is.
    pub(super) fn of<const N: usize>(kind: &str, rows: [Uuid; N]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"homestretch fhir\0");
        digest.update(kind.as_bytes());
        for row in rows {
            digest.update([0]);
            digest.update(row.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:uuid:{}", self.0.hyphenated())
    }
}

impl Serialize for Urn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Reference {
    reference: Urn,
}

impl From<Urn> for Reference {
    fn from(reference: Urn) -> Self {
        Self { reference }
    }
}

/// What somebody typed, as it was typed. FHIR has no text that is blank, and no control characters but tabs and line breaks: those become U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// `None` for a text in which nothing stands.
    pub(super) fn new(text: &'a str) -> Option<Self> {
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        (!text.chars().all(blank)).then(|| Self(allowed(text.into())))
    }
}

impl From<String> for Text<'_> {
    /// A sentence of ours, in which something typed may stand.
    fn from(text: String) -> Self {
        Self(allowed(text.into()))
    }
}

fn allowed(text: Cow<'_, str>) -> Cow<'_, str> {
    let forbidden = |c: char| c < ' ' && !matches!(c, '\t' | '\r' | '\n');
    if text.contains(forbidden) { text.replace(forbidden, "\u{fffd}").into() } else { text }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Coding {
    system: &'static str,
    code: &'static str,
    display: Cow<'static, str>,
}

impl Coding {
    pub(super) fn new(system: &'static str, code: &'static str, display: &'static str) -> Self {
        Self { system, code, display: display.into() }
    }

    pub(super) fn said(system: &'static str, code: &'static str, display: String) -> Self {
        Self { system, code, display: display.into() }
    }
}

/// A CodeableConcept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Concept<'a> {
    pub(super) coding: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'a>>,
}

impl Concept<'_> {
    /// One code, whose display is the text as well.
    pub(super) fn of(coding: Coding) -> Self {
        let text = Text(coding.display.clone());
        Self { coding: vec![coding], text: Some(text) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Identifier {
    system: &'static str,
    value: Urn,
}

impl Identifier {
    /// The id that a row has in our other exports.
    pub(super) fn row(id: Uuid) -> Self {
        Self { system: "urn:ietf:rfc:3986", value: Urn(id) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct HumanName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
}

impl<'a> HumanName<'a> {
    /// The whole name in one piece: which part of it is the family's we do not know. An array, as resources have it, empty without a name.
    pub(super) fn of(name: &'a str) -> Vec<Self> {
        Text::new(name).map(|text| Self { text: Some(text) }).into_iter().collect()
    }
}

/// A ContactPoint.
#[derive(Debug, Serialize)]
pub(super) struct Contact<'a> {
    system: &'static str,
    value: Text<'a>,
}

impl<'a> Contact<'a> {
    pub(super) fn phone(value: Text<'a>) -> Self {
        Self { system: "phone", value }
    }

    pub(super) fn email(value: Text<'a>) -> Self {
        Self { system: "email", value }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Period {
    pub(super) start: String,
    pub(super) end: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) author_reference: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    pub(super) text: Text<'a>,
}

impl<'a> Annotation<'a> {
    /// A text of which neither who nor when is said.
    pub(super) fn plain(text: Text<'a>) -> Self {
        Self { author_reference: None, time: None, text }
    }
}

/// An instant to the second with the zone's offset then.
pub(super) fn instant(zone: &Zone, at: Timestamp) -> String {
    let there = at.to_zoned(zone.time_zone().clone());
    // Before zones were agreed on, offsets had seconds, which FHIR cannot say.
    let there = if there.offset().seconds() % 60 == 0 { there } else { at.to_zoned(jiff::tz::TimeZone::UTC) };
    there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
