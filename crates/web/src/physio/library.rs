//! `/exercises`: the clinic's library. One's own exercises can be changed; the starter set and what was imported can be copied.

use axum::extract::{Multipart, State};
use domain::{
    dose::{DoseDraft, DoseFieldErrors},
    ids::ExerciseId,
    pain::Region,
};
use jiff::Timestamp;
use render::{
    Choice, Crumb, Field, Flash, Nav, Pagination, figures,
    figures::Pose,
    pages::physio::library::{DoseFields, ExerciseCard, ExerciseForm, ExerciseShown, Exercises, FilterLink},
};
use serde::Deserialize;
use store::exercise::{
    self, Exercise, Found, MAX_EQUIPMENT_CHARS, MAX_INSTRUCTIONS_CHARS, MAX_NAME_CHARS, Search, Source, parse_exercise_list,
};
use tokio::sync::Semaphore;

use super::{
    builder::{draft::one_line, view::dose_fields},
    words,
};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Pages, Query, Staff, go},
    visit::Visit,
};

/// The most an exercise list may be, in bytes.
pub const IMPORT_LIMIT: usize = 8 << 20;

/// How many lists are parsed at a time.
static PARSING: Semaphore = Semaphore::const_new(2);

/// How many exercises a page shows.
const PAGE: u32 = 24;

/// The query of the library.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    region: String,
    equipment: String,
    show: String,
    page: Option<u32>,
}

impl Wanted {
    fn region(&self) -> Option<Region> {
        self.region.parse().ok()
    }

    fn archived(&self) -> bool {
        self.show == "archived"
    }

    fn no_equipment(&self) -> bool {
        self.equipment == "none"
    }

    fn narrowed(&self) -> bool {
        !self.q.trim().is_empty() || self.region().is_some() || self.no_equipment()
    }

    fn href(&self, region: Option<Region>, no_equipment: bool, page: u32) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.trim().is_empty() {
            query.append_pair("q", self.q.trim());
        }
        if let Some(region) = region {
            query.append_pair("region", region.tag());
        }
        if no_equipment {
            query.append_pair("equipment", "none");
        }
        if self.archived() {
            query.append_pair("show", "archived");
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/exercises".to_owned(),
            query => format!("/exercises?{query}"),
        }
    }
}

/// The list.
pub async fn page(State(app): State<AppState>, staff: Staff, Query(wanted): Query<Wanted>, pages: Pages) -> PageResult {
    pages.at(Nav::Library).show(&list(&app, &staff, wanted, None).await?)
}

async fn list(app: &AppState, staff: &Staff, mut wanted: Wanted, import_error: Option<String>) -> Result<Exercises, PageError> {
    wanted.q = wanted.q.trim().chars().take(120).collect();
    let at = wanted.page.unwrap_or(1).clamp(1, 10_000);
    let search = Search {
        words: wanted.q.clone(),
        region: wanted.region(),
        no_equipment: wanted.no_equipment(),
        archived: wanted.archived(),
        offset: (at - 1) * PAGE,
        limit: PAGE,
    };
    let tx = app.store.begin(&staff.scope).await?;
    let (found, all) = tx.final_reads(async { tokio::try_join!(exercise::search(&tx, &search), exercise::count(&tx)) }).await?;
    tx.commit().await?;
    Ok(listed(&wanted, at, &found, all, import_error))
}

fn listed(wanted: &Wanted, at: u32, found: &Found, all: u32, import_error: Option<String>) -> Exercises {
    let last = found.total.div_ceil(PAGE).max(1);
    let count = words::exercises(usize::try_from(found.total).unwrap_or(usize::MAX));
    let to = |page| wanted.href(wanted.region(), wanted.no_equipment(), page);
    let mut filters: Vec<FilterLink> = Region::ALL
        .iter()
        .map(|region| {
            let on = wanted.region() == Some(*region);
            FilterLink {
                label: words::region(*region).into(),
                href: wanted.href((!on).then_some(*region), wanted.no_equipment(), 1),
                on,
            }
        })
        .collect();
    filters.push(FilterLink {
        label: "No equipment".into(),
        href: wanted.href(wanted.region(), !wanted.no_equipment(), 1),
        on: wanted.no_equipment(),
    });
    Exercises {
        count: match (wanted.archived(), wanted.narrowed()) {
            (true, _) => format!("{count} no longer offered"),
            (false, true) => format!("{count} of {all}"),
            (false, false) => count,
        },
        q: wanted.q.clone(),
        region: wanted.region().map(Region::tag).unwrap_or_default().into(),
        no_equipment: wanted.no_equipment(),
        archived: wanted.archived(),
        narrowed: wanted.narrowed(),
        filters,
        cards: found.exercises.iter().map(card).collect(),
        pages: Pagination {
            page: at.min(last),
            pages: last,
            previous: (at > 1).then(|| to((at - 1).min(last))),
            next: (at < last).then(|| to(at + 1)),
        },
        import_error,
    }
}

