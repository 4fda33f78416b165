//! The register of breaches: what happened, whose data it touched, by when to tell whom, and what was done.

use serde::Serialize;

use crate::{Choice, Crumb, Field, Page};

/// `GET /audit/breaches`.
#[derive(Debug, Clone, Serialize)]
pub struct Breaches {
    /// Those there are, newest first.
    pub rows: Vec<BreachRow>,
    /// The ones before these.
    pub older: Option<String>,
}

/// One line of the register.
#[derive(Debug, Clone, Serialize)]
pub struct BreachRow {
    /// Its page.
    pub href: String,
    /// "2 March 2026, 08:00".
    pub noticed: String,
    /// What happened, cut short.
    pub what: String,
    /// "Commissioner: 61 hours left".
    pub state: String,
    /// A tag's tone.
    pub tone: &'static str,
}

impl Page for Breaches {
    const TEMPLATE: &'static str = "pages/physio/breaches.html";

    fn samples() -> Vec<Self> {
        let row = |state: &str, tone| BreachRow {
            href: "/audit/breaches/x".into(),
            noticed: "2 March 2026, 08:00".into(),
            what: "A laptop was taken from the front desk".into(),
            state: state.into(),
            tone,
        };
        vec![
            Self { rows: vec![], older: None },
            Self { rows: vec![row("Commissioner: 61 hours left", "warn"), row("Closed", "quiet")], older: None },
            Self { rows: vec![row("Commissioner: over since 4 hours", "pain")], older: Some("/audit/breaches?before=x".into()) },
        ]
    }
}

/// `GET /audit/breaches/new`.
#[derive(Debug, Clone, Serialize)]
pub struct BreachForm {
    /// Audit / Breaches / New.
    pub crumbs: Vec<Crumb>,
    /// Above a refused form.
    pub problem: Option<String>,
    /// What happened.
    pub what: Field,
    /// When it was noticed, in the clinic's zone.
    pub noticed: Field,
    /// From when data was open.
    pub from: Field,
    /// Until when.
    pub to: Field,
    /// Whose access was used.
    pub person: Field,
    /// The staff.
    pub people: Vec<Choice>,
    /// Whose record, by name.
    pub q: Field,
    /// Whose record, when it is known already: id and name.
    pub patient: Option<(String, String)>,
    /// From which address.
    pub address: Field,
    /// The clinic's zone, by name.
    pub zone: String,
}

impl Page for BreachForm {
    const TEMPLATE: &'static str = "pages/physio/breach_form.html";

    fn samples() -> Vec<Self> {
        let usual = Self {
            crumbs: vec![Crumb::to("Audit", "/audit"), Crumb::to("Breaches", "/audit/breaches"), Crumb::here("New")],
            problem: None,
            what: Field::default(),
            noticed: Field::holding("2026-03-02T08:00"),
            from: Field::holding("2026-03-01"),
            to: Field::holding("2026-03-02"),
            person: Field::default(),
            people: vec![Choice::new("", "Anybody"), Choice::new("x", "Hannah Lim")],
            q: Field::default(),
            patient: None,
            address: Field::default(),
            zone: "Asia/Kuala_Lumpur".into(),
        };
        vec![
            usual.clone(),
            Self { patient: Some(("x".into(), "Wei Ling Tan".into())), ..usual.clone() },
            Self {
                problem: Some("Nothing was written down yet. Please look at what is marked below.".into()),
                what: Field::refused("", "Say in a sentence what happened."),
                address: Field::refused("home", "Give an address such as 203.0.113.7."),
                ..usual
            },
        ]
    }
}

/// `GET /audit/breaches/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct BreachShown {
    /// Audit / Breaches / the day.
    pub crumbs: Vec<Crumb>,
    /// What happened.
    pub what: String,
    /// "Noticed on 2 March 2026, 08:00, written down by Olivia Tan".
    pub noticed: String,
    /// "What Hannah Lim's access opened from … to …".
    pub reach: String,
    /// The two clocks.
    pub clocks: Vec<ClockCard>,
    /// "12 patients".
    pub count: String,
    /// Said when pages with many patients were opened.
    pub lists: Option<String>,
    /// Said when it is more than a thousand people.
    pub scale: Option<String>,
    /// The affected patients, by name.
    pub people: Vec<AffectedRow>,
    /// The next of them.
    pub more: Option<String>,
    /// The first of them.
    pub first: Option<String>,
    /// All of them as a file.
    pub csv: String,
    /// What was written down, oldest first.
    pub written: Vec<Written>,
    /// Where more is written down.
    pub action: String,
    /// The note to write.
    pub text: Field,
    /// What the note is about.
    pub step: Field,
    /// What it can be about.
    pub steps: Vec<Choice>,
    /// When it was closed.
    pub closed: Option<String>,
}

