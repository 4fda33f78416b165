//! What the clinic answered to what the patient wrote.

use serde::Serialize;

/// The answers to what was said with one session, on Today until the patient says that they have read them.
#[derive(Debug, Clone, Serialize)]
pub struct AnswerCard {
    /// "An answer from Hannah".
    pub title: String,
    /// "You wrote on Wednesday 18 November:".
    pub about: String,
    /// The patient's own words; `None` when only stop signs were ticked.
    pub note: Option<String>,
    /// Oldest first.
    pub answers: Vec<Answered>,
    /// Where it is said that they were read.
    pub read: String,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// "Hannah, Thursday 19 November".
    pub by: String,
    /// The answer.
    pub text: String,
}

impl Answered {
    pub(super) fn sample() -> Self {
        Self {
            by: "Hannah, Thursday 19 November".into(),
            text: "Lower your elbows a little, and stop before it pinches.\nWe look at it together on Monday.".into(),
        }
    }
}

impl AnswerCard {
    pub(super) fn sample() -> Self {
        Self {
            title: "An answer from Hannah".into(),
            about: "You wrote on Wednesday 18 November:".into(),
            note: Some("Wall angels pinch at the front of my right shoulder.".into()),
            answers: vec![Answered::sample()],
            read: "/logs/01936f00-0000-7000-8000-000000000001/replies/read".into(),
        }
    }
}