fn card(exercise: &Exercise) -> ExerciseCard {
    ExerciseCard {
        href: format!("/exercises/{}", exercise.id),
        name: exercise.name.clone(),
        detail: detail(exercise),
        dose: exercise.dose.to_string(),
        figure_svg: words::figure(exercise),
        tag: match exercise.source {
            Source::Homestretch => None,
            Source::Own => Some("Yours".into()),
            Source::Imported => Some("Imported".into()),
        },
    }
}

fn detail(exercise: &Exercise) -> String {
    let needs = if exercise.equipment.is_empty() { "No equipment" } else { &exercise.equipment };
    format!("{} · {needs}", words::region(exercise.region))
}

/// One exercise.
pub async fn show(State(app): State<AppState>, staff: Staff, Id(id): Id<ExerciseId>, pages: Pages) -> PageResult {
    let exercise = find(&app, &staff, id).await?;
    let page = format!("/exercises/{id}");
    let archived = exercise.archived_at.is_some();
    pages.at(Nav::Library).show(&ExerciseShown {
        crumbs: vec![Crumb::to("Library", "/exercises"), Crumb::here(exercise.name.clone())],
        detail: detail(&exercise),
        dose: exercise.dose.to_string(),
        steps: exercise.steps().map(str::to_owned).collect(),
        figure_svg: exercise.figure.as_deref().and_then(|key| figures::svg(key, Pose::Moving)),
        origin: match exercise.source {
            Source::Homestretch => "From the starter set. Make a copy to write your own version.".into(),
            Source::Own => "Made in this clinic.".into(),
            Source::Imported => "Brought in from a file. Make a copy to write your own version.".into(),
        },
        edit: (exercise.source == Source::Own).then(|| format!("{page}/edit")),
        copy: format!("/exercises/new?copy={id}"),
        archive: (!archived).then(|| format!("{page}/archive")),
        restore: archived.then(|| format!("{page}/restore")),
        name: exercise.name,
    })
}

