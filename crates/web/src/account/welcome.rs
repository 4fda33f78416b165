//! Accepting an invitation: a password, for patients consent, and in.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use domain::person::PersonName;
use render::{
    Field,
    pages::account::links::{Over, Welcome},
    words::say,
};
use serde::Deserialize;
use store::{
    StoreError, account,
    audit::{self, AuditAction, AuditResource},
    link::{self, Freshness, Invited, InvitedSeat, Link, Opens},
    second_factor::{self, Standing},
    session::SeatId,
};

use super::{agreed, enter, mailed, sign_in};
use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Pages},
    visit::Visit,
};

/// An invitation that can be accepted.
struct Invitation {
    link: Link,
    invited: Invited,
    existing: bool,
}

/// `GET /welcome/{token}`: shows the invitation; changes nothing.
pub(crate) async fn page(State(app): State<AppState>, Path(token): Path<String>, visit: Visit, pages: Pages) -> PageResult {
    match find(&app, &token, &visit).await? {
        Ok(invitation) => {
            let welcome = invitation.page();
            pages.show_in(&mailed::invitation_frame(&pages, &welcome.clinic, invitation.invited.language), &welcome)
        }
        Err((over, clinic)) => mailed::over(&pages, over, clinic),
    }
}

#[derive(Deserialize)]
pub(crate) struct Acceptance {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    agree: String,
    #[serde(default)]
    consent_version: String,
}

/// `POST /welcome/{token}`
pub(crate) async fn submit(
    State(app): State<AppState>,
    Path(token): Path<String>,
    visit: Visit,
    pages: Pages,
    Form(form): Form<Acceptance>,
) -> PageResult {
    app.throttle.check(&visit)?;
    let invitation = match find(&app, &token, &visit).await? {
        Ok(invitation) => invitation,
        Err((over, clinic)) => return mailed::over(&pages, over, clinic),
    };
    let mut page = invitation.page();
    let name = invitation.read(&form, &mut page);
    let password = invitation.password(&app, &visit, form.password, &mut page).await?;
    let (Some(name), Some(password)) = (name, password) else {
        let chrome = mailed::invitation_frame(&pages, &page.clinic, invitation.invited.language);
        return pages.show_as(StatusCode::UNPROCESSABLE_ENTITY, &chrome, &page);
    };
    match invitation.accept(&app, &visit, &name, password).await {
        Ok(Entered::Fully(token, seat)) => Ok(enter::admit(&app, &token, seat, enter::home(seat))),
        Ok(Entered::Half(token)) => Ok(enter::half_admit(&app, &token, "")),
        // It was used, taken back, or its address corrected, while the password was hashed.
        Err(StoreError::NotFound) => {
            let (over, clinic) = find(&app, &token, &visit).await?.err().unwrap_or((Over::InvitationUsed, Some(page.clinic)));
            mailed::over(&pages, over, clinic)
        }
        Err(error) if error.conflicts_with("patient_clinic_id_account_id_key") => {
            Err(PageError::Refused(Some("This account is another patient of the same clinic already.".into())))
        }
        Err(error) => Err(error.into()),
    }
}

/// How the account proves itself: by a new password's hash, or because the present one was typed, compared with the hash beside it.
enum Password {
    New(String),
    Known(Option<String>),
}

/// What accepting opened.
enum Entered {
    /// A session in the new place.
    Fully([u8; 32], SeatId),
    /// A sign-in that waits for its code.
    Half([u8; 32]),
}

async fn find(app: &AppState, token: &str, visit: &Visit) -> Result<Result<Invitation, (Over, Option<String>)>, PageError> {
    let tx = app.store.begin_sign_in().await?;
    let found = link::find(&tx, token, visit.now()).await?;
    let account = match &found {
        Some(link) => account::by_email(&tx, &link.email).await?,
        None => None,
    };
    tx.commit().await?;
    let Some(link) = found else { return Ok(Err((Over::Incomplete, None))) };
    let Opens::Invitation(invited) = link.opens.clone() else { return Ok(Err((Over::Incomplete, None))) };
    Ok(match link.freshness {
        Freshness::Used => Err((Over::InvitationUsed, Some(invited.clinic_name))),
        Freshness::Expired => Err((Over::InvitationExpired, Some(invited.clinic_name))),
        Freshness::Live => {
            let existing = account.is_some_and(|account| account.password_hash.is_some());
            Ok(Invitation { link, invited, existing })
        }
    })
}

