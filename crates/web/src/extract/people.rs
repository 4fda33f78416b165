//! Who is there. Nobody signed in → the sign-in page and back; the wrong role → the same 404 as a page that does not exist.

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::request::Parts,
};
use domain::{
    ids::{AccountId, MembershipId, PatientId},
    person::{Language, Role, Zone},
    program::Program,
    session_log::{LogError, SessionLog},
};
use jiff::civil::Date;
use store::{
    ClinicContext,
    audit::{AuditAction, AuditResource},
    session::{ClinicCard, Reach, Seat, SignedIn},
};
use uuid::Uuid;

use crate::{AppState, PageError, extract::visit};

/// Whoever is there, if anybody is.
#[derive(Debug, Clone)]
pub struct Viewer(pub Option<SignedIn>);

/// Anybody who signed in with a password, on the staff or as a patient: for pages that are everybody's own.
#[derive(Debug, Clone)]
pub struct Somebody(pub SignedIn);

/// Somebody on the staff at their own account: open also while their clinic waits for them to set up a second factor.
#[derive(Debug, Clone)]
pub struct StaffAccount(pub SignedIn);

/// An owner or a physiotherapist.
#[derive(Debug, Clone)]
pub struct Staff {
    /// The key to the clinic's rows.
    pub scope: ClinicContext,
    /// Their place on the staff.
    pub membership: MembershipId,
    /// Owner or physiotherapist.
    pub role: Role,
    /// Their name in this clinic.
    pub name: String,
    /// The clinic.
    pub clinic: ClinicCard,
    /// Their account.
    pub account: AccountId,
    /// The session's own id.
    pub session: Uuid,
}

/// Whoever is there gave their password (and the code, if they have a second factor) within the last ten minutes. A handler of a
/// sensitive change takes it after the extractor that says who is there; everybody else is asked for it once more, and led back to the
/// page they came from.
///
/// ```text
/// async fn change_role(Owner(owner): Owner, _: Confirmed, …) -> PageResult
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Confirmed;

/// As [`Confirmed`], for a handler that knows better than the browser where to come back to (a file is offered by another page), or that
/// asks only for some changes.
#[derive(Debug, Clone, Copy)]
pub struct Lately(bool);

impl Lately {
    /// Whether they did.
    pub fn is_confirmed(self) -> bool {
        self.0
    }

    /// Goes on for whoever did.
    ///
    /// # Errors
    /// [`PageError::Confirm`], which leads back to this local path, for everybody else.
    pub fn or_back_to(self, page: impl Into<String>) -> Result<(), PageError> {
        if self.0 { Ok(()) } else { Err(PageError::Confirm(page.into())) }
    }
}

/// An owner.
#[derive(Debug, Clone)]
pub struct Owner(pub Staff);

/// All that a session by a one-tap link may ask for, by method and pattern: today's session and what is asked with it. For everything else it
/// is led to the sign-in page. A handler of one of these shows no other day, no history and no settings when `reach` is [`Reach::Today`].
pub const ONE_TAP: [(&str, &str); 6] = [
    ("GET", "/today"),
    ("GET", "/session"),
    ("GET", "/session/{id}"),
    ("POST", "/session/{id}"),
    ("GET", "/questions/{id}"),
    ("POST", "/questions/{id}"),
];

/// A patient who signed in with a password or, at the addresses of [`ONE_TAP`], by a link in a mail.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The key to the patient's own rows.
    pub scope: ClinicContext,
    /// Their record.
    pub id: PatientId,
    /// Their name.
    pub name: String,
    /// Where their days begin and end.
    pub zone: Zone,
    /// Their language.
    pub language: Language,
    /// How far the session reaches.
    pub reach: Reach,
    /// The clinic.
    pub clinic: ClinicCard,
    /// Their account.
    pub account: AccountId,
    /// The session's own id.
    pub session: Uuid,
}

