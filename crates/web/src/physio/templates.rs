//! `/templates`: programs to use again.

use axum::extract::State;
use domain::ids::TemplateId;
use jiff::{Timestamp, civil::Date};
use render::{
    Crumb, Flash, Nav,
    pages::physio::{
        builder::Kind,
        templates::{PatientLink, TemplateCard, TemplateList, TemplateUse},
    },
};
use serde::Deserialize;
use store::{
    ClinicContext, Store, StoreError,
    audit::{AuditAction, AuditResource},
    exercise::{self, Exercise},
    template::{self, NAME_TAKEN, Template},
};

use super::{
    builder::{
        as_template,
        draft::{Action, Draft, Faults},
        name_taken,
        view::{self, Material, Setting},
    },
    words,
};
use crate::{
    AppState, PageResult,
    extract::{Form, Id, Now, Pages, Query, Staff},
};

/// How many patients are offered at once.
const PATIENTS: u32 = 20;

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    show: String,
    q: String,
}

/// The list.
pub async fn page(State(app): State<AppState>, staff: Staff, Query(wanted): Query<Wanted>, pages: Pages) -> PageResult {
    let archived = wanted.show == "archived";
    let tx = app.store.begin(&staff.scope).await?;
    let listed = async { if archived { template::archived(&tx).await } else { template::list(&tx).await } };
    let (templates, known) = tx.final_reads(async { tokio::try_join!(listed, exercise::in_templates(&tx)) }).await?;
    tx.commit().await?;
    let cards = templates
        .iter()
        .map(|template| {
            let exercises: Vec<&Exercise> = template.items.iter().filter_map(|item| known.get(&item.exercise)).collect();
            let page = format!("/templates/{}", template.id);
            TemplateCard {
                name: template.name.clone(),
                summary: Draft::from_template(template, Date::ZERO).summary(),
                exercises: exercises.iter().map(|exercise| exercise.name.clone()).collect(),
                figures_svg: exercises.iter().take(5).map(|exercise| words::figure(exercise)).collect(),
                use_for: (!archived).then(|| format!("{page}/use")),
                restore: archived.then(|| format!("{page}/restore")),
                href: page,
            }
        })
        .collect();
    pages.at(Nav::Programs).show(&TemplateList { archived, cards })
}

/// The builder for a new template.
pub async fn new(State(app): State<AppState>, staff: Staff, pages: Pages) -> PageResult {
    let draft = Draft::blank(Date::ZERO);
    let tx = app.store.begin(&staff.scope).await?;
    let material = tx.final_reads(Material::gather(&tx, &draft, Action::Look, false)).await?;
    tx.commit().await?;
    pages.at(Nav::Programs).show(&view::page(setting(None), &draft, &Faults::default(), &material, None))
}

/// The builder with a template in it.
pub async fn show(State(app): State<AppState>, staff: Staff, Id(id): Id<TemplateId>, pages: Pages) -> PageResult {
    let tx = app.store.begin(&staff.scope).await?;
    let template = template::find(&tx, id).await?;
    let draft = Draft::from_template(&template, Date::ZERO);
    let material = tx.final_reads(Material::gather(&tx, &draft, Action::Look, false)).await?;
    tx.commit().await?;
    pages.at(Nav::Programs).show(&view::page(setting(Some(&template)), &draft, &Faults::default(), &material, None))
}

/// Whatever button was pressed on a new template.
pub async fn create(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    pages: Pages,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (draft, action) = Draft::read(pairs);
    let made = TemplateId::new();
    let tx = app.store.begin(&staff.scope).await?;
    let material = Material::gather(&tx, &draft, action, false).await?;
    tx.commit().await?;
    let judged = as_template(&draft, &material, made, now);
    press(&app, &staff, pages, None, draft, action, judged, &material).await
}

/// Whatever button was pressed on a template.
pub async fn update(
    State(app): State<AppState>,
    staff: Staff,
    Id(id): Id<TemplateId>,
    Now(now): Now,
    pages: Pages,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (draft, action) = Draft::read(pairs);
    let tx = app.store.begin(&staff.scope).await?;
    let there = template::find(&tx, id).await?;
    let material = Material::gather(&tx, &draft, action, false).await?;
    tx.commit().await?;
    let judged = as_template(&draft, &material, id, now).map(|made| Template { archived_at: there.archived_at, ..made });
    press(&app, &staff, pages, Some(&there), draft, action, judged, &material).await
}

