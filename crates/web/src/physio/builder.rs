//! `/patients/{id}/programs/new`, `POST /patients/{id}/programs`: a new program for a patient.
//!
//! Every button of the builder posts the whole form and gets it back changed, so it works without a script; `builder.js` posts the
//! same form and takes over the part that changed. How the form is read: [`draft`].

pub mod draft;
pub mod view;

use axum::extract::State;
use domain::{
    ids::{ProgramId, TemplateId},
    program::Program,
    reminder::ReminderRule,
};
use jiff::Timestamp;
use render::{Crumb, Flash, Nav, pages::physio::builder::Kind};
use serde::Deserialize;
use store::{
    ClinicContext, Store, StoreError, Tx,
    outbox::{self, Owed},
    patient::Patient,
    program, reminder,
    template::{self, NAME_TAKEN, Template},
};

use self::{
    draft::{Action, Draft, Faults, clock},
    view::{Material, Setting},
};
use super::words;
use crate::{
    AppState, PageError, PageResult,
    extract::{CaseloadPatient, Form, Now, Pages, Query},
};

/// Which template to start from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    template: Option<String>,
}

/// What a new program needs beside the builder's own material.
struct Ground {
    material: Material,
    /// When the patient is reminded now.
    rule: ReminderRule,
}

impl Ground {
    async fn gather(tx: &Tx, patient: &Patient, draft: &Draft, action: Action) -> Result<Self, StoreError> {
        let (material, reminders) =
            tokio::try_join!(Material::gather(tx, draft, action, true), reminder::rules_for(tx, patient.id))?;
        Ok(Self { material, rule: reminders.rule })
    }
}

/// The form: empty, or filled from a template.
pub async fn new(
    State(app): State<AppState>,
    CaseloadPatient { staff, patient, today }: CaseloadPatient,
    Query(wanted): Query<Wanted>,
    pages: Pages,
) -> PageResult {
    let template: Option<TemplateId> = wanted.template.map(|id| id.parse().map_err(|_| PageError::NotFound)).transpose()?;
    let tx = app.store.begin(&staff.scope).await?;
    let draft = match template {
        Some(id) => Draft::from_template(&template::find(&tx, id).await?, today),
        None => Draft::blank(today),
    };
    let ground = tx.final_reads(Ground::gather(&tx, &patient, &draft, Action::Look)).await?;
    tx.commit().await?;
    let setting = setting(&patient, &ground.rule, &draft);
    pages.at(Nav::Patients).show(&view::page(setting, &draft, &Faults::default(), &ground.material, None))
}

/// Whatever button was pressed.
pub async fn create(
    State(app): State<AppState>,
    at: CaseloadPatient,
    Now(now): Now,
    pages: Pages,
    Form(pairs): Form<Vec<(String, String)>>,
) -> PageResult {
    let (mut draft, action) = Draft::read(pairs);
    let pages = pages.at(Nav::Patients);
    let tx = app.store.begin(&at.staff.scope).await?;
    let ground = Ground::gather(&tx, &at.patient, &draft, action).await?;
    tx.commit().await?;
    let outcome = match action {
        Action::Preview => return pages.show(&view::preview(&draft, &ground.material)),
        Action::Save => match judge(&draft, &at, &ground) {
            Ok((program, rule)) => return assign(&app, &at, &pages, program, rule, now).await,
            Err(faults) => Err(faults),
        },
        Action::SaveTemplate => keep_as_template(&app, &at, &draft, &ground.material, now).await?,
        other => {
            draft.apply(other, &ground.material.known);
            Ok(None)
        }
    };
    let setting = setting(&at.patient, &ground.rule, &draft);
    match outcome {
        Ok(notice) => pages.show(&view::page(setting, &draft, &Faults::default(), &ground.material, notice)),
        Err(faults) => pages.refuse(&view::page(setting, &draft, &faults, &ground.material, None)),
    }
}

/// The program and, where the patient has none yet, the reminder rule; or all that is wrong.
fn judge(draft: &Draft, at: &CaseloadPatient, ground: &Ground) -> Result<(Program, Option<ReminderRule>), Faults> {
    let mut faults = Faults::default();
    let plan = draft.plan(&ground.material.known, &mut faults);
    let name = draft.name(&mut faults);
    let span = draft.span(at.today, &mut faults);
    let hour = draft.hour(&mut faults);
    // The patient's own hours win, once there are some.
    let mut rule = None;
    if let Some(hour) = hour.filter(|_| ground.rule.times.is_empty() && at.patient.email.is_some()) {
        let ReminderRule { times: _, weekdays, zone, quiet, paused_until } = ground.rule.clone();
        match ReminderRule::new(vec![hour], weekdays, zone, quiet, paused_until) {
            Ok(made) => rule = Some(made),
            Err(error) => faults.remind_at = Some(error.to_string()),
        }
    }
    let (plan, (start, end)) = faults.clone().or(plan.zip(span))?;
    match Program::assign(draft.id.unwrap_or_else(ProgramId::new), at.patient.id, &name, start, end, plan) {
        Ok(program) => Ok((program, rule)),
        Err(error) => {
            faults.place(error, !draft.ends.trim().is_empty());
            Err(faults)
        }
    }
}

