//! The builder's page from a draft, its faults, and what the library has.

use std::collections::{HashMap, HashSet};

use domain::{
    dose::DoseFieldErrors,
    ids::{ExerciseId, ProgramId},
    pain::Region,
    program::{ADVISED_EXERCISES, MAX_TIMES_A_DAY},
};
use render::{
    Choice, Crumb, Field, formats,
    pages::physio::{
        builder::{
            BuilderRow, DayTick, Kind, LibraryItem, LibraryPanel, PreviewStep, ProgramBuilder, ProgramPreview, TemplateLink,
        },
        library::DoseFields,
    },
    words::Language,
};
use store::{
    StoreError, Tx,
    exercise::{self, Exercise, Found, Search},
    template::{self, Template},
};

use super::{
    draft::{Action, Draft, Faults, RowDraft, RowFaults},
    words,
};

/// How many exercises the library beside the program shows at once.
const SHELF: u32 = 20;

/// What the page needs from the clinic's rows.
#[derive(Debug)]
pub struct Material {
    /// The exercises that the draft names, and the one to be added.
    pub known: HashMap<ExerciseId, Exercise>,
    /// What the library shows.
    found: Found,
    /// How many the library has.
    all: u32,
    /// Templates to start from.
    templates: Vec<Template>,
}

impl Material {
    /// Reads it; templates only where the program is empty and may start from one.
    pub async fn gather(tx: &Tx, draft: &Draft, action: Action, may_start: bool) -> Result<Self, StoreError> {
        let mut ids = draft.exercises();
        if let Action::Add(id) = action {
            ids.push(id);
        }
        let search = Search {
            words: draft.q.clone(),
            region: draft.region,
            no_equipment: draft.no_equipment,
            limit: SHELF,
            ..Search::default()
        };
        let templates = async { if may_start && draft.rows.is_empty() { template::list(tx).await } else { Ok(Vec::new()) } };
        let (found, all, templates, known) =
            tokio::try_join!(exercise::search(tx, &search), exercise::count(tx), templates, exercise::by_ids(tx, &ids))?;
        Ok(Self { known, found, all, templates })
    }
}

/// What differs between a program, a change and a template.
#[derive(Debug)]
pub struct Setting {
    /// Which of the three.
    pub kind: Kind,
    /// The way here.
    pub crumbs: Vec<Crumb>,
    /// The title while there is no name.
    pub title: String,
    /// Where it is posted.
    pub action: String,
    /// What the last button says.
    pub submit: String,
    /// What that button does beside saving.
    pub consequence: Option<String>,
    /// Above a refused form: what was not done.
    pub refused: &'static str,
    /// Where a template of the list fills the form; `None` where programs do not start from one.
    pub start_from: Option<String>,
    /// Where the template is archived.
    pub archive: Option<String>,
    /// Where the template is used for a patient.
    pub use_for: Option<String>,
}

/// The page.
pub fn page(setting: Setting, draft: &Draft, faults: &Faults, material: &Material, notice: Option<String>) -> ProgramBuilder {
    let Setting { kind, crumbs, title, action, submit, consequence, refused, start_from, archive, use_for } = setting;
    let field = |value: &str, error: &Option<String>| Field { value: value.to_owned(), error: error.clone() };
    let no_faults = RowFaults::default();
    ProgramBuilder {
        kind,
        crumbs,
        title: if draft.name.trim().is_empty() { title } else { draft.name.trim().chars().take(120).collect() },
        summary: draft.summary(),
        action,
        program_id: (kind == Kind::New).then(|| draft.id.unwrap_or_else(ProgramId::new).to_string()),
        submit,
        consequence,
        problem: (faults.count() > 0).then(|| words::problem(refused, faults.count())),
        notice,
        advice: (draft.rows.len() > ADVISED_EXERCISES).then(|| {
            format!(
                "{} exercises. Studies of home programs find that two to four are kept up best; perhaps some can wait for a later version.",
                draft.rows.len()
            )
        }),
        name: field(&draft.name, &faults.name),
        starts: field(&draft.starts, &faults.starts),
        weeks: field(&draft.weeks, &faults.weeks),
        ends: field(&draft.ends, &faults.ends),
        from: field(&draft.from, &faults.from),
        times_a_day: field(&draft.times_a_day, &faults.times_a_day),
        times: (1..=MAX_TIMES_A_DAY).map(|n| Choice::new(n.to_string(), n.to_string())).collect(),
        days: formats::WEEK
            .iter()
            .enumerate()
            .map(|(at, day)| DayTick {
                value: at.to_string(),
                letter: formats::weekday_letter(Language::En, *day),
                label: formats::weekday(Language::En, *day),
                on: draft.weekdays.contains(day),
            })
            .collect(),
        days_error: faults.days.clone(),
        remind_at: field(&draft.remind_at, &faults.remind_at),
        rows: draft
            .rows
            .iter()
            .enumerate()
            .map(|(at, row_draft)| row(row_draft, faults.each.get(at).unwrap_or(&no_faults), &material.known))
            .collect(),
        rows_error: faults.rows.clone(),
        units: DoseFields::units(),
        all_sides: DoseFields::all_sides(),
        library: library(draft, material),
        templates: start_from.map(|to| material.templates.iter().map(|template| start(&to, template)).collect()).unwrap_or_default(),
        archive,
        use_for,
    }
}

