//! The owner's audit: who did what with whose record, when and from where.

use serde::Serialize;

use crate::{Choice, Field, Page};

/// `GET /audit`.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// Whom to ask about.
    pub people: Vec<Choice>,
    /// Who is asked about.
    pub person: Field,
    /// What to ask about.
    pub deeds: Vec<Choice>,
    /// What is asked about.
    pub what: Field,
    /// From which day.
    pub from: Field,
    /// To which day.
    pub to: Field,
    /// The name that was looked for.
    pub search: String,
    /// The patient asked about.
    pub patient: Option<Subject>,
    /// Patients that a search found, when it found several.
    pub found: Vec<Found>,
    /// Said when it found nobody.
    pub found_none: Option<String>,
    /// The entries, newest first.
    pub rows: Vec<Row>,
    /// Whether anything is asked for in particular.
    pub narrowed: bool,
    /// The same as a file.
    pub csv: String,
    /// A new breach with what is asked for.
    pub breach: String,
    /// The entries before these.
    pub older: Option<String>,
    /// The newest ones.
    pub newest: Option<String>,
    /// How the chain stands; `None` before its first entry.
    pub chain: Option<Chain>,
}

/// The patient that the page is narrowed to.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// Their id, as the form keeps it.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their page.
    pub href: String,
    /// The page for all patients.
    pub clear: String,
}

/// A patient that a search found.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The name.
    pub name: String,
    /// The address.
    pub email: Option<String>,
    /// The audit of them.
    pub href: String,
}

/// One entry.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// "2 March 2026", in the clinic's zone.
    pub day: String,
    /// "08:00:03".
    pub time: String,
    /// The same in UTC.
    pub utc: String,
    /// Who did it.
    pub who: String,
    /// "Opened Hannah Tan’s record".
    pub what: String,
    /// The pattern of the page that was refused.
    pub detail: Option<String>,
    /// A tone for what one should not pass over.
    pub tone: &'static str,
    /// Whose record, and the audit of it.
    pub patient: Option<(String, String)>,
    /// From where.
    pub address: Option<String>,
}

/// How the chain stands.
#[derive(Debug, Clone, Serialize)]
pub struct Chain {
    /// How many entries it has.
    pub length: i64,
    /// When its first was made.
    pub first: String,
    /// When its last was made.
    pub last: String,
    /// The last one's digest.
    pub digest: String,
}

impl Page for Audit {
    const TEMPLATE: &'static str = "pages/physio/audit.html";

    fn samples() -> Vec<Self> {
        let row = |what: &str, tone, detail: Option<&str>, patient: bool| Row {
            day: "2 March 2026".into(),
            time: "08:14:03".into(),
            utc: "2026-03-02 00:14:03 UTC".into(),
            who: "Hannah Lim".into(),
            what: what.into(),
            detail: detail.map(str::to_owned),
            tone,
            patient: patient.then(|| ("Wei Ling Tan".into(), "/audit?patient=x".into())),
            address: patient.then(|| "203.0.113.7".into()),
        };
        let full = Self {
            people: vec![Choice::new("", "Everybody"), Choice::new("x", "Hannah Lim")],
            person: Field::default(),
            deeds: vec![Choice::new("", "Everything"), Choice::new("read", "Looked at")],
            what: Field::default(),
            from: Field::default(),
            to: Field::default(),
            search: String::new(),
            patient: None,
            found: vec![],
            found_none: None,
            rows: vec![
                row("Opened Wei Ling Tan’s record", "", None, true),
                row("Tried to open something that is not theirs", "pain", Some("GET /patients/{id}"), false),
                row("Took Wei Ling Tan’s data away as a file", "warn", None, true),
            ],
            narrowed: false,
            csv: "/audit.csv".into(),
            breach: "/audit/breaches/new".into(),
            older: Some("/audit?before=12".into()),
            newest: None,
            chain: Some(Chain {
                length: 12_345,
                first: "3 March 2026, 09:00".into(),
                last: "22 November 2026, 08:14".into(),
                digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            }),
        };
        vec![
            full.clone(),
            Self { rows: vec![], older: None, chain: None, ..full.clone() },
            Self { rows: vec![], older: None, narrowed: true, newest: Some("/audit?what=read".into()), ..full.clone() },
            Self {
                patient: Some(Subject {
                    id: "x".into(),
                    name: "Wei Ling Tan".into(),
                    href: "/patients/x".into(),
                    clear: "/audit".into(),
                }),
                narrowed: true,
                from: Field::refused("soon", "Give the day as year, month and day, such as 2026-12-24."),
                ..full.clone()
            },
            Self {
                search: "tan".into(),
                found: vec![
                    Found { name: "Wei Ling Tan".into(), email: Some("wei@example.test".into()), href: "/audit?patient=x".into() },
                    Found { name: "Hannah Tan".into(), email: None, href: "/audit?patient=y".into() },
                ],
                ..full.clone()
            },
            Self { search: "nobody".into(), found_none: Some("Nobody found for “nobody”.".into()), ..full },
        ]
    }
}