impl Patient {
    /// Whether they may log this today: by a one-tap link no other day.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may_log(&self, log: &SessionLog, program: &Program, today: Date) -> Result<(), LogError> {
        match self.reach {
            Reach::Full => log.check(program, today),
            Reach::Today => log.check_today(program, today),
        }
    }
}

impl FromRequestParts<AppState> for Viewer {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let visit = visit(parts)?;
        let viewer = visit.viewer(app).await?;
        release(app, viewer).await?;
        Ok(Self(viewer.cloned()))
    }
}

impl FromRequestParts<AppState> for Somebody {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let viewer = somebody(parts, app).await?;
        release(app, Some(&viewer)).await?;
        reaches(parts, viewer.reach)?;
        Ok(Self(viewer))
    }
}

impl FromRequestParts<AppState> for StaffAccount {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let viewer = somebody(parts, app).await?;
        if matches!(viewer.seat, Seat::Patient { .. }) {
            return Err(PageError::NotFound);
        }
        release(app, Some(&viewer)).await?;
        Ok(Self(viewer))
    }
}

impl FromRequestParts<AppState> for Confirmed {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let viewer = somebody(parts, app).await?;
        let visit = visit(parts)?;
        if viewer.is_confirmed(visit.now()) { Ok(Self) } else { Err(PageError::Confirm(visit.back().to_owned())) }
    }
}

impl FromRequestParts<AppState> for Lately {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let viewer = somebody(parts, app).await?;
        Ok(Self(viewer.is_confirmed(visit(parts)?.now())))
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let viewer = somebody(parts, app).await?;
        let must_set_up = viewer.must_set_up();
        let SignedIn { scope, session, account, clinic, seat, .. } = viewer;
        let Seat::Staff { membership, role, name } = seat else { return Err(PageError::NotFound) };
        if must_set_up {
            return Err(PageError::SetUp);
        }
        Ok(Self { scope, membership, role, name, clinic, account, session })
    }
}

impl FromRequestParts<AppState> for Owner {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let staff = Staff::from_request_parts(parts, app).await?;
        if staff.role == Role::Owner { Ok(Self(staff)) } else { Err(PageError::NotFound) }
    }
}

impl FromRequestParts<AppState> for Patient {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        let SignedIn { scope, session, account, clinic, seat, reach, .. } = somebody(parts, app).await?;
        let Seat::Patient { patient: id, name, zone, language } = seat else { return Err(PageError::NotFound) };
        // Before the look is noted: where nothing is shown, nothing was looked at.
        reaches(parts, reach)?;
        let patient = Self { scope, id, name, zone, language, reach, clinic, account, session };
        opened(parts, &patient)?;
        Ok(patient)
    }
}

/// Whether a session reaches as far as what is asked for.
fn reaches(parts: &Parts, reach: Reach) -> Result<(), PageError> {
    let asked = (parts.method.as_str(), parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str));
    // HEAD is answered as GET is.
    let asked = if asked.0 == "HEAD" { ("GET", asked.1) } else { asked };
    match reach {
        Reach::Today if !ONE_TAP.contains(&asked) => Err(PageError::SignIn(visit(parts)?.back().to_owned())),
        Reach::Today | Reach::Full => Ok(()),
    }
}

/// The patient's own look at the record is told to the audit.
fn opened(parts: &Parts, patient: &Patient) -> Result<(), PageError> {
    if visit(parts)?.is_look() {
        patient.scope.note(AuditAction::Read, AuditResource::Record, Some(patient.id));
    }
    Ok(())
}

/// Pages of one's own account work in another role, and some of them hash passwords: a connection must not wait for that.
async fn release(app: &AppState, viewer: Option<&SignedIn>) -> Result<(), PageError> {
    match viewer {
        Some(viewer) => Ok(app.store.finish_request(&viewer.scope).await?),
        None => Ok(()),
    }
}

async fn somebody(parts: &Parts, app: &AppState) -> Result<SignedIn, PageError> {
    let visit = visit(parts)?;
    let viewer = visit.viewer(app).await?;
    viewer.cloned().ok_or_else(|| PageError::SignIn(visit.back().to_owned()))
}