/// One clock.
#[derive(Debug, Clone, Serialize)]
pub struct ClockCard {
    /// "Tell the Commissioner".
    pub title: String,
    /// "61 hours left", "Told on 3 March 2026, 10:00".
    pub state: String,
    /// A tag's tone.
    pub tone: &'static str,
    /// "By 5 March 2026, 08:00 (72 hours)".
    pub by: String,
    /// What to tell.
    pub tell: Vec<String>,
}

/// An affected patient.
#[derive(Debug, Clone, Serialize)]
pub struct AffectedRow {
    /// The name.
    pub name: String,
    /// Their page.
    pub href: String,
    /// The address.
    pub email: Option<String>,
    /// "3 times, the last 2 March 2026, 08:00".
    pub times: String,
    /// Whether the data was taken away as a file.
    pub exported: bool,
}

/// Something written down.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// "The Commissioner was told".
    pub step: String,
    /// "3 March 2026, 10:00".
    pub at: String,
    /// By whom.
    pub by: String,
    /// In which words.
    pub text: String,
}

impl Page for BreachShown {
    const TEMPLATE: &'static str = "pages/physio/breach.html";

    fn samples() -> Vec<Self> {
        let clock = |title: &str, state: &str, tone| ClockCard {
            title: title.into(),
            state: state.into(),
            tone,
            by: "By 5 March 2026, 08:00: 72 hours after it was noticed".into(),
            tell: vec!["What happened, and when.".into(), "How many people, and which data.".into()],
        };
        let full = Self {
            crumbs: vec![Crumb::to("Audit", "/audit"), Crumb::to("Breaches", "/audit/breaches"), Crumb::here("2 March 2026")],
            what: "A laptop was taken from the front desk while Hannah was signed in.".into(),
            noticed: "Noticed on 2 March 2026, 08:00. Written down by Olivia Tan.".into(),
            reach: "What was opened with Hannah Lim’s access from 1 March 2026 to 2 March 2026.".into(),
            clocks: vec![
                clock("Tell the Commissioner", "61 hours left", "warn"),
                clock("Tell the people", "6 days and 13 hours left", "warn"),
            ],
            count: "1 patient".into(),
            lists: Some("The list of patients was opened 2 times in it: everybody on the list may be affected.".into()),
            scale: None,
            people: vec![AffectedRow {
                name: "Wei Ling Tan".into(),
                href: "/patients/x".into(),
                email: Some("wei@example.test".into()),
                times: "3 times, the last on 2 March 2026, 08:00".into(),
                exported: true,
            }],
            more: None,
            first: None,
            csv: "/audit/breaches/x/people.csv".into(),
            written: vec![],
            action: "/audit/breaches/x".into(),
            text: Field::default(),
            step: Field::holding("noted"),
            steps: vec![Choice::new("noted", "A note"), Choice::new("closed", "It is dealt with")],
            closed: None,
        };
        vec![
            full.clone(),
            Self { people: vec![], lists: None, count: "Nobody".into(), ..full.clone() },
            Self {
                scale: Some("More than 1,000 people: tell the Commissioner that it is of significant scale.".into()),
                more: Some("/audit/breaches/x?after=y".into()),
                text: Field::refused("", "Write down what was done."),
                ..full.clone()
            },
            Self {
                first: Some("/audit/breaches/x".into()),
                closed: Some("Closed on 9 March 2026, 10:00.".into()),
                clocks: vec![clock("Tell the Commissioner", "Told on 3 March 2026, 10:00", "")],
                written: vec![Written {
                    step: "The Commissioner was told".into(),
                    at: "3 March 2026, 10:00".into(),
                    by: "Olivia Tan".into(),
                    text: "By the form on the website.".into(),
                }],
                ..full
            },
        ]
    }
}
