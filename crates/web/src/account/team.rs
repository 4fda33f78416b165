//! The clinic's team, for its owner: who is there, inviting, roles, closing somebody's access, handing over a caseload. What gives or
//! takes rights asks for the password again when it was typed a while ago.

use axum::extract::State;
use domain::{
    ids::MembershipId,
    person::{Email, Language, PersonName, Role, Zone},
};
use jiff::Timestamp;
use render::{Field, Flash, Nav, formats, forms::Choice, pages::account::team as shown};
use serde::Deserialize;
use store::{
    Actor, ClinicContext, StoreError,
    audit::{self, AuditAction, AuditResource, AuthEvent},
    outbox::{self, Owed},
    second_factor,
    session::SeatId,
    team::{self, Member},
};

use crate::{
    AppState, PageError, PageResult,
    extract::{Confirmed, Form, Id, Now, Owner, Pages, Staff},
    visit::Visit,
};

/// `GET /team`
pub(crate) async fn page(State(app): State<AppState>, Owner(owner): Owner, pages: Pages) -> PageResult {
    let page = filled(&app, &owner).await?;
    pages.at(Nav::Clinic).show(&page)
}

#[derive(Deserialize)]
pub(crate) struct Invitation {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
}

/// `POST /team`: adds somebody, who sees nothing before the invitation is accepted, and queues the invitation.
pub(crate) async fn invite(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    visit: Visit,
    pages: Pages,
    Form(form): Form<Invitation>,
) -> PageResult {
    // A form that does not say is the one for physiotherapists.
    let role = if form.role.is_empty() { Some(Role::Physiotherapist) } else { staff_role(&form.role) };
    let (name, email, role) = match (PersonName::parse(&form.name), Email::parse(&form.email), role) {
        (Ok(name), Ok(email), Some(role)) => (name, email, role),
        (name, email, role) => {
            let mut page = filled(&app, &owner).await?;
            page.name = Field { value: form.name, error: name.err().map(|fault| fault.to_string()) };
            page.email = Field { value: form.email, error: email.err().map(|fault| fault.to_string()) };
            page.role = match role {
                Some(role) => Field::holding(role.tag()),
                None => Field::refused(Role::Physiotherapist.tag(), "Please choose one of these."),
            };
            return pages.at(Nav::Clinic).refuse(&page);
        }
    };
    match add(&app, &owner, by(&owner, &visit), (&name, &email), role).await {
        Err(error) if error.conflicts_with("membership_clinic_id_account_id_key") => {
            let mut page = filled(&app, &owner).await?;
            let former = page.former.iter().any(|member| member.email == email.as_str());
            page.name = Field::holding(form.name);
            page.role = Field::holding(role.tag());
            page.email = Field::refused(
                form.email,
                if former {
                    "Somebody with this address was on your team. Open their access again below."
                } else {
                    "Somebody with this address is on your team already."
                },
            );
            pages.at(Nav::Clinic).refuse(&page)
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(pages.go_saying("/team", &Flash::good(format!("The invitation to {email} is on its way.")))),
    }
}

/// Adds somebody to the team and queues the invitation, if the owner is still one.
async fn add(app: &AppState, owner: &Staff, asked: AuthEvent, whom: (&PersonName, &Email), role: Role) -> Result<(), StoreError> {
    let tx = app.store.begin_sign_in_as(&owner.scope).await?;
    team::still_owner(&tx, asked.clinic, owner.membership).await?;
    let member = team::invite(&tx, asked.clinic, whom, role, asked.at).await?;
    let asked = of(asked, &format!("invited as {}", role.tag()), member);
    audit::auth_event(&tx, asked, AuditAction::Wrote, AuditResource::Team).await?;
    tx.commit().await
}

/// `POST /team/{id}/invite`: the invitation once more, also after it was withdrawn.
pub(crate) async fn invite_again(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(member): Id<MembershipId>,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    let asked = by(&owner, &visit);
    let (clinic, now) = (asked.clinic, asked.at);
    let tx = app.store.begin_sign_in_as(&owner.scope).await?;
    team::still_owner(&tx, clinic, owner.membership).await?;
    let invited = |other: &Member| other.id == member && other.joined_at.is_none();
    let Member { email, name, role, disabled_at, .. } =
        team::list(&tx, clinic).await?.into_iter().find(invited).ok_or(PageError::NotFound)?;
    let mut queued = true;
    if disabled_at.is_none() {
        queued = outbox::enqueue(&tx, clinic, Owed::StaffInvitation(member), &email, now).await?;
    } else {
        let name = PersonName::parse(&name).map_err(|_| PageError::NotFound)?;
        team::invite(&tx, clinic, (&name, &email), role, now).await?;
    }
    audit::auth_event(&tx, of(asked, "invited again", member), AuditAction::Wrote, AuditResource::Team).await?;
    tx.commit().await?;
    let said = if queued {
        Flash::good(format!("The invitation to {email} is on its way again."))
    } else {
        Flash::warn(format!("The invitation to {email} was sent a moment ago. Wait a minute before sending it again."))
    };
    Ok(pages.go_saying("/team", &said))
}

/// `POST /team/{id}/withdraw`
pub(crate) async fn withdraw(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Id(member): Id<MembershipId>,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    let done = async {
        let tx = app.store.begin(&owner.scope).await?;
        team::withdraw(&tx, member, now).await?;
        tx.commit().await
    }
    .await;
    said(&app, &owner, pages, done.map(|()| "The invitation is withdrawn. Its link does not work any more.".into())).await
}

#[derive(Deserialize)]
pub(crate) struct NewRole {
    #[serde(default)]
    role: String,
}

/// `POST /team/{id}/role`
pub(crate) async fn change_role(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(member): Id<MembershipId>,
    pages: Pages,
    Form(NewRole { role }): Form<NewRole>,
) -> PageResult {
    let role = staff_role(&role).ok_or(PageError::Refused(None))?;
    let done = async {
        let tx = app.store.begin(&ending(&owner, member)).await?;
        team::change_role(&tx, member, role).await?;
        tx.commit().await
    }
    .await;
    let as_what = if role == Role::Owner { "an owner" } else { "a physiotherapist" };
    if done.is_ok() && member == owner.membership && role != Role::Owner {
        return Ok(pages.go_saying("/sign-in", &Flash::good(format!("You are {as_what} now. Please sign in again."))));
    }
    said(&app, &owner, pages, done.map(|()| format!("Saved: {as_what} from the next sign-in on."))).await
}

/// `POST /team/{id}/disable`
pub(crate) async fn disable(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(member): Id<MembershipId>,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    let done = async {
        let tx = app.store.begin(&ending(&owner, member)).await?;
        team::disable(&tx, member, now).await?;
        tx.commit().await
    }
    .await;
    let sentence = "Access is closed, and every browser of theirs is signed out here. Their patients stay with the clinic.";
    said(&app, &owner, pages, done.map(|()| sentence.into())).await
}

/// `POST /team/{id}/enable`
pub(crate) async fn enable(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(member): Id<MembershipId>,
    pages: Pages,
) -> PageResult {
    let done = async {
        let tx = app.store.begin(&owner.scope).await?;
        team::enable(&tx, member).await?;
        tx.commit().await
    }
    .await;
    said(&app, &owner, pages, done.map(|()| "Access is open again. They can sign in with their own password.".into())).await
}

/// `POST /team/{id}/second-factor`: turns off a colleague's second factor, whose phone is lost. They are signed out everywhere.
pub(crate) async fn reset_second_factor(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(member): Id<MembershipId>,
    visit: Visit,
    pages: Pages,
) -> PageResult {
    if member == owner.membership {
        let own = "Your own second factor is under “Your account”. It asks for a code, so that nobody else turns it off.";
        return said(&app, &owner, pages, Err(StoreError::Refused(own.into()))).await;
    }
    let reset = reset(&app, &owner, by(&owner, &visit), member).await;
    let sentence = |was_on| match was_on {
        true => {
            "Their second factor is off, and every browser of theirs is signed out. They sign in with the password and set up a new one."
        }
        false => "There was no second factor to reset.",
    };
    said(&app, &owner, pages, reset.map(|was_on| sentence(was_on).into())).await
}

/// Turns the member's second factor off and ends their sessions, if the owner is still one; whether it was on.
async fn reset(app: &AppState, owner: &Staff, asked: AuthEvent, member: MembershipId) -> Result<bool, StoreError> {
    let tx = app.store.begin_sign_in_as(&ending(owner, member)).await?;
    team::still_owner(&tx, asked.clinic, owner.membership).await?;
    let was_on = second_factor::reset_member(&tx, asked.clinic, member).await?;
    if was_on {
        audit::auth_event(&tx, of(asked, "second factor turned off", member), AuditAction::Wrote, AuditResource::Team).await?;
    }
    tx.commit().await?;
    Ok(was_on)
}

#[derive(Deserialize)]
pub(crate) struct HandOver {
    #[serde(default)]
    to: String,
}

/// `POST /team/{id}/caseload`: all patients of one member go to a colleague.
pub(crate) async fn hand_over(
    State(app): State<AppState>,
    Owner(owner): Owner,
    _: Confirmed,
    Id(from): Id<MembershipId>,
    pages: Pages,
    Form(HandOver { to }): Form<HandOver>,
) -> PageResult {
    let to: MembershipId = to.parse().map_err(|_| PageError::NotFound)?;
    let done = async {
        let tx = app.store.begin(&owner.scope).await?;
        let count = team::hand_over(&tx, from, to).await?;
        tx.commit().await.map(|()| count)
    }
    .await;
    let sentence = |count| match patients(count) {
        Some(patients) => format!("Handed over: {patients}."),
        None => "There was nobody to hand over.".into(),
    };
    said(&app, &owner, pages, done.map(sentence)).await
}

/// Who invites, for the audit: accounts are made before a clinic is known.
fn by(owner: &Staff, visit: &Visit) -> AuthEvent {
    AuthEvent {
        clinic: owner.clinic.id,
        at: visit.now(),
        account: owner.account,
        actor: Actor::Staff(owner.membership),
        request: visit.id(),
        address: visit.address(),
        detail: None,
    }
}

/// What was done, and with whose place.
fn of(asked: AuthEvent, deed: &str, member: MembershipId) -> AuthEvent {
    AuthEvent { detail: Some(format!("{deed}: {member}")), ..asked }
}

/// The owner's scope, for what ends the sessions of a member.
fn ending(owner: &Staff, member: MembershipId) -> ClinicContext {
    owner.scope.clone().ending(SeatId::Staff(member))
}

/// Back to the list with what was done, or the list with why it was not.
async fn said(app: &AppState, owner: &Staff, pages: Pages, done: Result<String, StoreError>) -> PageResult {
    match done {
        Ok(sentence) => Ok(pages.go_saying("/team", &Flash::good(sentence))),
        Err(StoreError::Refused(sentence)) => {
            let mut page = filled(app, owner).await?;
            page.problem = Some(sentence);
            pages.at(Nav::Clinic).refuse(&page)
        }
        Err(error) => Err(error.into()),
    }
}

async fn filled(app: &AppState, owner: &Staff) -> Result<shown::Team, PageError> {
    let team = team::list(&app.store.sign_in_reads(), owner.clinic.id).await?;
    let members: Vec<shown::Member> = team.iter().map(|member| row(member, &team, owner)).collect();
    let (members, former) = members.into_iter().partition(|member| member.active || member.invited);
    Ok(shown::Team {
        members,
        former,
        roles: [Role::Physiotherapist, Role::Owner].map(|role| Choice::new(role.tag(), in_words(role))).into(),
        name: Field::default(),
        email: Field::default(),
        role: Field::holding(Role::Physiotherapist.tag()),
        problem: None,
    })
}

fn row(member: &Member, team: &[Member], owner: &Staff) -> shown::Member {
    let others = || team.iter().filter(|other| other.id != member.id && other.is_active());
    shown::Member {
        id: member.id.to_string(),
        name: member.name.clone(),
        email: member.email.to_string(),
        role: in_words(member.role).to_owned(),
        chosen: Field::holding(member.role.tag()),
        standing: standing(member, &owner.clinic.zone),
        patients: patients(u64::from(member.patients)),
        colleagues: if member.patients == 0 {
            vec![]
        } else {
            others().map(|other| Choice::new(other.id.to_string(), other.name.clone())).collect()
        },
        invited: member.joined_at.is_none() && member.disabled_at.is_none(),
        active: member.is_active(),
        joined: member.joined_at.is_some(),
        you: member.id == owner.membership,
        second_factor: member.second_factor,
        last_owner: member.role == Role::Owner && member.is_active() && !others().any(|other| other.role == Role::Owner),
    }
}

fn staff_role(tag: &str) -> Option<Role> {
    tag.parse().ok().filter(|role: &Role| role.is_staff())
}

const fn in_words(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Physiotherapist => "Physiotherapist",
        Role::Patient => "Patient",
    }
}

fn patients(count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 patient".into()),
        more => Some(format!("{more} patients")),
    }
}

fn standing(member: &Member, zone: &Zone) -> String {
    let on = |at: Timestamp| formats::day_and_year(Language::En, zone.date(at));
    match (member.disabled_at, member.joined_at) {
        (Some(at), Some(_)) => format!("Access closed on {}", on(at)),
        (Some(_), None) => "Invitation withdrawn".into(),
        (None, Some(at)) => format!("Joined {}", on(at)),
        (None, None) => "Invited, not yet accepted".into(),
    }
}
