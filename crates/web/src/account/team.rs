//! The clinic's team, for its owner: who is there, and inviting a physiotherapist.

use axum::extract::State;
use domain::{
    ids::MembershipId,
    person::{Email, Language, PersonName, Role, Zone},
};
use jiff::Timestamp;
use render::{Field, Flash, Nav, formats, pages::account::clinic as pages_of_clinic};
use serde::Deserialize;
use store::{
    account,
    outbox::{self, Owed},
};

use crate::{
    AppState, PageError, PageResult,
    extract::{Form, Id, Now, Owner, Pages, Staff},
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
}

/// `POST /team`: adds a physiotherapist, who sees nothing before the invitation is accepted, and queues the invitation.
pub(crate) async fn invite(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Now(now): Now,
    pages: Pages,
    Form(form): Form<Invitation>,
) -> PageResult {
    let (name, email) = match (PersonName::parse(&form.name), Email::parse(&form.email)) {
        (Ok(name), Ok(email)) => (name, email),
        (name, email) => {
            let mut page = filled(&app, &owner).await?;
            page.name = Field { value: form.name, error: name.err().map(|fault| fault.to_string()) };
            page.email = Field { value: form.email, error: email.err().map(|fault| fault.to_string()) };
            return pages.at(Nav::Clinic).refuse(&page);
        }
    };
    let (clinic, to) = (owner.clinic.id, email.clone());
    let added = app
        .store
        .signin(move |tx| async move {
            let account = account::find_or_create(&tx, &to, now).await?;
            let id = account::add_member(&tx, clinic, account.id, Role::Physiotherapist, &name, now).await?;
            outbox::enqueue(&tx, clinic, Owed::StaffInvitation(id), &to, now).await
        })
        .await;
    match added {
        Err(error) if error.conflicts_with("membership_clinic_id_account_id_key") => {
            let mut page = filled(&app, &owner).await?;
            page.name = Field::holding(form.name);
            page.email = Field::refused(form.email, "Somebody with this address is on your team already.");
            pages.at(Nav::Clinic).refuse(&page)
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(pages.go_saying("/team", &Flash::good(format!("The invitation to {email} is on its way.")))),
    }
}

/// `POST /team/{id}/invite`: the invitation once more.
pub(crate) async fn invite_again(
    State(app): State<AppState>,
    Owner(owner): Owner,
    Id(member): Id<MembershipId>,
    Now(now): Now,
    pages: Pages,
) -> PageResult {
    let clinic = owner.clinic.id;
    let email = app
        .store
        .signin(move |tx| async move {
            let invited = |other: &account::Member| other.id == member && other.joined_at.is_none() && !other.disabled;
            let found = account::team(&tx, clinic).await?.into_iter().find(invited).ok_or(PageError::NotFound)?;
            outbox::enqueue(&tx, clinic, Owed::StaffInvitation(member), &found.email, now).await?;
            Ok::<_, PageError>(found.email)
        })
        .await?;
    Ok(pages.go_saying("/team", &Flash::good(format!("The invitation to {email} is on its way again."))))
}

async fn filled(app: &AppState, owner: &Staff) -> Result<pages_of_clinic::Team, PageError> {
    let clinic = owner.clinic.id;
    let team = app.store.signin(move |tx| async move { account::team(&tx, clinic).await }).await?;
    let members = team
        .into_iter()
        .map(|member| pages_of_clinic::Member {
            id: member.id.to_string(),
            standing: standing(&member, &owner.clinic.zone),
            invited: member.joined_at.is_none() && !member.disabled,
            you: member.id == owner.membership,
            name: member.name,
            email: member.email.to_string(),
            role: if member.role == Role::Owner { "Owner" } else { "Physiotherapist" }.to_owned(),
        })
        .collect();
    Ok(pages_of_clinic::Team { members, name: Field::default(), email: Field::default() })
}

fn standing(member: &account::Member, zone: &Zone) -> String {
    let on = |at: Timestamp| formats::day_and_year(Language::En, zone.date(at));
    match (member.disabled, member.joined_at) {
        (true, _) => "Closed".into(),
        (false, Some(at)) => format!("Joined {}", on(at)),
        (false, None) => "Invited, not yet accepted".into(),
    }
}