#[allow(clippy::too_many_arguments, reason = "one press of a button is all of these; two handlers share it")]
async fn press(
    app: &AppState,
    staff: &Staff,
    pages: Pages,
    there: Option<&Template>,
    mut draft: Draft,
    action: Action,
    judged: Result<Template, Faults>,
    material: &Material,
) -> PageResult {
    let pages = pages.at(Nav::Programs);
    let faults = match (action, judged) {
        (Action::Preview, _) => return pages.show(&view::preview(&draft, material)),
        (Action::Save | Action::SaveTemplate, Ok(template)) => {
            let to = format!("/templates/{}", template.id);
            let said = if there.is_some() {
                "Saved. Programs made of it before stay as they are."
            } else {
                "Saved. It is offered for every new program now."
            };
            match save(&app.store, &staff.scope, &template, there.is_none()).await {
                Ok(()) => return Ok(pages.go_saying(&to, &Flash::good(said))),
                Err(error) if error.conflicts_with(NAME_TAKEN) => name_taken(),
                Err(error) => return Err(error.into()),
            }
        }
        (Action::Save | Action::SaveTemplate, Err(faults)) => faults,
        (other, _) => {
            draft.apply(other, &material.known);
            return pages.show(&view::page(setting(there), &draft, &Faults::default(), material, None));
        }
    };
    pages.refuse(&view::page(setting(there), &draft, &faults, material, None))
}

/// Keeps a new template, or a changed one.
async fn save(store: &Store, scope: &ClinicContext, template: &Template, is_new: bool) -> Result<(), StoreError> {
    let tx = store.begin(scope).await?;
    if is_new {
        template::create(&tx, template).await?;
    } else {
        template::update(&tx, template).await?;
    }
    tx.commit().await
}

/// Whom to use a template for.
pub async fn use_for(
    State(app): State<AppState>,
    staff: Staff,
    Id(id): Id<TemplateId>,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let q: String = wanted.q.trim().chars().take(120).collect();
    let tx = app.store.begin(&staff.scope).await?;
    let template = template::find(&tx, id).await?;
    // The list shows names, and only of a template that there is.
    tx.note(AuditAction::Read, AuditResource::Caseload, None);
    let patients = tx.final_reads(store::patient::named(&tx, &q, PATIENTS + 1)).await?;
    tx.commit().await?;
    let more = patients.len() > usize::try_from(PATIENTS).unwrap_or(usize::MAX);
    pages.at(Nav::Programs).show(&TemplateUse {
        crumbs: vec![
            Crumb::to("Programs", "/templates"),
            Crumb::to(template.name.clone(), format!("/templates/{id}")),
            Crumb::here("Use for a patient"),
        ],
        name: template.name,
        action: format!("/templates/{id}/use"),
        q,
        patients: patients
            .iter()
            .take(usize::try_from(PATIENTS).unwrap_or(usize::MAX))
            .map(|patient| PatientLink {
                href: format!("/patients/{}/programs/new?template={id}", patient.id),
                name: patient.name.as_str().to_owned(),
                detail: patient.email.as_ref().map_or_else(|| "no email".to_owned(), |email| email.as_str().to_owned()),
            })
            .collect(),
        more: more.then(|| format!("The first {PATIENTS}: search to find the others.")),
    })
}

/// Stops offering a template.
pub async fn archive(State(app): State<AppState>, staff: Staff, Id(id): Id<TemplateId>, Now(now): Now, pages: Pages) -> PageResult {
    set_archived(&app.store, &staff.scope, id, Some(now)).await?;
    Ok(pages.go_saying("/templates", &Flash::good("Archived. Programs made of it stay as they are.")))
}

/// Offers a template again, unless another has taken its name.
pub async fn restore(State(app): State<AppState>, staff: Staff, Id(id): Id<TemplateId>, pages: Pages) -> PageResult {
    match set_archived(&app.store, &staff.scope, id, None).await {
        Ok(()) => Ok(pages.go_saying("/templates", &Flash::good("Offered again."))),
        Err(error) if error.conflicts_with(NAME_TAKEN) => {
            let said = "Another template has its name by now. Rename one of the two first.";
            Ok(pages.go_saying("/templates?show=archived", &Flash::warn(said)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Archives a template, or takes it out of the archive.
async fn set_archived(
    store: &Store,
    scope: &ClinicContext,
    id: TemplateId,
    archived_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let tx = store.begin(scope).await?;
    let template = Template { archived_at, ..template::find(&tx, id).await? };
    template::update(&tx, &template).await?;
    tx.commit().await
}

fn setting(template: Option<&Template>) -> Setting {
    let (page, name) = template.map_or_else(
        || ("/templates".to_owned(), "New template".to_owned()),
        |template| (format!("/templates/{}", template.id), template.name.clone()),
    );
    let offered = template.is_some_and(|template| template.archived_at.is_none());
    Setting {
        kind: Kind::Template,
        crumbs: vec![Crumb::to("Programs", "/templates"), Crumb::here(name)],
        title: "New template".into(),
        submit: "Save the template".into(),
        consequence: None,
        refused: "Nothing was saved",
        start_from: None,
        archive: offered.then(|| format!("{page}/archive")),
        use_for: offered.then(|| format!("{page}/use")),
        action: page,
    }
}
