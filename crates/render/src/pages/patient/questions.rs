//! How things are: the page on which a patient scores activities and rates the change, and its card on Today.

use serde::Serialize;

use super::Fact;
use crate::{
    Page,
    forms::{Choice, Field},
    words::{Language, say},
};

/// The card on Today.
#[derive(Debug, Clone, Serialize)]
pub struct QuestionCard {
    /// Where it leads.
    pub href: String,
    /// "You told us on Monday 2 March how things are…" once answered; `None` while it is asked.
    pub done: Option<String>,
}

/// An activity that was named before.
#[derive(Debug, Clone, Serialize)]
pub struct KnownActivity {
    /// Its id.
    pub id: String,
    /// Its name, as the patient wrote it.
    pub name: String,
    /// "", "0" … "10" or "none".
    pub score: Field,
}

/// An activity that may be named here for the first time.
#[derive(Debug, Clone, Serialize)]
pub struct NewActivity {
    /// Its place among all, from 1.
    pub number: usize,
    /// What is typed.
    pub name: Field,
    /// As for [`KnownActivity::score`].
    pub score: Field,
}

/// `/questions/{program}` and `/answers/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct Questions {
    /// Where the form is sent.
    pub action: String,
    /// The answer's id, made with the page.
    pub answer_id: String,
    /// The program's name.
    pub program: String,
    /// A sentence above a form that was refused.
    pub problem: Option<String>,
    /// The day of the answer, where one is corrected.
    pub correcting: Option<String>,
    /// The day it was corrected last.
    pub corrected: Option<String>,
    /// Until when it can be corrected.
    pub until: Option<String>,
    /// What was answered, where it can be corrected no more; empty otherwise.
    pub facts: Vec<Fact>,
    /// The activities named before.
    pub activities: Vec<KnownActivity>,
    /// Room for new ones, in sight.
    pub new: Vec<NewActivity>,
    /// Room for more, folded away.
    pub more: Vec<NewActivity>,
    /// Whether something stands there already.
    pub more_open: bool,
    /// The change since the beginning; `None` the first time.
    pub rating: Option<Field>,
    /// The day it is compared with.
    pub since: Option<String>,
    /// 0 to 10.
    pub marks: Vec<Choice>,
    /// What the ends of it mean.
    pub ends: Vec<Choice>,
    /// −5 to +5.
    pub rating_marks: Vec<Choice>,
    /// What its ends and its middle mean.
    pub rating_ends: Vec<Choice>,
}

/// "+3", "0", "−2".
pub fn signed(value: i8) -> String {
    match value {
        0 => "0".to_owned(),
        1.. => format!("+{value}"),
        _ => format!("−{}", value.unsigned_abs()),
    }
}

impl Questions {
    /// The page with nothing answered and no activities.
    pub fn empty(language: Language, action: String, answer_id: String, program: String) -> Self {
        let end = |value: &str, key: &str| Choice::new(value, say(language, key, &[]));
        Self {
            action,
            answer_id,
            program,
            problem: None,
            correcting: None,
            corrected: None,
            until: None,
            facts: Vec::new(),
            activities: Vec::new(),
            new: Vec::new(),
            more: Vec::new(),
            more_open: false,
            rating: None,
            since: None,
            marks: (0..=10).map(|n: u8| Choice::new(n.to_string(), n.to_string())).collect(),
            ends: vec![end("0", "questions-ability-low"), end("10", "questions-ability-high")],
            rating_marks: (-5i8..=5).map(|n| Choice::new(n.to_string(), signed(n))).collect(),
            rating_ends: vec![
                end("-5", "questions-change-low"),
                end("0", "questions-change-middle"),
                end("5", "questions-change-high"),
            ],
        }
    }
}

impl Page for Questions {
    const TEMPLATE: &'static str = "pages/patient/questions.html";

    fn samples() -> Vec<Self> {
        let empty = || {
            let program = "Upper back relief".to_owned();
            Self::empty(Language::En, "/questions/01936f00".into(), "01936f00-0000-7000-8000-0000000000aa".into(), program)
        };
        let new = |number: usize| NewActivity { number, name: Field::default(), score: Field::default() };
        let known = |name: &str, score: Field| KnownActivity {
            id: "01936f00-0000-7000-8000-0000000000ab".into(),
            name: name.into(),
            score,
        };
        let first = Self { new: (1..=3).map(new).collect(), more: (4..=5).map(new).collect(), ..empty() };
        let again = Self {
            activities: vec![
                known("An hour at the desk", Field::default()),
                known("Lifting my daughter", Field::holding("0")),
                known("Reaching the top shelf", Field::holding("none")),
            ],
            more: vec![new(4)],
            rating: Some(Field::default()),
            since: Some("Monday 12 October".into()),
            ..empty()
        };
        vec![
            Self {
                problem: Some("Please look at what is marked below.".into()),
                new: vec![NewActivity {
                    number: 1,
                    name: Field::refused("", "Say which activity this is."),
                    score: Field::holding("4"),
                }],
                more: vec![NewActivity {
                    number: 2,
                    name: Field::holding("Driving"),
                    score: Field::refused("12", "Choose a number."),
                }],
                more_open: true,
                ..empty()
            },
            first,
            Self {
                correcting: Some("Monday 9 November".into()),
                corrected: Some("Tuesday 10 November".into()),
                until: Some("Monday 16 November".into()),
                rating: Some(Field::holding("-5")),
                ..again.clone()
            },
            Self {
                correcting: Some("Monday 9 November".into()),
                facts: vec![Fact { name: "An hour at the desk".into(), text: "6 of 10".into() }],
                ..empty()
            },
            again,
        ]
    }
}
