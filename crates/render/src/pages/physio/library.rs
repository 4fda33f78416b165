//! The exercise library: the list, one exercise, and its form.

use serde::Serialize;

use crate::{
    Field, Page, Svg, figures,
    figures::Pose,
    forms::{Choice, Crumb, Pagination},
};

/// A choice that leads to another view of a list.
#[derive(Debug, Clone, Serialize)]
pub struct FilterLink {
    /// What it narrows to.
    pub label: String,
    /// The list narrowed, or widened again when it is on.
    pub href: String,
    /// Whether it is on.
    pub on: bool,
}

/// One exercise in a list.
#[derive(Debug, Clone, Serialize)]
pub struct ExerciseCard {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// "Upper back · Sturdy chair".
    pub detail: String,
    /// The usual dose in words.
    pub dose: String,
    /// Its drawing, or the placeholder.
    pub figure_svg: Svg,
    /// "Yours", "Imported"; `None` for the starter set.
    pub tag: Option<String>,
}

/// `/exercises`
#[derive(Debug, Clone, Serialize)]
pub struct Exercises {
    /// "64 exercises", "3 of 64 exercises".
    pub count: String,
    /// The words that are searched for.
    pub q: String,
    /// The region that is on, as the form sends it; empty for all.
    pub region: String,
    /// Whether only exercises without equipment are shown.
    pub no_equipment: bool,
    /// Whether the archived ones are shown instead.
    pub archived: bool,
    /// Whether anything narrows the list.
    pub narrowed: bool,
    /// Region by region, and "No equipment".
    pub filters: Vec<FilterLink>,
    /// The exercises of this page.
    pub cards: Vec<ExerciseCard>,
    /// The pages.
    pub pages: Pagination,
    /// What was wrong with the file that was sent, if one was.
    pub import_error: Option<String>,
}

impl Page for Exercises {
    const TEMPLATE: &'static str = "pages/physio/exercises.html";

    fn samples() -> Vec<Self> {
        let link = |label: &str, on| FilterLink { label: label.into(), href: "/exercises?region=neck".into(), on };
        let card = |name: &str, key: &str, tag: Option<&str>| ExerciseCard {
            href: "/exercises/0193a6c2-7d7e-7000-8000-000000000001".into(),
            name: name.into(),
            detail: "Upper back · Sturdy chair".into(),
            dose: "Hold 15–30 s · 3 times".into(),
            figure_svg: figures::svg_titled(key, Pose::End, "").unwrap_or_else(figures::placeholder),
            tag: tag.map(Into::into),
        };
        let full = Self {
            count: "64 exercises".into(),
            q: String::new(),
            region: String::new(),
            no_equipment: false,
            archived: false,
            narrowed: false,
            filters: vec![link("Upper back", false), link("Neck", false), link("No equipment", false)],
            cards: vec![card("Wall angels", "wall-angels", None), card("Band pull-apart", "", Some("Yours"))],
            pages: Pagination { page: 1, pages: 3, previous: None, next: Some("/exercises?page=2".into()) },
            import_error: None,
        };
        let one = Pagination { page: 1, pages: 1, previous: None, next: None };
        vec![
            full.clone(),
            Self {
                count: "No exercises".into(),
                q: "tightrope".into(),
                region: "neck".into(),
                no_equipment: true,
                narrowed: true,
                filters: vec![link("Neck", true)],
                cards: Vec::new(),
                pages: one.clone(),
                ..full.clone()
            },
            Self { count: "No exercises".into(), cards: Vec::new(), pages: one.clone(), ..full.clone() },
            Self { archived: true, cards: Vec::new(), pages: one, ..full.clone() },
            Self { import_error: Some("This exercise list is empty.".into()), ..full },
        ]
    }
}

/// `/exercises/{id}`
#[derive(Debug, Clone, Serialize)]
pub struct ExerciseShown {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// Its name.
    pub name: String,
    /// "Upper back · Sturdy chair".
    pub detail: String,
    /// The usual dose in words.
    pub dose: String,
    /// What to do, step by step.
    pub steps: Vec<String>,
    /// Its drawing, moving; `None` without one.
    pub figure_svg: Option<Svg>,
    /// Where it came from, in a sentence.
    pub origin: String,
    /// The form to change it, for the clinic's own.
    pub edit: Option<String>,
    /// The form for a copy of it.
    pub copy: String,
    /// Where to post to archive it; `None` when it is archived.
    pub archive: Option<String>,
    /// Where to post to offer it again; `None` when it is not archived.
    pub restore: Option<String>,
}

