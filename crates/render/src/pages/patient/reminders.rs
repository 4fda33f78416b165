//! The patient's own reminder hours.

use serde::Serialize;

use crate::{Field, Page, forms::Choice};

/// `/reminders`.
#[derive(Debug, Clone, Serialize)]
pub struct Reminders {
    /// Where we write to; `None` when the clinic knows no address.
    pub address: Option<String>,
    /// Whether mail to the address came back for good.
    pub dead: bool,
    /// Whether the patient has reminders off (or unsubscribed).
    pub off: bool,
    /// Why nothing was saved.
    pub problem: Option<String>,
    /// "on" or "off".
    pub reminders: Field,
    /// The two.
    pub choices: Vec<Choice>,
    /// Three local times as `08:00`, or empty.
    pub times: Vec<Field>,
    /// Monday to Sunday.
    pub days: Vec<DayChoice>,
    /// What is wrong with the days.
    pub days_error: Option<String>,
    /// The last day without reminders as `2026-12-24`, or empty.
    pub paused_until: Field,
    /// The patient's zone as people name it.
    pub zone: String,
    /// When the clinic's quiet hours begin, if there are any.
    pub quiet_from: Option<String>,
    /// When they end.
    pub quiet_to: Option<String>,
    /// The reminders of the next seven days, in words.
    pub preview: Vec<String>,
}

/// A weekday to tick.
#[derive(Debug, Clone, Serialize)]
pub struct DayChoice {
    /// 0 for Monday … 6 for Sunday.
    pub value: String,
    /// "M".
    pub letter: String,
    /// "Monday".
    pub label: String,
    /// Ticked.
    pub on: bool,
}

impl Page for Reminders {
    const TEMPLATE: &'static str = "pages/patient/reminders.html";

    fn samples() -> Vec<Self> {
        let days: Vec<DayChoice> = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
            .iter()
            .enumerate()
            .map(|(at, name)| DayChoice {
                value: at.to_string(),
                letter: name.chars().take(1).collect(),
                label: (*name).to_owned(),
                on: at < 6,
            })
            .collect();
        let on = Self {
            address: Some("weiling@demo.test".into()),
            dead: false,
            off: false,
            problem: None,
            reminders: Field::holding("on"),
            choices: vec![Choice::new("on", "On"), Choice::new("off", "Off")],
            times: vec![Field::holding("08:00"), Field::default(), Field::default()],
            days,
            days_error: None,
            paused_until: Field::default(),
            zone: "Asia/Kuala Lumpur".into(),
            quiet_from: Some("21:00".into()),
            quiet_to: Some("07:00".into()),
            preview: vec!["Monday 23 November at 08:00".into()],
        };
        vec![
            on.clone(),
            Self { off: true, reminders: Field::holding("off"), preview: Vec::new(), ..on.clone() },
            Self { address: None, ..on.clone() },
            Self { dead: true, ..on.clone() },
            Self { quiet_from: None, quiet_to: None, ..on.clone() },
            Self {
                problem: Some("Nothing was saved yet.".into()),
                times: vec![Field::refused("22:00", "Choose another time."), Field::default(), Field::default()],
                days_error: Some("Choose at least one day.".into()),
                paused_until: Field::refused("2026-02-31", "Give the date as year, month and day."),
                ..on
            },
        ]
    }
}