async fn find(app: &AppState, staff: &Staff, id: ExerciseId) -> Result<Exercise, PageError> {
    let tx = app.store.begin(&staff.scope).await?;
    let found = exercise::find(&tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

/// An exercise as its form has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    name: String,
    region: String,
    equipment: String,
    steps: String,
    figure: String,
    sets: String,
    reps: String,
    unit: String,
    hold: String,
    sides: String,
    rest: String,
}

#[derive(Debug, Default)]
struct Faults {
    name: Option<String>,
    region: Option<String>,
    equipment: Option<String>,
    steps: Option<String>,
    dose: DoseFieldErrors,
}

impl Faults {
    fn count(&self) -> usize {
        [&self.name, &self.region, &self.equipment, &self.steps].iter().filter(|fault| fault.is_some()).count()
            + self.dose.each().count()
    }
}

impl Typed {
    fn of(exercise: &Exercise) -> Self {
        let DoseDraft { sets, reps, unit, hold, each_side, rest } = DoseDraft::from(&exercise.dose);
        Self {
            name: exercise.name.clone(),
            region: exercise.region.tag().into(),
            equipment: exercise.equipment.clone(),
            steps: exercise.instructions.clone(),
            figure: exercise.figure.clone().unwrap_or_default(),
            sets,
            reps,
            unit,
            hold,
            sides: each_side,
            rest,
        }
    }

    fn dose(&self) -> DoseDraft {
        DoseDraft {
            sets: self.sets.clone(),
            reps: self.reps.clone(),
            unit: self.unit.clone(),
            hold: self.hold.clone(),
            each_side: self.sides.clone(),
            rest: self.rest.clone(),
        }
    }

    fn parse(&self, now: Timestamp) -> Result<Exercise, Faults> {
        let mut faults = Faults::default();
        let name = one_line(&self.name);
        match name.chars().count() {
            0 => faults.name = Some("Give the exercise a name.".into()),
            n if n > MAX_NAME_CHARS => faults.name = Some(format!("That name is too long: {MAX_NAME_CHARS} characters at most.")),
            _ => {}
        }
        let region = self.region.parse::<Region>();
        if region.is_err() {
            faults.region = Some("Choose a part of the body.".into());
        }
        let equipment = one_line(&self.equipment);
        if equipment.chars().count() > MAX_EQUIPMENT_CHARS {
            faults.equipment = Some(format!("That is too long: {MAX_EQUIPMENT_CHARS} characters at most."));
        }
        let instructions = self.steps.lines().map(one_line).filter(|step| !step.is_empty()).collect::<Vec<_>>().join("\n");
        if instructions.chars().count() > MAX_INSTRUCTIONS_CHARS {
            faults.steps = Some(format!("That is too long: {MAX_INSTRUCTIONS_CHARS} characters at most."));
        }
        let dose = self.dose().parse();
        if let Err(wrong) = dose {
            faults.dose = wrong;
        }
        match (region, dose) {
            (Ok(region), Ok(dose)) if faults.count() == 0 => Ok(Exercise {
                id: ExerciseId::new(),
                name,
                region,
                equipment,
                figure: figures::keys().find(|key| *key == self.figure).map(str::to_owned),
                instructions,
                source: Source::Own,
                source_key: None,
                dose,
                created_at: now,
                archived_at: None,
            }),
            _ => Err(faults),
        }
    }

    /// The form, for a new exercise or for the one with this id and name.
    fn form(&self, of: Option<(ExerciseId, &str)>, faults: &Faults) -> ExerciseForm {
        let field = |value: &str, error: &Option<String>| Field { value: value.to_owned(), error: error.clone() };
        let (title, action, cancel) = match of {
            None => ("New exercise".to_owned(), "/exercises".to_owned(), "/exercises".to_owned()),
            Some((id, name)) => (format!("Change {name}"), format!("/exercises/{id}"), format!("/exercises/{id}")),
        };
        let mut regions = words::regions();
        if self.region.is_empty() {
            regions.insert(0, Choice::new("", "Choose…"));
        }
        ExerciseForm {
            crumbs: vec![Crumb::to("Library", "/exercises"), Crumb::here(title.clone())],
            title,
            action,
            problem: (faults.count() > 0).then(|| words::problem("Nothing was saved", faults.count())),
            name: field(&self.name, &faults.name),
            region: field(&self.region, &faults.region),
            regions,
            equipment: field(&self.equipment, &faults.equipment),
            steps: field(&self.steps, &faults.steps),
            dose: dose_fields(&self.dose(), &faults.dose),
            units: DoseFields::units(),
            all_sides: DoseFields::all_sides(),
            figure: self.figure.clone(),
            cancel,
        }
    }
}

/// What a new exercise starts from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct From {
    copy: Option<String>,
}

/// The form for a new exercise, empty or a copy.
pub async fn new(State(app): State<AppState>, staff: Staff, Query(from): Query<From>, pages: Pages) -> PageResult {
    let typed = match from.copy {
        None => Typed { sets: "1".into(), reps: "10".into(), ..Typed::default() },
        Some(id) => {
            let mut typed = Typed::of(&find(&app, &staff, id.parse().map_err(|_| PageError::NotFound)?).await?);
            typed.name.push_str(" (copy)");
            typed
        }
    };
    pages.at(Nav::Library).show(&typed.form(None, &Faults::default()))
}

/// Saves a new exercise.
pub async fn create(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    match typed.parse(now) {
        Err(faults) => pages.at(Nav::Library).refuse(&typed.form(None, &faults)),
        Ok(made) => {
            let to = format!("/exercises/{}", made.id);
            let tx = app.store.begin(&staff.scope).await?;
            exercise::create(&tx, &made).await?;
            tx.commit().await?;
            Ok(pages.go_saying(&to, &Flash::good("Saved. It can be added to programs now.")))
        }
    }
}

