//! Change as patients tell it: activities and the rating of change, program by program. Part of the patient's page.

use serde::Serialize;

use crate::forms::{Choice, Field};

/// The section.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeSection {
    /// Whether anything was told; what can only be asked is not for paper.
    pub told: bool,
    /// The programs in which something was or can be asked, newest first.
    pub programs: Vec<ProgramChange>,
}

/// What was told in one program.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramChange {
    /// The program's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// "Asked every 4 weeks. Waits for an answer since 9 November."
    pub state: String,
    /// Where asking is switched; `None` for a program that is over.
    pub ask: Option<Ask>,
    /// The activities; `None` before the first answer.
    pub activities: Option<Activities>,
    /// The ratings of change, newest first.
    pub ratings: Vec<RatingLine>,
    /// What the ratings are held against; `None` without any.
    pub ratings_source: Option<String>,
}

/// The form that switches asking on and off.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    /// Where it is sent.
    pub action: String,
    /// How often, chosen.
    pub every: Field,
    /// How often, to choose from.
    pub choices: Vec<Choice>,
    /// Whether it is on.
    pub on: bool,
}

/// Activities by date.
#[derive(Debug, Clone, Serialize)]
pub struct Activities {
    /// "12 Oct", oldest first.
    pub dates: Vec<String>,
    /// A row for each activity, then none.
    pub rows: Vec<ActivityRow>,
    /// The means by date, "3.3 (n = 3)".
    pub means: Vec<String>,
    /// What is left out; `None` when nothing is.
    pub cut: Option<String>,
    /// "3.3 → 6.0"; `None` before there is something to compare.
    pub figure: Option<String>,
    /// What it means, in a sentence.
    pub reading: String,
    /// What it was held against, sentence by sentence.
    pub against: Vec<String>,
}

/// One activity.
#[derive(Debug, Clone, Serialize)]
pub struct ActivityRow {
    /// In the patient's words.
    pub name: String,
    /// By date; "?" where it was asked and not given, "–" where it was not asked.
    pub scores: Vec<String>,
}

/// One rating of change.
#[derive(Debug, Clone, Serialize)]
pub struct RatingLine {
    /// "9 November 2026".
    pub date: String,
    /// "+3".
    pub value: String,
    /// What it means.
    pub reading: String,
}

impl ChangeSection {
    /// What the samples of the patient's page show.
    pub(crate) fn sample() -> Self {
        let ask = Ask {
            action: "/programs/0199/questions".into(),
            every: Field::holding("4"),
            choices: ["2", "4", "6"].map(|weeks| Choice::new(weeks, format!("every {weeks} weeks"))).into(),
            on: true,
        };
        let told = ProgramChange {
            id: "01936f00-0000-7000-8000-0000000000aa".into(),
            name: "Upper back relief".into(),
            state: "Asked every 4 weeks. Next on 16 November.".into(),
            ask: Some(ask.clone()),
            activities: Some(Activities {
                dates: vec!["12 Oct".into(), "9 Nov".into()],
                rows: vec![
                    ActivityRow { name: "An hour at the desk".into(), scores: vec!["3".into(), "7".into()] },
                    ActivityRow { name: "Lifting my daughter".into(), scores: vec!["?".into(), "0".into()] },
                ],
                means: vec!["3.0 (n = 1)".into(), "3.5 (n = 2)".into()],
                cut: Some("The first and the last 5 answers are shown.".into()),
                figure: Some("3.0 → 7.0".into()),
                reading: "Up 4.0 on the 1 activity scored both times.".into(),
                against: vec!["A single activity may differ by 3 points.".into()],
            }),
            ratings: vec![RatingLine { date: "9 November 2026".into(), value: "+3".into(), reading: "better".into() }],
            ratings_source: Some("Patients call 2 points important.".into()),
        };
        let none = ProgramChange {
            name: "Desk break".into(),
            state: "Not asked.".into(),
            ask: Some(Ask { on: false, ..ask }),
            activities: None,
            ratings: Vec::new(),
            ratings_source: None,
            ..told.clone()
        };
        let over = ProgramChange {
            ask: None,
            activities: told.activities.clone().map(|activities| Activities { cut: None, figure: None, ..activities }),
            ..told.clone()
        };
        Self { told: true, programs: vec![told, none, over] }
    }
}