/// The fields of a dose with what is wrong with each.
pub fn dose_fields(draft: &domain::dose::DoseDraft, faults: &DoseFieldErrors) -> DoseFields {
    let field = |value: &str, error: Option<domain::dose::DoseFieldError>| Field {
        value: value.to_owned(),
        error: error.map(|error| error.to_string()),
    };
    let both = matches!(draft.each_side.trim().to_lowercase().as_str(), "" | "no" | "off" | "false" | "0");
    DoseFields {
        sets: field(&draft.sets, faults.sets),
        reps: field(&draft.reps, faults.reps),
        unit: field(&draft.unit, faults.unit),
        hold: field(&draft.hold, faults.hold),
        sides: Field::holding(if both { "" } else { "each" }),
        rest: field(&draft.rest, faults.rest),
    }
}

fn row(draft: &RowDraft, faults: &RowFaults, known: &HashMap<ExerciseId, Exercise>) -> BuilderRow {
    let exercise = draft.id().and_then(|id| known.get(&id));
    BuilderRow {
        exercise: draft.exercise.clone(),
        name: exercise.map_or_else(|| "Unknown exercise".to_owned(), |exercise| exercise.name.clone()),
        figure_svg: exercise.map_or_else(render::figures::placeholder, words::figure),
        dose: dose_fields(&draft.dose, &faults.dose),
        note: Field { value: draft.note.clone(), error: faults.note.clone() },
        error: faults.exercise.clone(),
    }
}

fn library(draft: &Draft, material: &Material) -> LibraryPanel {
    let used: HashSet<ExerciseId> = draft.exercises().into_iter().collect();
    let mut regions = vec![Choice::new("", "All")];
    regions.extend(Region::ALL.iter().map(|part| Choice::new(part.tag(), words::region(*part))));
    LibraryPanel {
        q: draft.q.clone(),
        placeholder: format!("Search {}", words::exercises(usize::try_from(material.all).unwrap_or(usize::MAX))),
        region: draft.region.map(Region::tag).unwrap_or_default().to_owned(),
        regions,
        no_equipment: draft.no_equipment,
        items: material
            .found
            .exercises
            .iter()
            .map(|exercise| LibraryItem {
                id: exercise.id.to_string(),
                name: exercise.name.clone(),
                detail: format!("{} · {}", words::region(exercise.region), exercise.dose),
                figure_svg: words::figure(exercise),
                used: used.contains(&exercise.id),
            })
            .collect(),
        more: (material.found.total > SHELF)
            .then(|| format!("The first {SHELF} of {}: search to find the others.", material.found.total)),
    }
}

fn start(to: &str, template: &Template) -> TemplateLink {
    TemplateLink {
        href: format!("{to}?template={}", template.id),
        name: template.name.clone(),
        summary: Draft::from_template(template, jiff::civil::Date::ZERO).summary(),
    }
}

/// The program as the patient will see it, as far as it can be read.
pub fn preview(draft: &Draft, material: &Material) -> ProgramPreview {
    let mut doses = Vec::new();
    let mut exercises = Vec::new();
    for row in &draft.rows {
        let Some(exercise) = row.id().and_then(|id| material.known.get(&id)) else { continue };
        let dose = row.dose.parse();
        doses.extend(dose);
        exercises.push(PreviewStep {
            name: exercise.name.clone(),
            dose: dose.map_or_else(|_| "The dose cannot be read yet.".to_owned(), |dose| formats::dose(Language::En, &dose)),
            steps: exercise.steps().map(str::to_owned).collect(),
            note: Some(row.note.trim().to_owned()).filter(|note| !note.is_empty()),
            figure_svg: exercise
                .figure
                .as_deref()
                .and_then(|key| render::figures::svg(key, render::figures::Pose::Moving))
                .unwrap_or_else(render::figures::placeholder),
        });
    }
    let mut summary = words::exercises(exercises.len());
    if !doses.is_empty() {
        summary.push_str(&format!(" · {}", formats::about_minutes(Language::En, domain::dose::minutes(&doses))));
    }
    ProgramPreview {
        title: if draft.name.trim().is_empty() { "New program".into() } else { draft.name.trim().to_owned() },
        summary,
        schedule: match draft.times() {
            Some(times) if !draft.days().is_empty() => words::schedule(draft.days(), times),
            _ => "No days chosen yet".into(),
        },
        exercises,
    }
}