/// The form to change one of the clinic's own.
pub async fn edit(State(app): State<AppState>, staff: Staff, Id(id): Id<ExerciseId>, pages: Pages) -> PageResult {
    let exercise = find(&app, &staff, id).await?;
    if exercise.source != Source::Own {
        return Ok(go(&format!("/exercises/new?copy={id}")));
    }
    pages.at(Nav::Library).show(&Typed::of(&exercise).form(Some((id, &exercise.name)), &Faults::default()))
}

/// Saves a changed exercise.
pub async fn update(
    State(app): State<AppState>,
    staff: Staff,
    Id(id): Id<ExerciseId>,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let exercise = find(&app, &staff, id).await?;
    if exercise.source != Source::Own {
        return Err(PageError::Refused(Some("Only your clinic’s own exercises can be changed. Make a copy of this one.".into())));
    }
    match typed.parse(now) {
        Err(faults) => pages.at(Nav::Library).refuse(&typed.form(Some((id, &exercise.name)), &faults)),
        Ok(made) => {
            let changed = Exercise { id, ..made };
            let tx = app.store.begin(&staff.scope).await?;
            exercise::update(&tx, &changed).await?;
            tx.commit().await?;
            Ok(pages.go_saying(&format!("/exercises/{id}"), &Flash::good("Saved. Programs keep the doses they have.")))
        }
    }
}

/// Stops offering an exercise.
pub async fn archive(State(app): State<AppState>, staff: Staff, Id(id): Id<ExerciseId>, Now(now): Now, pages: Pages) -> PageResult {
    let tx = app.store.begin(&staff.scope).await?;
    exercise::archive(&tx, id, now).await?;
    tx.commit().await?;
    Ok(pages.go_saying("/exercises", &Flash::good("Archived. Programs that have the exercise keep it.")))
}

/// Offers an exercise again.
pub async fn restore(State(app): State<AppState>, staff: Staff, Id(id): Id<ExerciseId>, pages: Pages) -> PageResult {
    let tx = app.store.begin(&staff.scope).await?;
    exercise::restore(&tx, id).await?;
    tx.commit().await?;
    Ok(pages.go_saying(&format!("/exercises/{id}"), &Flash::good("Offered again.")))
}

/// Brings a list of exercises in from a file.
pub async fn import(
    State(app): State<AppState>,
    staff: Staff,
    visit: Visit,
    Now(now): Now,
    pages: Pages,
    mut form: Multipart,
) -> PageResult {
    let unreadable = |_| {
        let broken = || PageError::Refused(Some("The file did not arrive whole. Try again.".into()));
        visit.body_refusal().unwrap_or_else(broken)
    };
    let mut file = None;
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        if part.name() == Some("file") {
            file = Some(part.bytes().await.map_err(unreadable)?);
        }
    }
    let parsed = match file.filter(|bytes| !bytes.is_empty()) {
        None => Err("Choose a file first.".to_owned()),
        // A few megabytes of JSON take long enough to hold others up.
        Some(bytes) => {
            // And what is read takes several times the room of what was sent.
            let _turn = PARSING.acquire().await.map_err(PageError::internal)?;
            tokio::task::spawn_blocking(move || parse_exercise_list(&bytes))
                .await
                .map_err(PageError::internal)?
                .map_err(|error| error.to_string())
        }
    };
    match parsed {
        Err(sentence) => {
            let page = list(&app, &staff, Wanted::default(), Some(sentence)).await?;
            pages.at(Nav::Library).refuse(&page)
        }
        Ok(list) => {
            let tx = app.store.begin(&staff.scope).await?;
            let done = exercise::import(&tx, &list, now).await?;
            tx.commit().await?;
            let said = match (done.added, done.already) {
                (0, already) => format!("Nothing new: all {already} are in your library already."),
                (added, 0) => format!("{} brought in.", words::exercises(usize::try_from(added).unwrap_or(usize::MAX))),
                (added, already) => format!("{added} brought in; {already} were in your library already."),
            };
            Ok(pages.go_saying("/exercises", &Flash::good(said)))
        }
    }
}
