//! The clinic's report: adherence and pain change of groups of patients, and who still logs week by week.

use domain::cohort::Week;
use serde::Serialize;

use super::patient::{Figure, Period, Preset};
use crate::{
    Field, Page,
    charts::{self, ByWeek},
};

/// `GET /reports/adherence`.
#[derive(Debug, Serialize)]
pub struct ClinicReport {
    /// Whose patients these are: "All patients of the clinic".
    pub whose: String,
    /// Which days.
    pub period: Period,
    /// "26 October 2026 to 22 November 2026 · self-reported · printed on 22 November 2026, 16:05", for paper.
    pub printed: String,
    /// How the figures are counted, sentence by sentence.
    pub counted: Vec<&'static str>,
    /// Why there is nothing to show: the period asked for holds too much.
    pub too_much: Option<String>,
    /// The figures; `None` when nothing was due in the period, or there is too much.
    pub report: Option<Report>,
}

/// The figures of a period.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file.
    pub csv: String,
    /// "412".
    pub patients: Figure,
    /// "8,412 of 10,530".
    pub sessions: Figure,
    /// "74%".
    pub completion: Figure,
    /// How many patients' pain changed meaningfully.
    pub pain: Figure,
    /// By physiotherapist.
    pub staff: Vec<Row>,
    /// By program.
    pub programs: Vec<Row>,
    /// How many more programs the file lists, in a sentence.
    pub programs_more: Option<String>,
    /// By exercise; `None` until somebody asks for it.
    pub exercises: Option<Vec<Row>>,
    /// How many more exercises the file lists, in a sentence.
    pub exercises_more: Option<String>,
    /// The page with the exercises; `None` when this is it.
    pub with_exercises: Option<String>,
    /// Who still logs; `None` when no week of a program lies inside the period.
    pub weeks: Option<ByWeek>,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Of how many patients.
    pub patients: u32,
    /// "412 of 530".
    pub counts: String,
    /// 0 to 100, for the bar; `None` of too few.
    pub percent: Option<u8>,
    /// "78%" or "too few to read".
    pub figure: String,
    /// "71%"; `None` of too few, and by exercise.
    pub completion: Option<String>,
    /// "down 1.4", "too few to read", "no scores to read".
    pub pain: String,
    /// "n = 12: 7 better, 1 worse, 4 unchanged"; `None` without any.
    pub pain_note: Option<String>,
    /// "Skipped 8 times: it hurt 6, no time 2"; by exercise.
    pub skipped: Option<String>,
}

/// How the figures are counted.
pub const COUNTED: [&str; 4] = [
    "Every figure rests on what patients logged; nothing measured it. Diaries overstate: in one study 220 sessions were logged where a \
     sensor measured 176.",
    "Adherence is sessions done out of sessions due, all patients of a row together. A day that is over without a log counts as missed; \
     paused days never count; today counts only as far as it is logged.",
    "Pain compares each patient’s first 7 days with a score in the period with the last 7, and is read only from more than 7 such days. \
     “Better” and “worse” are meaningful changes by that patient’s region; a short period has few of them.",
    "Fewer than 5 patients, or 5 sessions due, are counted and not interpreted. A difference between rows is no comparison: who is on a row \
     was not chosen by chance.",
];

impl Page for ClinicReport {
    const TEMPLATE: &'static str = "pages/physio/clinic_report.html";

    fn samples() -> Vec<Self> {
        let printed = || "26 October 2026 to 22 November 2026 · self-reported · printed on 22 November 2026, 16:05".to_owned();
        let period = |error: Option<&str>| Period {
            action: "/reports/adherence".into(),
            from: Field { value: "2026-10-26".into(), error: error.map(Into::into) },
            to: Field::holding("2026-11-22"),
            presets: vec![Preset { label: "Last 4 weeks".into(), href: "/reports/adherence".into(), current: true }],
            line: "26 October to 22 November".into(),
        };
        let row = Row {
            name: "Hannah Tan".into(),
            patients: 42,
            counts: "812 of 1,041".into(),
            percent: Some(78),
            figure: "78%".into(),
            completion: Some("71%".into()),
            pain: "down 1.4".into(),
            pain_note: Some("n = 31: 14 better, 2 worse, 15 unchanged".into()),
            skipped: None,
        };
        let few = Row {
            name: "Arjun Nair".into(),
            patients: 3,
            counts: "20 of 41".into(),
            percent: None,
            figure: "too few to read".into(),
            completion: None,
            pain: "no scores to read".into(),
            pain_note: None,
            skipped: None,
        };
        let exercise = Row {
            name: "Wall angels".into(),
            completion: None,
            skipped: Some("Skipped 8 times: it hurt 6, no time 2".into()),
            ..row.clone()
        };
        let weeks = [(1, 30, 29), (2, 28, 25), (3, 21, 15), (4, 4, 3)].map(|(number, programs, logging)| Week {
            number,
            programs,
            logging,
        });
        let report = Report {
            csv: "/reports/adherence.csv?from=2026-10-26&to=2026-11-22".into(),
            patients: Figure::of("45", "with a session due"),
            sessions: Figure::of("832 of 1,082", "77% of those prescribed"),
            completion: Figure::of("70%", "of all prescribed"),
            pain: Figure::of("14 of 31", "with a meaningful change for the better · 2 for the worse"),
            staff: vec![row.clone(), few.clone()],
            programs: vec![Row { name: "Upper back relief".into(), ..row.clone() }],
            programs_more: None,
            exercises: None,
            exercises_more: None,
            with_exercises: Some("/reports/adherence?by=exercise".into()),
            weeks: Some(charts::by_week(&weeks)),
        };
        let whole = Report {
            csv: "/reports/adherence.csv?from=2026-10-26&to=2026-11-22".into(),
            patients: Figure::of("3", "with a session due"),
            sessions: Figure::none("20 of 41", "too few to read"),
            completion: Figure::none("Too few to read", ""),
            pain: Figure::none("No scores to read", ""),
            staff: vec![few.clone()],
            programs: vec![few],
            programs_more: Some("50 of 80 programs are listed; the file has all.".into()),
            exercises: Some(vec![exercise]),
            exercises_more: Some("100 of 120 exercises are listed; the file has all.".into()),
            with_exercises: None,
            weeks: None,
        };
        vec![
            Self {
                whose: "All patients of the clinic".into(),
                period: period(None),
                printed: printed(),
                counted: COUNTED.into(),
                too_much: None,
                report: Some(report),
            },
            Self {
                whose: "Your own caseload".into(),
                period: period(None),
                printed: printed(),
                counted: COUNTED.into(),
                too_much: None,
                report: Some(whole),
            },
            Self {
                whose: "All patients of the clinic".into(),
                period: period(Some("That is longer than two years. Choose a shorter period.")),
                printed: printed(),
                counted: COUNTED.into(),
                too_much: None,
                report: None,
            },
            Self {
                whose: "All patients of the clinic".into(),
                period: period(None),
                printed: printed(),
                counted: COUNTED.into(),
                too_much: Some("More than 150,000 sessions were logged in these days.".into()),
                report: None,
            },
        ]
    }
}
