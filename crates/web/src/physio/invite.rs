//! `/patients/new`, `POST /patients`: a new patient's record, and the invitation to it.

use axum::extract::State;
use domain::{
    ids::{ClinicId, PatientId},
    pain::Region,
    person::{Email, Language, PersonName, Zone},
};
use jiff::Timestamp;
use render::{
    Choice, Crumb, Field, Flash, Nav,
    pages::physio::invite::{Invite, Taken},
};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use store::{
    ClinicContext, Store, StoreError,
    audit::{AuditAction, AuditResource},
    outbox::{self, Owed},
    patient::{self, ID_TAKEN, Patient},
};
use uuid::Uuid;

use super::words;
use crate::{
    AppState, PageResult,
    extract::{CaseloadPatient, Form, Now, Pages, Staff},
};

/// The constraint that lets one address stand once in a clinic.
pub(super) const ADDRESS_TAKEN: &str = "patient_clinic_id_email_key";

/// A new patient as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) zone: String,
    pub(super) language: String,
    pub(super) region: String,
    /// Made when the empty form is shown, so that the form sent twice is one patient. Says nothing about which record: see [`Typed::id`].
    pub(super) form_id: String,
}

/// What is around the fields: an invitation, or a record to be corrected.
pub(super) struct Frame {
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) action: String,
    pub(super) submit: String,
    pub(super) icon: &'static str,
    pub(super) back: String,
    pub(super) email_hint: String,
    /// Above a refused form: what was not done.
    pub(super) refused: &'static str,
}

