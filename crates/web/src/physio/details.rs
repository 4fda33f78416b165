//! `/patients/{id}/edit`: a patient's name, address, language and zone, corrected. The form is the invitation's.

use axum::extract::State;
use domain::person::Language;
use jiff::Timestamp;
use render::{Crumb, Flash, Nav};
use store::{
    ClinicContext, Store, StoreError,
    outbox::{self, Mails},
    patient::{self, Patient},
};

use super::invite::{ADDRESS_TAKEN, Faults, Frame, Typed};
use crate::{
    AppState, PageResult,
    extract::{CaseloadPatient, Form, Now, Pages},
};

fn frame(patient: &Patient) -> Frame {
    let page = format!("/patients/{}", patient.id);
    let first = patient.name.called();
    Frame {
        crumbs: vec![
            Crumb::to("Patients", "/patients"),
            Crumb::to(patient.name.as_str(), page.clone()),
            Crumb::here("Change details"),
        ],
        title: "Change details".into(),
        lead: "Takes effect at once. Reminders follow the time zone.".into(),
        action: format!("{page}/edit"),
        submit: "Save".into(),
        icon: "check",
        back: page,
        email_hint: match (&patient.email, patient.joined_at) {
            (_, Some(_)) => {
                format!(
                    "Where mail goes from now on, what waits to be sent included. {first} signs in with the address the account was made with."
                )
            }
            (Some(_), None) => {
                format!("Where mail goes from now on. {first} has not joined yet: send the invitation again afterwards.")
            }
            (None, None) => "Without one, give the program on paper and log for the patient.".into(),
        },
        refused: "Nothing was changed",
    }
}

/// The form, filled.
pub async fn edit(CaseloadPatient { patient, .. }: CaseloadPatient, pages: Pages) -> PageResult {
    let typed = Typed {
        name: patient.name.as_str().to_owned(),
        email: patient.email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default(),
        zone: patient.zone.name().to_owned(),
        language: patient.language.tag().to_owned(),
        region: patient.region.tag().to_owned(),
        form_id: String::new(),
    };
    pages.at(Nav::Patients).show(&typed.page(frame(&patient), Faults::default()))
}

/// Saves it.
pub async fn save(
    State(app): State<AppState>,
    at: CaseloadPatient,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let CaseloadPatient { staff, patient: before, .. } = at;
    let pages = pages.at(Nav::Patients);
    // What was left empty stays as it is: an emptied zone is no wish to move to the clinic's.
    let or = |typed: &str, own: &str| if typed.trim().is_empty() { own.to_owned() } else { typed.to_owned() };
    let whole = Typed {
        zone: or(&typed.zone, before.zone.name()),
        language: or(&typed.language, before.language.tag()),
        region: or(&typed.region, before.region.tag()),
        ..typed.clone()
    };
    let wanted = match whole.parse(&staff, now) {
        Ok(wanted) => wanted,
        Err(faults) => return pages.refuse(&typed.page(frame(&before), faults)),
    };
    let to = format!("/patients/{}", before.id);
    match (correct(&app.store, &staff.scope, &before, &wanted, now).await, &wanted.email) {
        (Ok(on_its_way), _) => Ok(pages.go_saying(&to, &Flash::good("Saved.").with_mail_on_its_way(Language::En, on_its_way))),
        (Err(error), Some(email)) if error.conflicts_with(ADDRESS_TAKEN) => {
            let tx = app.store.begin(&staff.scope).await?;
            let by = patient::by_email(&tx, email).await?;
            tx.commit().await?;
            pages.refuse(&typed.page(frame(&before), Faults::taken(&staff.scope, by.as_ref())))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Keeps the correction. Says whether a mail that it changes is on its way in this moment.
async fn correct(
    store: &Store,
    scope: &ClinicContext,
    before: &Patient,
    wanted: &Patient,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let tx = store.begin(scope).await?;
    patient::correct(&tx, before, wanted, now).await?;
    // Only what goes elsewhere now, or at another hour, is worth a word.
    let elsewhere = before.email != wanted.email || before.zone != wanted.zone;
    let on_its_way = elsewhere && outbox::on_their_way(&tx, before.id, Mails::All).await?;
    tx.commit().await?;
    Ok(on_its_way)
}
