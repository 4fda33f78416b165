//! One program as the physiotherapist reads and steers it.

use serde::Serialize;

use crate::{Field, Page, forms::Crumb};

/// One exercise of a version.
#[derive(Debug, Clone, Serialize)]
pub struct PrescribedLine {
    /// The exercise's page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// The dose in words.
    pub dose: String,
    /// The note to the patient.
    pub note: Option<String>,
}

/// One version.
#[derive(Debug, Clone, Serialize)]
pub struct VersionShown {
    /// "From 23 November 2026".
    pub heading: String,
    /// "now", "planned", or nothing for earlier ones.
    pub tag: Option<String>,
    /// "Monday to Saturday, once a day · about 12 minutes".
    pub schedule: String,
    /// The exercises in order.
    pub lines: Vec<PrescribedLine>,
    /// Whether it is shown open: the one in effect.
    pub open: bool,
}

/// Versions beside each other.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The versions, the oldest first.
    pub columns: Vec<Compared>,
    /// How often, how long, and every exercise that any of them has.
    pub rows: Vec<CompareRow>,
    /// How many earlier versions are left out.
    pub left_out: usize,
}

/// A version at the head of its column.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// "Version 2".
    pub title: String,
    /// "9 February to 1 March", or that it never came into effect.
    pub when: String,
    /// "by Hannah Lee, 8 February".
    pub by: String,
    /// "in effect", "planned", or nothing.
    pub tag: Option<String>,
}

/// One thing in every version.
#[derive(Debug, Clone, Serialize)]
pub struct CompareRow {
    /// "Wall angels", "Days".
    pub name: String,
    /// The exercise's page.
    pub href: Option<String>,
    /// One for each version.
    pub cells: Vec<CompareCell>,
}

/// What it is in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompareCell {
    /// "3 × 10–12"; empty where the version does not have it.
    pub text: String,
    /// The note to the patient.
    pub note: Option<String>,
    /// Against the version before: "changed", "new", "taken out", or nothing.
    pub change: &'static str,
}

/// One pause.
#[derive(Debug, Clone, Serialize)]
pub struct PauseShown {
    /// "22 to 25 November".
    pub when: String,
    /// Why.
    pub reason: String,
    /// Why it ended, when somebody ended it with a reason.
    pub resumed: Option<String>,
}

/// `/programs/{id}`
#[derive(Debug, Clone, Serialize)]
pub struct ProgramShown {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// Its name.
    pub name: String,
    /// "On its way", "Paused", …
    pub status: String,
    /// The tone of the status: empty, `warn`, `pain` or `quiet`.
    pub tone: String,
    /// "23 November 2026 to 3 January 2027 · week 2 of 6".
    pub when: String,
    /// A sentence above a refused form.
    pub problem: Option<String>,
    /// What holds it, when a stop sign does.
    pub stopped: Option<String>,
    /// The versions, the newest first.
    pub versions: Vec<VersionShown>,
    /// The versions side by side; `None` while there is one.
    pub comparison: Option<Comparison>,
    /// The pauses, the newest first.
    pub pauses: Vec<PauseShown>,
    /// The program on paper.
    pub handout: String,
    /// Where to change it; `None` when it is over.
    pub revise: Option<String>,
    /// Where to post a pause; `None` when it cannot be paused.
    pub pause: Option<String>,
    /// Where to post going on; `None` when it is not paused.
    pub resume: Option<String>,
    /// Where to post its end; `None` when it is over.
    pub finish: Option<String>,
    /// The first paused day.
    pub pause_from: Field,
    /// The last paused day, or empty.
    pub pause_until: Field,
    /// Why it is paused.
    pub pause_reason: Field,
    /// Why it goes on.
    pub resume_reason: Field,
    /// Which form is open, because it was refused: `pause`, `resume` or nothing.
    pub open: String,
    /// The question before it is finished.
    pub finish_question: String,
}

impl Page for ProgramShown {
    const TEMPLATE: &'static str = "pages/physio/program.html";

    fn samples() -> Vec<Self> {
        let line = PrescribedLine {
            href: "/exercises/1".into(),
            name: "Wall angels".into(),
            dose: "10–12 times".into(),
            note: Some("Slowly.".into()),
        };
        let version = VersionShown {
            heading: "From 23 November 2026".into(),
            tag: Some("now".into()),
            schedule: "Monday to Saturday, once a day".into(),
            lines: vec![line.clone(), PrescribedLine { note: None, ..line }],
            open: true,
        };
        let active = Self {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::to("Farah Aziz", "/patients/1"), Crumb::here("Program")],
            name: "Upper back relief".into(),
            status: "On its way".into(),
            tone: String::new(),
            when: "23 November 2026 to 3 January 2027 · week 2 of 6".into(),
            problem: None,
            stopped: None,
            versions: vec![version.clone(), VersionShown { tag: None, open: false, ..version }],
            comparison: None,
            pauses: Vec::new(),
            handout: "/programs/1/handout".into(),
            revise: Some("/programs/1/revise".into()),
            pause: Some("/programs/1/pause".into()),
            resume: None,
            finish: Some("/programs/1/finish".into()),
            pause_from: Field::holding("2026-11-24"),
            pause_until: Field::default(),
            pause_reason: Field::default(),
            resume_reason: Field::default(),
            open: String::new(),
            finish_question: "Finish this program today?".into(),
        };
        let pause =
            PauseShown { when: "from 22 November".into(), reason: "On holiday.".into(), resumed: Some("Back home.".into()) };
        let mut refused = active.clone();
        refused.problem = Some("The program was not paused.".into());
        refused.open = "pause".into();
        refused.pause_until = Field::refused("2026-11-01", "The pause ends before it starts. Choose a later end.");
        let cell = |text: &str, change: &'static str| CompareCell { text: text.into(), note: None, change };
        let comparison = Comparison {
            columns: vec![
                Compared {
                    title: "Version 1".into(),
                    when: "23 to 29 November 2026".into(),
                    by: "by Hannah Lim, 22 November".into(),
                    tag: None,
                },
                Compared {
                    title: "Version 2".into(),
                    when: "from 30 November 2026".into(),
                    by: "by Hannah Lim, 29 November".into(),
                    tag: Some("in effect".into()),
                },
            ],
            rows: vec![
                CompareRow { name: "Days".into(), href: None, cells: vec![cell("Every day", ""), cell("Every day", "")] },
                CompareRow {
                    name: "Wall angels".into(),
                    href: Some("/exercises/1".into()),
                    cells: vec![
                        CompareCell { note: Some("Slowly.".into()), ..cell("10–12 times", "") },
                        cell("8–10 times", "changed"),
                    ],
                },
            ],
            left_out: 2,
        };
        vec![
            active.clone(),
            Self { comparison: Some(comparison), ..active.clone() },
            refused,
            Self {
                status: "Stopped".into(),
                tone: "pain".into(),
                stopped: Some("Farah reported a stop sign on 22 November.".into()),
                pauses: vec![pause.clone(), PauseShown { resumed: None, ..pause }],
                pause: None,
                resume: Some("/programs/1/resume".into()),
                ..active.clone()
            },
            Self { status: "Finished".into(), tone: "quiet".into(), revise: None, pause: None, finish: None, ..active },
        ]
    }
}
