//! The builder: one page for a new program, a change of a program, and a template.

use serde::Serialize;

use super::library::DoseFields;
use crate::{
    Field, Page, Svg, figures,
    figures::Pose,
    forms::{Choice, Crumb},
};

/// What is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A program for one patient.
    New,
    /// A new version of a program.
    Revise,
    /// A template.
    Template,
}

/// One weekday to tick.
#[derive(Debug, Clone, Serialize)]
pub struct DayTick {
    /// What the form sends: 0 for Monday … 6 for Sunday.
    pub value: String,
    /// "M".
    pub letter: String,
    /// "Monday".
    pub label: String,
    /// Whether it is ticked.
    pub on: bool,
}

/// One exercise of the program.
#[derive(Debug, Clone, Serialize)]
pub struct BuilderRow {
    /// The exercise's id, as the form sends it.
    pub exercise: String,
    /// Its name.
    pub name: String,
    /// Its drawing, or the placeholder.
    pub figure_svg: Svg,
    /// The dose as typed.
    pub dose: DoseFields,
    /// A word to the patient, as typed.
    pub note: Field,
    /// What is wrong with the exercise itself (no longer in the library).
    pub error: Option<String>,
}

/// One exercise that can be added.
#[derive(Debug, Clone, Serialize)]
pub struct LibraryItem {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// "Upper back · 10–12 times".
    pub detail: String,
    /// Its drawing, or the placeholder.
    pub figure_svg: Svg,
    /// Whether the program has it already.
    pub used: bool,
}

/// The library beside the program.
#[derive(Debug, Clone, Serialize)]
pub struct LibraryPanel {
    /// The words searched for.
    pub q: String,
    /// "Search 64 exercises".
    pub placeholder: String,
    /// The region that is on; empty for all.
    pub region: String,
    /// What `region` may be; the first is all.
    pub regions: Vec<Choice>,
    /// Whether only exercises without equipment are shown.
    pub no_equipment: bool,
    /// What was found.
    pub items: Vec<LibraryItem>,
    /// "The first 20 of 873: search to find the others."
    pub more: Option<String>,
}

/// A template to start from.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateLink {
    /// The builder filled from it.
    pub href: String,
    /// Its name.
    pub name: String,
    /// "5 exercises · about 12 minutes · 6 sessions a week for 6 weeks".
    pub summary: String,
}

/// `/patients/{id}/programs/new`, `/programs/{id}/revise`, `/templates/new`, `/templates/{id}`
#[derive(Debug, Clone, Serialize)]
pub struct ProgramBuilder {
    /// What is being built.
    pub kind: Kind,
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// What the page is called.
    pub title: String,
    /// "5 exercises · about 12 minutes a session · 6 sessions a week for 6 weeks".
    pub summary: String,
    /// Where it is posted.
    pub action: String,
    /// The id that the program will have: posted twice, it is still one program. `None` where nothing new is made.
    pub program_id: Option<String>,
    /// What the button that finishes it says.
    pub submit: String,
    /// What that button does beside saving, in a sentence.
    pub consequence: Option<String>,
    /// A sentence above a refused form.
    pub problem: Option<String>,
    /// A sentence about what was done while building ("Saved as template …").
    pub notice: Option<String>,
    /// Advice that never blocks.
    pub advice: Option<String>,
    /// The name.
    pub name: Field,
    /// The first day, as a date input has it.
    pub starts: Field,
    /// The number of weeks.
    pub weeks: Field,
    /// The last day, instead of a number of weeks.
    pub ends: Field,
    /// The first day of the change.
    pub from: Field,
    /// Sessions a day.
    pub times_a_day: Field,
    /// What `times_a_day` may be.
    pub times: Vec<Choice>,
    /// The weekdays.
    pub days: Vec<DayTick>,
    /// What is wrong with the weekdays.
    pub days_error: Option<String>,
    /// The reminder's hour.
    pub remind_at: Field,
    /// The exercises in order.
    pub rows: Vec<BuilderRow>,
    /// What is wrong with the list as a whole.
    pub rows_error: Option<String>,
    /// What the units may be.
    pub units: Vec<Choice>,
    /// What the sides may be.
    pub all_sides: Vec<Choice>,
    /// The library.
    pub library: LibraryPanel,
    /// Templates to start from, while the program is empty.
    pub templates: Vec<TemplateLink>,
    /// Where to post to archive the template.
    pub archive: Option<String>,
    /// Where to use the template for a patient.
    pub use_for: Option<String>,
}

impl Page for ProgramBuilder {
    const TEMPLATE: &'static str = "pages/physio/program_builder.html";