impl Frame {
    fn invitation() -> Self {
        Self {
            crumbs: vec![Crumb::to("Patients", "/patients"), Crumb::here("Invite a patient")],
            title: "Invite a patient".into(),
            lead: "They get an email with a link to choose a password. The link holds for 14 days.".into(),
            action: "/patients".into(),
            submit: "Send the invitation".into(),
            icon: "mail",
            back: "/patients".into(),
            email_hint: "Without one, give the program on paper and log for the patient.".into(),
            refused: "Nobody was invited",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    name: Option<String>,
    email: Option<String>,
    zone: Option<String>,
    language: Option<String>,
    region: Option<String>,
    taken: Option<Taken>,
}

impl Faults {
    fn count(&self) -> usize {
        [&self.name, &self.email, &self.zone, &self.language, &self.region].iter().filter(|fault| fault.is_some()).count()
    }

    /// The address belongs to somebody of the clinic: to a patient whom the reader sees, or to one on a colleague's caseload.
    pub(super) fn taken(scope: &ClinicContext, by: Option<&Patient>) -> Self {
        let Some(by) = by else {
            let email = Some("A patient of your clinic has this address already. Please ask your colleagues.".into());
            return Self { email, ..Self::default() };
        };
        // The page says whose it is.
        scope.note(AuditAction::Read, AuditResource::Record, Some(by.id));
        Self {
            email: Some(format!("{} has this address in your clinic already.", by.name.as_str())),
            taken: Some(Taken { href: format!("/patients/{}", by.id), name: by.name.as_str().to_owned() }),
            ..Self::default()
        }
    }
}

impl Typed {
    /// The id of the record this form makes: the same for the same form of the same clinic, and never one that was given out otherwise,
    /// whatever id is sent in. Without a form's id it is a fresh one.
    fn id(&self, clinic: ClinicId) -> PatientId {
        let Ok(form) = self.form_id.parse::<Uuid>() else { return PatientId::new() };
        let mut both = Context::new(&SHA256);
        for part in [b"patient by form".as_slice(), clinic.0.as_bytes(), form.as_bytes()] {
            both.update(part);
        }
        let mut bytes = *form.as_bytes();
        // The hour of the form stays in front, as in every id of ours.
        bytes[6..].copy_from_slice(&both.finish().as_ref()[..10]);
        PatientId(
            uuid::Builder::from_bytes(bytes).with_version(uuid::Version::SortRand).with_variant(uuid::Variant::RFC4122).into_uuid(),
        )
    }

    pub(super) fn parse(&self, staff: &Staff, now: Timestamp) -> Result<Patient, Faults> {
        let mut faults = Faults::default();
        let name = PersonName::parse(&self.name).map_err(|error| faults.name = Some(error.to_string()));
        let email = match self.email.trim() {
            "" => Ok(None),
            typed => Email::parse(typed).map(Some).map_err(|error| faults.email = Some(error.to_string())),
        };
        // What the form did not send is the clinic's own.
        let zone = match self.zone.trim() {
            "" => Ok(staff.clinic.zone.clone()),
            typed => Zone::parse(typed).map_err(|error| faults.zone = Some(error.to_string())),
        };
        let language = match self.language.trim() {
            "" => Ok(Language::En),
            typed => typed.parse().map_err(|_| faults.language = Some("Choose a language.".into())),
        };
        let region = match self.region.trim() {
            "" => Ok(Region::Other),
            typed => typed.parse().map_err(|_| faults.region = Some("Choose where it hurts.".into())),
        };
        let (Ok(name), Ok(email), Ok(zone), Ok(language), Ok(region)) = (name, email, zone, language, region) else {
            return Err(faults);
        };
        Ok(Patient {
            id: self.id(staff.clinic.id),
            account: None,
            physiotherapist: Some(staff.membership),
            name,
            invited_at: email.is_some().then_some(now),
            email,
            zone,
            language,
            region,
            joined_at: None,
            closed: None,
            created_at: now,
        })
    }

    pub(super) fn page(&self, frame: Frame, faults: Faults) -> Invite {
        let count = faults.count();
        let Frame { crumbs, title, lead, action, submit, icon, back, email_hint, refused } = frame;
        let Faults { name, email, zone, language, region, taken } = faults;
        let field = |value: &str, error: Option<String>| Field { value: value.to_owned(), error };
        Invite {
            crumbs,
            title,
            lead,
            action,
            submit,
            icon,
            back,
            email_hint,
            form_id: self.form_id.parse::<Uuid>().ok().map(|id| id.to_string()),
            problem: (count > 0).then(|| words::problem(refused, count)),
            name: field(&self.name, name),
            email: field(&self.email, email),
            taken,
            region: field(&self.region, region),
            regions: words::regions(),
            language: field(&self.language, language),
            languages: Language::ALL.iter().map(|language| Choice::new(language.tag(), in_itself(*language))).collect(),
            zone: field(&self.zone, zone),
            zones: zones(),
        }
    }
}

/// A language's name as its readers know it.
const fn in_itself(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Ms => "Bahasa Melayu",
        Language::Zh => "中文",
        Language::Ta => "தமிழ்",
    }
}

/// The zones that are places.
fn zones() -> Vec<String> {
    jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| name.contains('/') && !name.starts_with("Etc/") && !name.starts_with("SystemV/") && !name.starts_with("US/"))
        .collect()
}

/// The empty form.
pub async fn new(staff: Staff, pages: Pages) -> PageResult {
    let typed = Typed {
        zone: staff.clinic.zone.name().to_owned(),
        language: Language::En.tag().to_owned(),
        region: Region::UpperBack.tag().to_owned(),
        form_id: Uuid::now_v7().to_string(),
        ..Typed::default()
    };
    pages.at(Nav::Patients).show(&typed.page(Frame::invitation(), Faults::default()))
}

