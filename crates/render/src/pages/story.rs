//! "Why did I (not) get this mail?", answered for one day: on the clinic's page and on the patient's.

use serde::Serialize;

/// One day's answer.
#[derive(Debug, Clone, Serialize)]
pub struct DayTold {
    /// "Monday 23 November".
    pub day: String,
    /// Why there was no reminder at all.
    pub nothing: Option<String>,
    /// Each chosen time, in order.
    pub lines: Vec<Line>,
    /// Other mail of that day.
    pub other: Vec<Line>,
}

/// One mail, or one time at which there was none.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// "08:00", or when the mail was due.
    pub time: String,
    /// "Sent", "Not needed", "Planned".
    pub label: String,
    /// How the label looks: "", "pain", "warn" or "quiet".
    pub tone: &'static str,
    /// A sign beside the label, where it matters.
    pub icon: &'static str,
    /// What happened, in a sentence.
    pub text: String,
    /// The mail server's own words, where they say more.
    pub reply: Option<String>,
}

impl DayTold {
    pub(crate) fn samples() -> [Self; 2] {
        let line = Line {
            time: "08:00".into(),
            label: "Sent".into(),
            tone: "",
            icon: "check",
            text: "Sent at 08:00 to weiling@demo.test.".into(),
            reply: Some("250 2.0.0 Ok: queued as 4F1A".into()),
        };
        let other = Line { time: "10:15".into(), text: "Program assigned: sent at 10:15.".into(), reply: None, ..line.clone() };
        [
            Self { day: "Monday 23 November".into(), nothing: None, lines: vec![line], other: vec![other] },
            Self { day: "Sunday 22 November".into(), nothing: Some("A rest day.".into()), lines: Vec::new(), other: Vec::new() },
        ]
    }
}