async fn assign(
    app: &AppState,
    at: &CaseloadPatient,
    pages: &Pages,
    program: Program,
    rule: Option<ReminderRule>,
    now: Timestamp,
) -> PageResult {
    let first = at.patient.name.called().to_owned();
    let to = format!("/programs/{}", program.id);
    let said = match &at.patient.email {
        Some(_) => format!("Assigned. {first} gets an email about it."),
        None => format!("Assigned. {first} has no email address: give the program on paper."),
    };
    match save(&app.store, &at.staff.scope, &at.patient, &program, rule.as_ref(), now).await {
        Ok(()) => Ok(pages.go_saying(&to, &Flash::good(said))),
        // The same form a second time, by a second click or a reload: the program is there, and everything about it was done.
        Err(error) if error.conflicts_with(program::ID_TAKEN) => Ok(pages.go_saying(&to, &Flash::good("It is assigned already."))),
        Err(error) => Err(error.into()),
    }
}

/// Keeps the program and the reminder rule, and queues the mail about it.
async fn save(
    store: &Store,
    scope: &ClinicContext,
    patient: &Patient,
    program: &Program,
    rule: Option<&ReminderRule>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let tx = store.begin(scope).await?;
    // Rules first: they and the patient's row are held before anything refers to it.
    if let Some(rule) = rule {
        reminder::save_rules(&tx, patient.id, rule, now).await?;
    }
    program::insert(&tx, program, now).await?;
    if let Some(email) = &patient.email {
        outbox::enqueue(&tx, tx.clinic(), Owed::ProgramAssigned(patient.id, program.id), email, now).await?;
    }
    tx.commit().await
}

/// Saves the draft as a template and says so, or what is wrong with it.
async fn keep_as_template(
    app: &AppState,
    at: &CaseloadPatient,
    draft: &Draft,
    material: &Material,
    now: Timestamp,
) -> Result<Result<Option<String>, Faults>, PageError> {
    let made = match as_template(draft, material, TemplateId::new(), now) {
        Ok(made) => made,
        Err(faults) => return Ok(Err(faults)),
    };
    let said = format!("Saved as the template “{}”. The program is not assigned yet.", made.name);
    let created = async {
        let tx = app.store.begin(&at.staff.scope).await?;
        template::create(&tx, &made).await?;
        tx.commit().await
    };
    match created.await {
        Ok(()) => Ok(Ok(Some(said))),
        Err(error) if error.conflicts_with(NAME_TAKEN) => Ok(Err(name_taken())),
        Err(error) => Err(error.into()),
    }
}

/// The draft as a template, or all that is wrong with it.
///
/// # Errors
/// The faults, each where it was typed.
pub fn as_template(draft: &Draft, material: &Material, id: TemplateId, now: Timestamp) -> Result<Template, Faults> {
    let mut faults = Faults::default();
    let plan = draft.plan(&material.known, &mut faults);
    let name = draft.name(&mut faults);
    let weeks = match draft::date(&draft.starts).zip(draft::date(&draft.ends)) {
        // A program until a date is a template of as many weeks as it has begun.
        Some((start, end)) => {
            let weeks = u8::try_from((end - start).get_days() / 7 + 1).ok().filter(|weeks| (1..=52).contains(weeks));
            if weeks.is_none() {
                faults.ends = Some("A template lasts 1 to 52 weeks.".into());
            }
            weeks
        }
        None => draft.weeks(52, &mut faults),
    };
    let remind_at = draft.hour(&mut faults);
    let (plan, weeks) = faults.or(plan.zip(weeks))?;
    Ok(Template {
        id,
        name,
        weeks,
        weekdays: plan.weekdays,
        times_a_day: plan.times_a_day,
        remind_at,
        items: plan
            .prescriptions
            .into_iter()
            .map(|row| template::Item { exercise: row.exercise, dose: row.dose, note: row.note })
            .collect(),
        created_at: now,
        archived_at: None,
    })
}

/// The fault of a template whose name another one has.
pub fn name_taken() -> Faults {
    Faults { name: Some("There is a template of this name already. Give this one another name.".into()), ..Faults::default() }
}

fn setting(patient: &Patient, rule: &ReminderRule, draft: &Draft) -> Setting {
    let first = patient.name.called();
    let page = format!("/patients/{}", patient.id);
    let hours: Vec<String> = rule.times.iter().map(|time| clock(*time)).collect();
    let typed = draft.hour(&mut Faults::default());
    let consequence = match (&patient.email, hours.as_slice(), typed) {
        (None, _, _) => format!("{first} has no email address, so no email and no reminders are sent."),
        (Some(_), [], Some(hour)) => {
            format!("{first} gets an email now, and a reminder at {} on days with an open session.", clock(hour))
        }
        (Some(_), [], None) => format!("{first} gets an email now, and no reminders until somebody chooses an hour."),
        (Some(_), hours, _) => {
            format!("{first} gets an email now. Reminders stay at {}, as chosen before.", hours.join(" and "))
        }
    };
    Setting {
        kind: Kind::New,
        crumbs: vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to(patient.name.as_str(), page.clone()),
            Crumb::here("New program"),
        ],
        title: "New program".into(),
        action: format!("{page}/programs"),
        submit: if patient.email.is_some() { format!("Assign and email {first}") } else { format!("Assign to {first}") },
        consequence: Some(consequence),
        refused: "Nothing was assigned",
        start_from: Some(format!("{page}/programs/new")),
        archive: None,
        use_for: None,
    }
}