/// Makes the record on the physiotherapist's own caseload and queues the invitation.
pub async fn create(
    State(app): State<AppState>,
    staff: Staff,
    Now(now): Now,
    pages: Pages,
    Form(typed): Form<Typed>,
) -> PageResult {
    let pages = pages.at(Nav::Patients);
    let mut made = match typed.parse(&staff, now) {
        Ok(made) => made,
        Err(faults) => return pages.refuse(&typed.page(Frame::invitation(), faults)),
    };
    let mut saved = save(&app.store, &staff.scope, &made, now).await;
    if saved.as_ref().is_err_and(|error| error.conflicts_with(ID_TAKEN)) {
        let first = find(&app.store, &staff.scope, made.id).await;
        // The same form a second time, by a second click or a reload: everything was done. With another name or address it was filled in
        // anew after "Back", and is about somebody else.
        saved = match first {
            Ok(first) if (&first.name, &first.email) == (&made.name, &made.email) => Ok(()),
            Ok(_) | Err(StoreError::NotFound) => {
                made.id = PatientId::new();
                save(&app.store, &staff.scope, &made, now).await
            }
            Err(error) => Err(error),
        };
    }
    let to = format!("/patients/{}", made.id);
    let said = match &made.email {
        Some(email) => format!("Invitation on its way to {email}."),
        None => format!("{} is on your caseload. Without an email address, give programs on paper.", made.name.as_str()),
    };
    match (saved, made.email) {
        (Ok(()), _) => Ok(pages.go_saying(&to, &Flash::good(said))),
        (Err(error), Some(email)) if error.conflicts_with(ADDRESS_TAKEN) => {
            let tx = app.store.begin(&staff.scope).await?;
            let by = patient::by_email(&tx, &email).await?;
            tx.commit().await?;
            pages.refuse(&typed.page(Frame::invitation(), Faults::taken(&staff.scope, by.as_ref())))
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Keeps the new record and queues the invitation.
async fn save(store: &Store, scope: &ClinicContext, made: &Patient, now: Timestamp) -> Result<(), StoreError> {
    let tx = store.begin(scope).await?;
    patient::create(&tx, made).await?;
    if let Some(email) = &made.email {
        outbox::enqueue(&tx, tx.clinic(), Owed::PatientInvitation(made.id), email, now).await?;
    }
    tx.commit().await
}

/// The record that has this id already.
async fn find(store: &Store, scope: &ClinicContext, id: PatientId) -> Result<Patient, StoreError> {
    let tx = store.begin(scope).await?;
    let found = patient::find(&tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

/// Sends the invitation again.
pub async fn again(State(app): State<AppState>, at: CaseloadPatient, Now(now): Now, pages: Pages) -> PageResult {
    let CaseloadPatient { staff, patient, .. } = at;
    let to = format!("/patients/{}", patient.id);
    let first = patient.name.called();
    let Some(email) = patient.email.clone().filter(|_| patient.joined_at.is_none() && patient.closed.is_none()) else {
        let said = match patient.joined_at {
            _ if patient.closed.is_some() => format!("{first}’s record is closed. Open it again first, under Record."),
            Some(_) => format!("{first} has joined already and needs no invitation."),
            None => format!("{first} has no email address to send an invitation to."),
        };
        return Ok(pages.go_saying(&to, &Flash::warn(said)));
    };
    let tx = app.store.begin(&staff.scope).await?;
    // The record may have been corrected, joined or closed since it was read.
    if !patient::can_be_invited(&tx, patient.id, &email).await? {
        tx.commit().await?;
        return Ok(pages.go_saying(&to, &Flash::warn("The record was changed a moment ago. Please look at it again.".to_owned())));
    }
    let queued = outbox::enqueue(&tx, tx.clinic(), Owed::PatientInvitation(patient.id), &email, now).await?;
    if queued {
        patient::mark_invited(&tx, patient.id, now).await?;
    }
    let refused = outbox::suppression::refused_before(&tx, &email).await?;
    tx.commit().await?;
    let said = if let (true, Some((words, _))) = (queued, refused) {
        Flash::warn(format!(
            "The mail server refused {email} before ({}). The invitation is tried all the same; look under Mail what became of it.",
            words.trim_end_matches('.')
        ))
    } else if queued {
        Flash::good(format!("Invitation on its way to {email}."))
    } else {
        Flash::warn(format!("The invitation to {email} was sent a moment ago. Wait a minute before sending it again."))
    };
    Ok(pages.go_saying(&to, &said))
}