    fn samples() -> Vec<Self> {
        let row = |name: &str, key: &str| BuilderRow {
            exercise: "0193a6c2-7d7e-7000-8000-000000000001".into(),
            name: name.into(),
            figure_svg: figures::svg_titled(key, Pose::End, "").unwrap_or_else(figures::placeholder),
            dose: DoseFields::sample(),
            note: Field::default(),
            error: None,
        };
        let letters = ["M", "T", "W", "T", "F", "S", "S"];
        let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let new = Self {
            kind: Kind::New,
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::to("Farah Aziz", "/patients/1"), Crumb::here("New program")],
            title: "Upper back relief".into(),
            summary: "2 exercises · about 12 minutes a session · 6 sessions a week for 6 weeks".into(),
            action: "/patients/1/programs".into(),
            program_id: Some("0193a6c2-7d7e-7000-8000-000000000002".into()),
            submit: "Assign and email Farah".into(),
            consequence: Some("Farah gets an email now and a reminder at 08:00 on days with a session.".into()),
            problem: None,
            notice: None,
            advice: None,
            name: Field::holding("Upper back relief"),
            starts: Field::holding("2026-11-23"),
            weeks: Field::holding("6"),
            ends: Field::default(),
            from: Field::default(),
            times_a_day: Field::holding("1"),
            times: (1..=6).map(|n| Choice::new(n.to_string(), n.to_string())).collect(),
            days: names
                .iter()
                .zip(letters)
                .enumerate()
                .map(|(at, (label, letter))| DayTick {
                    value: at.to_string(),
                    letter: letter.into(),
                    label: (*label).into(),
                    on: at < 6,
                })
                .collect(),
            days_error: None,
            remind_at: Field::holding("08:00"),
            rows: vec![row("Wall angels", "wall-angels"), row("Cat–cow stretch", "cat-cow")],
            rows_error: None,
            units: DoseFields::units(),
            all_sides: DoseFields::all_sides(),
            library: LibraryPanel {
                q: String::new(),
                placeholder: "Search 64 exercises".into(),
                region: String::new(),
                regions: vec![Choice::new("", "All"), Choice::new("upper_back", "Upper back"), Choice::new("neck", "Neck")],
                no_equipment: false,
                items: vec![LibraryItem {
                    id: "0193a6c2-7d7e-7000-8000-000000000001".into(),
                    name: "Wall angels".into(),
                    detail: "Upper back · 10–12 times".into(),
                    figure_svg: figures::placeholder(),
                    used: true,
                }],
                more: Some("The first 20 of 873: search to find the others.".into()),
            },
            templates: Vec::new(),
            archive: None,
            use_for: None,
        };
        let mut refused = new.clone();
        refused.problem = Some("Nothing was assigned yet: one thing needs another look.".into());
        refused.rows[0].dose.reps = Field::refused("10-", "The range is not finished: write both numbers, such as 10–15.");
        refused.rows[1].note = Field::refused("long", "That note is too long: 500 characters at most.");
        refused.rows[1].error = Some("This exercise is no longer in the library. Remove it, or choose another.".into());
        refused.ends = Field::refused("2026-11-01", "The program ends before it starts. Choose a later end.");
        refused.days_error = Some("Choose at least one day of the week.".into());
        let mut empty = new.clone();
        empty.title = "New program".into();
        empty.rows = Vec::new();
        empty.rows_error = Some("The program has no exercises yet. Add at least one.".into());
        empty.consequence = None;
        empty.library.items = Vec::new();
        empty.library.more = None;
        empty.library.q = "tightrope".into();
        empty.library.no_equipment = true;
        empty.templates = vec![TemplateLink {
            href: "/patients/1/programs/new?template=1".into(),
            name: "Upper back relief".into(),
            summary: "5 exercises · about 12 minutes".into(),
        }];
        let revise =
            Self { kind: Kind::Revise, from: Field::holding("2026-12-01"), submit: "Save the change".into(), ..new.clone() };
        let template = Self {
            kind: Kind::Template,
            submit: "Save the template".into(),
            consequence: None,
            notice: Some("Saved.".into()),
            advice: Some("Two to four exercises are easier to keep up.".into()),
            archive: Some("/templates/1/archive".into()),
            use_for: Some("/templates/1/use".into()),
            ..new.clone()
        };
        vec![new, refused, empty, revise, template]
    }
}

/// One exercise as the patient will see it.
#[derive(Debug, Clone, Serialize)]
pub struct PreviewStep {
    /// Its name.
    pub name: String,
    /// The dose in words.
    pub dose: String,
    /// What to do.
    pub steps: Vec<String>,
    /// The physiotherapist's note.
    pub note: Option<String>,
    /// Its drawing, moving, or the placeholder.
    pub figure_svg: Svg,
}

/// The program as the patient will see it, before it is assigned.
#[derive(Debug, Clone, Serialize)]
pub struct ProgramPreview {
    /// The program's name.
    pub title: String,
    /// "5 exercises · about 12 minutes".
    pub summary: String,
    /// "Monday to Saturday, once a day".
    pub schedule: String,
    /// The exercises in order.
    pub exercises: Vec<PreviewStep>,
}

impl Page for ProgramPreview {
    const TEMPLATE: &'static str = "pages/physio/program_preview.html";

    fn samples() -> Vec<Self> {
        let step = PreviewStep {
            name: "Wall angels".into(),
            dose: "10–12 times".into(),
            steps: vec!["Stand with your back to a wall.".into()],
            note: Some("Slowly.".into()),
            figure_svg: figures::svg("wall-angels", Pose::Moving).unwrap_or_else(figures::placeholder),
        };
        let preview = Self {
            title: "Upper back relief".into(),
            summary: "1 exercise · about 2 minutes".into(),
            schedule: "Monday to Saturday, once a day".into(),
            exercises: vec![step.clone()],
        };
        vec![
            preview.clone(),
            Self { exercises: vec![PreviewStep { note: None, steps: Vec::new(), ..step }], ..preview.clone() },
            Self { exercises: Vec::new(), ..preview },
        ]
    }
}
