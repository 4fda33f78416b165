//! The patient's own reminder hours.

use serde::Serialize;

use crate::{
    Field, Page,
    forms::Choice,
    pages::story::{DayTold, Line},
};

/// `/reminders`.
#[derive(Debug, Clone, Serialize)]
pub struct Reminders {
    /// Where we write to; `None` when the clinic knows no address.
    pub address: Option<String>,
    /// What keeps reminders, or all mail, from the address at present.
    pub state: Option<String>,
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
    /// "Kuala Lumpur": the patient's zone as people name it.
    pub zone_name: String,
    /// "08:12", the present time there.
    pub zone_time: String,
    /// The zone as the form sends it.
    pub zone: Field,
    /// The zones often chosen, the patient's own first.
    pub zones_common: Vec<Choice>,
    /// Every zone.
    pub zones: Vec<Choice>,
    /// When the clinic's quiet hours begin, if there are any.
    pub quiet_from: Option<String>,
    /// When they end.
    pub quiet_to: Option<String>,
    /// The next seven days, each with its reminders or why there is none.
    pub preview: Vec<PreviewDay>,
    /// Why there is none on any of them.
    pub preview_none: Option<String>,
    /// What a test would do, or why there can be none.
    pub test: String,
    /// Whether one can be asked for.
    pub can_test: bool,
    /// What was sent in the last 14 days, or why not; newest first.
    pub sent: Vec<Line>,
    /// The day asked about, as `2026-11-23`.
    pub date: Field,
    /// The answer.
    pub told: Option<DayTold>,
    /// The https address of the patient's calendar; `None` while there is none.
    pub calendar: Option<String>,
}

/// One of the next days.
#[derive(Debug, Clone, Serialize)]
pub struct PreviewDay {
    /// "Mon 23 Nov".
    pub day: String,
    /// "08:00 · 12-minute session", for each reminder.
    pub lines: Vec<String>,
    /// Why there is none.
    pub why: Option<String>,
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
        let [told, none] = DayTold::samples();
        let on = Self {
            address: Some("weiling@demo.test".into()),
            state: None,
            off: false,
            problem: None,
            reminders: Field::holding("on"),
            choices: vec![Choice::new("on", "On"), Choice::new("off", "Off")],
            times: vec![Field::holding("08:00"), Field::default(), Field::default()],
            days,
            days_error: None,
            paused_until: Field::default(),
            zone_name: "Kuala Lumpur".into(),
            zone_time: "08:12".into(),
            zone: Field::holding("Asia/Kuala_Lumpur"),
            zones_common: vec![Choice::new("Asia/Kuala_Lumpur", "Kuala Lumpur, 08:12")],
            zones: vec![Choice::new("Asia/Tokyo", "Asia/Tokyo")],
            quiet_from: Some("21:00".into()),
            quiet_to: Some("07:00".into()),
            preview: vec![
                PreviewDay { day: "Mon 23 Nov".into(), lines: vec!["08:00 · 12-minute session".into()], why: None },
                PreviewDay { day: "Tue 24 Nov".into(), lines: Vec::new(), why: Some("a rest day".into()) },
            ],
            preview_none: None,
            test: "We send one mail to weiling@demo.test.".into(),
            can_test: true,
            sent: told.lines.clone(),
            date: Field::default(),
            told: None,
            calendar: None,
        };
        vec![
            on.clone(),
            Self {
                off: true,
                reminders: Field::holding("off"),
                preview: Vec::new(),
                preview_none: Some("Reminders are off.".into()),
                sent: Vec::new(),
                ..on.clone()
            },
            Self { calendar: Some("https://clinic.test/calendar/AbC.ics".into()), ..on.clone() },
            Self { address: None, can_test: false, ..on.clone() },
            Self { state: Some("Mail to weiling@demo.test came back.".into()), ..on.clone() },
            Self { quiet_from: None, quiet_to: None, ..on.clone() },
            Self { told: Some(told), date: Field::holding("2026-11-23"), ..on.clone() },
            Self { told: Some(none), date: Field::holding("2026-11-22"), ..on.clone() },
            Self { date: Field::refused("soon", "Give the day as year, month and day."), ..on.clone() },
            Self {
                problem: Some("Nothing was saved yet.".into()),
                times: vec![Field::refused("22:00", "Choose another time."), Field::default(), Field::default()],
                days_error: Some("Choose at least one day.".into()),
                paused_until: Field::refused("2026-02-31", "Give the date as year, month and day."),
                zone: Field::refused("Mars/Base", "Choose a zone from the list."),
                ..on
            },
        ]
    }
}