impl Page for ExerciseShown {
    const TEMPLATE: &'static str = "pages/physio/exercise.html";

    fn samples() -> Vec<Self> {
        let shown = Self {
            crumbs: vec![Crumb::to("Library", "/exercises"), Crumb::here("Wall angels")],
            name: "Wall angels".into(),
            detail: "Upper back · No equipment".into(),
            dose: "10–12 times".into(),
            steps: vec!["Stand with your back to a wall.".into(), "Slide your arms up and down.".into()],
            figure_svg: figures::svg("wall-angels", Pose::Moving),
            origin: "From the starter set.".into(),
            edit: None,
            copy: "/exercises/new?copy=1".into(),
            archive: Some("/exercises/1/archive".into()),
            restore: None,
        };
        vec![
            shown.clone(),
            Self {
                figure_svg: None,
                edit: Some("/exercises/1/edit".into()),
                origin: "Made in this clinic.".into(),
                archive: None,
                restore: Some("/exercises/1/restore".into()),
                steps: Vec::new(),
                ..shown
            },
        ]
    }
}

/// The six fields of a dose.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DoseFields {
    /// Sets, "3" or "2–3".
    pub sets: Field,
    /// Repetitions or breath cycles.
    pub reps: Field,
    /// `times` or `breaths`.
    pub unit: Field,
    /// Seconds of holding, or empty.
    pub hold: Field,
    /// Empty, or `each`.
    pub sides: Field,
    /// Seconds of rest between sets, or empty.
    pub rest: Field,
}

impl DoseFields {
    /// The fields as samples use them.
    pub fn sample() -> Self {
        Self {
            sets: Field::holding("1"),
            reps: Field::holding("2–3"),
            unit: Field::holding("times"),
            hold: Field::holding("20"),
            sides: Field::holding("each"),
            rest: Field::holding(""),
        }
    }

    /// What `unit` may be.
    pub fn units() -> Vec<Choice> {
        vec![Choice::new("times", "times"), Choice::new("breaths", "breaths")]
    }

    /// What `sides` may be.
    pub fn all_sides() -> Vec<Choice> {
        vec![Choice::new("", "both at once"), Choice::new("each", "each side")]
    }
}

/// `/exercises/new`, `/exercises/{id}/edit`
#[derive(Debug, Clone, Serialize)]
pub struct ExerciseForm {
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// "New exercise", "Change Wall angels".
    pub title: String,
    /// Where it is posted.
    pub action: String,
    /// A sentence above a refused form.
    pub problem: Option<String>,
    /// The name.
    pub name: Field,
    /// The part of the body.
    pub region: Field,
    /// What `region` may be.
    pub regions: Vec<Choice>,
    /// What is needed.
    pub equipment: Field,
    /// What to do, one step a line.
    pub steps: Field,
    /// The usual dose.
    pub dose: DoseFields,
    /// What the unit may be.
    pub units: Vec<Choice>,
    /// What the sides may be.
    pub all_sides: Vec<Choice>,
    /// The figure that a copy keeps, as its key; empty for none.
    pub figure: String,
    /// Where to go instead.
    pub cancel: String,
}

impl Page for ExerciseForm {
    const TEMPLATE: &'static str = "pages/physio/exercise_form.html";

    fn samples() -> Vec<Self> {
        let form = Self {
            crumbs: vec![Crumb::to("Library", "/exercises"), Crumb::here("New exercise")],
            title: "New exercise".into(),
            action: "/exercises".into(),
            problem: None,
            name: Field::default(),
            region: Field::holding("upper_back"),
            regions: vec![Choice::new("upper_back", "Upper back"), Choice::new("neck", "Neck")],
            equipment: Field::default(),
            steps: Field::default(),
            dose: DoseFields::sample(),
            units: DoseFields::units(),
            all_sides: DoseFields::all_sides(),
            figure: String::new(),
            cancel: "/exercises".into(),
        };
        let mut refused = form.clone();
        refused.problem = Some("Two things need another look.".into());
        refused.name = Field::refused("x".repeat(130), "That name is too long: 120 characters at most.");
        refused.dose.reps = Field::refused("10-", "The range is not finished: write both numbers, such as 10–15.");
        refused.figure = "wall-angels".into();
        vec![form, refused]
    }
}