impl Invitation {
    fn is_patient(&self) -> bool {
        matches!(self.invited.seat, InvitedSeat::Patient(_))
    }

    fn page(&self) -> Welcome {
        let Invited { clinic_name, by, name, language, .. } = &self.invited;
        let patient = self.is_patient();
        Welcome {
            clinic: clinic_name.clone(),
            by: by.clone(),
            first: patient.then(|| name.called().to_owned()),
            email: self.link.email.as_str().to_owned(),
            patient,
            existing: self.existing,
            name: Field::holding(name.as_str()),
            password: Field::default(),
            consent: if patient { agreed::paragraphs(*language, clinic_name) } else { vec![] },
            consent_version: if patient { say(*language, "consent-version", &[]) } else { String::new() },
            agreed: false,
            consent_error: None,
        }
    }

    /// Everything but the password: the name of a member of staff, a patient's consent to the text that was shown. Faults go onto the
    /// page.
    fn read(&self, form: &Acceptance, page: &mut Welcome) -> Option<PersonName> {
        if !self.is_patient() {
            return match PersonName::parse(&form.name) {
                Ok(name) => Some(name),
                Err(fault) => {
                    page.name = Field::refused(form.name.clone(), fault.to_string());
                    None
                }
            };
        }
        // A text that changed since the page was shown has not been read.
        page.agreed = form.agree == "yes" && form.consent_version == page.consent_version;
        if page.agreed {
            return Some(self.invited.name.clone());
        }
        page.consent_error = Some(say(self.invited.language, "welcome-agree-missing", &[]));
        None
    }

    async fn password(
        &self,
        app: &AppState,
        visit: &Visit,
        typed: String,
        page: &mut Welcome,
    ) -> Result<Option<Password>, PageError> {
        let key = if self.existing {
            match sign_in::recognise(app, visit, self.link.email.clone(), typed).await? {
                Some(account) => return Ok(Some(Password::Known(account.password_hash))),
                None => "welcome-existing-wrong",
            }
        } else {
            let about = vec![self.link.email.as_str().to_owned(), self.invited.name.as_str().to_owned()];
            match app.passwords.choose(typed, about).await? {
                Ok(hash) => return Ok(Some(Password::New(hash))),
                Err(fault) => fault.key(),
            }
        };
        page.password = Field::refused("", say(self.invited.language, key, &[]));
        Ok(None)
    }

    async fn accept(self, app: &AppState, visit: &Visit, name: &PersonName, password: Password) -> Result<Entered, StoreError> {
        let Self { link, invited, .. } = self;
        let now = visit.now();
        let tx = app.store.begin_sign_in().await?;
        let account = account::find_or_create(&tx, &link.email, now).await?;
        match (password, &account.password_hash) {
            (Password::New(hash), None) => account::set_password(&tx, account.id, &hash, now).await?,
            (Password::Known(compared), Some(_)) => {
                if !account::still_has(&tx, account.id, compared.as_deref()).await? {
                    return Err(StoreError::Refused("Your password was changed a moment ago. Open the link again.".into()));
                }
            }
            // The account got its password from another invitation between the two pages.
            _ => return Err(StoreError::Refused("This address has an account by now. Open the link again.".into())),
        }
        // An invitation is no way around the second factor.
        let asks_code = matches!(second_factor::standing(&tx, account.id, now).await?, Standing::On { .. });
        if !asks_code {
            // Sessions are locked before memberships and records.
            enter::leave(&tx, visit).await?;
        }
        link::consume(&tx, &link, now).await?;
        let clinic = invited.clinic;
        let seat = match invited.seat {
            InvitedSeat::Patient(patient) => {
                let consent = agreed::wording(invited.language, &invited.clinic_name);
                account::join_patient(&tx, (clinic, patient), account.id, &consent, now).await?;
                let who = visit.auth_event(account.id, clinic, SeatId::Patient(patient));
                audit::auth_event(&tx, who, AuditAction::Wrote, AuditResource::Consent).await?;
                SeatId::Patient(patient)
            }
            InvitedSeat::Staff(member, _) => {
                account::join_staff(&tx, (clinic, member), account.id, name, now).await?;
                SeatId::Staff(member)
            }
        };
        let entered = if asks_code {
            Entered::Half(second_factor::half_open(&tx, account.id, now).await?)
        } else {
            Entered::Fully(enter::open(&tx, visit, (account.id, clinic, seat)).await?, seat)
        };
        tx.commit().await?;
        Ok(entered)
    }
}
