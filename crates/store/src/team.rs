//! A clinic's team, as its owner runs it. The list needs the accounts' addresses, so it and inviting run in
//! [`Store::begin_sign_in`](crate::Store::begin_sign_in); changes run in [`Store::begin`](crate::Store::begin).
//!
//! Every change locks the whole team first: of two owners who demote each other at the same moment, the second waits, and then finds
//! that they are no owner any more.

use domain::{
    ids::{ClinicId, MembershipId},
    person::{Email, PersonName, Role},
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx, account,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, to_instant},
    link,
    outbox::{self, Owed},
};

/// A member of a clinic's staff, as the owner sees them.
#[derive(Debug, Clone)]
pub struct Member {
    /// Their place on the staff.
    pub id: MembershipId,
    /// Their name here.
    pub name: String,
    /// The address they were invited under.
    pub email: Email,
    /// Owner or physiotherapist.
    pub role: Role,
    /// When they accepted; `None` while the invitation is open, or when it was withdrawn.
    pub joined_at: Option<Timestamp>,
    /// When the place was closed or the invitation withdrawn.
    pub disabled_at: Option<Timestamp>,
    /// How many patients are on their caseload.
    pub patients: u32,
    /// Whether their account has a second factor.
    pub second_factor: bool,
}

impl Member {
    /// Whether they have joined and their place is open.
    pub fn is_active(&self) -> bool {
        self.joined_at.is_some() && self.disabled_at.is_none()
    }
}

#[derive(FromQueryResult)]
struct MemberRow {
    id: Uuid,
    name: String,
    email: String,
    role: String,
    joined_at: Option<At>,
    disabled_at: Option<At>,
    patients: i64,
    second_factor: bool,
}

/// Everybody on a clinic's staff, open places and owners first. The caller has checked that the reader is the clinic's owner.
///
/// # Errors
/// The store's own.
pub async fn list(tx: &Tx, clinic: ClinicId) -> Result<Vec<Member>, StoreError> {
    let rows: Vec<MemberRow> = tx
        .all(
            "select m.id, m.name, a.email, m.role, m.joined_at, m.disabled_at, coalesce(p.patients, 0) as patients,
               exists (select from second_factor f where f.account_id = m.account_id and f.confirmed_at is not null) as second_factor
             from membership m join account a on a.id = m.account_id
             left join (select physiotherapist_id, count(*) as patients from patient where clinic_id = $1 group by 1) p
               on p.physiotherapist_id = m.id
             where m.clinic_id = $1 order by m.disabled_at is not null, m.role, lower(m.name), m.id limit 500",
            [clinic.0.into()],
        )
        .await?;
    rows.into_iter()
        .map(|MemberRow { id, name, email, role, joined_at, disabled_at, patients, second_factor }| {
            Ok(Member {
                id: id.into(),
                name,
                email: Email::parse(&email).map_err(|why| StoreError::corrupt("account", "email", id, why))?,
                role: role.parse().map_err(|why| StoreError::corrupt("membership", "role", id, why))?,
                joined_at: joined_at.and_then(to_instant),
                disabled_at: disabled_at.and_then(to_instant),
                patients: u32::try_from(patients).unwrap_or(u32::MAX),
                second_factor,
            })
        })
        .collect()
}

/// Invites somebody, and queues the mail. They see nothing until they accept. Somebody whose invitation was withdrawn is invited anew.
/// Runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in).
///
/// # Errors
/// [`StoreError::Conflict`] with `membership_clinic_id_account_id_key` when the account is on the staff, or was and is disabled.
pub async fn invite(
    tx: &Tx,
    clinic: ClinicId,
    (name, email): (&PersonName, &Email),
    role: Role,
    now: Timestamp,
) -> Result<MembershipId, StoreError> {
    let account = account::find_or_create(tx, email, now).await?.id;
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let again: Option<Row> = tx
        .one(
            "update membership set disabled_at = null, role = $3, name = $4
             where clinic_id = $1 and account_id = $2 and joined_at is null and disabled_at is not null returning id",
            [clinic.0.into(), account.0.into(), role.tag().into(), name.as_str().into()],
        )
        .await?;
    let member = match again {
        Some(Row { id }) => {
            // The mail of the invitation that was withdrawn must not open this one.
            link::retire_staff(tx, clinic, id.into(), now).await?;
            id.into()
        }
        None => account::add_member(tx, clinic, account, role, name, now).await?,
    };
    outbox::enqueue(tx, clinic, Owed::StaffInvitation(member), email, now).await?;
    Ok(member)
}

/// That whoever asks is an owner of the clinic still: somebody may have been quicker. Holds the place as it is until the transaction ends.
/// For what runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in).
///
/// # Errors
/// [`StoreError::NotFound`] when they are not.
pub async fn still_owner(tx: &Tx, clinic: ClinicId, member: MembershipId) -> Result<(), StoreError> {
    let held = tx
        .run(
            "select from membership where clinic_id = $1 and id = $2 and role = 'owner' and joined_at is not null and disabled_at is null
             for share",
            [clinic.0.into(), member.0.into()],
        )
        .await?;
    if held == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

#[derive(FromQueryResult)]
struct Locked {
    id: Uuid,
    role: String,
    joined: bool,
    disabled: bool,
}

impl Locked {
    fn is_active_owner(&self) -> bool {
        self.role == Role::Owner.tag() && self.joined && !self.disabled
    }
}

/// The team as it stands once nobody else changes it, and the member meant.
struct Team {
    all: Vec<Locked>,
    member: usize,
}

impl Team {
    /// `deed` is what the audit says of it, beside whose place it was.
    async fn lock(tx: &Tx, member: MembershipId, deed: &str) -> Result<Self, StoreError> {
        let all: Vec<Locked> = tx
            .all(
                "select id, role, joined_at is not null as joined, disabled_at is not null as disabled
                 from membership where clinic_id = $1 order by id for no key update",
                [tx.clinic().0.into()],
            )
            .await?;
        // Whoever asks was an owner when the request came in; somebody may have been quicker.
        let owner = |id: MembershipId| all.iter().any(|one| one.id == id.0 && one.is_active_owner());
        if !tx.staff().is_some_and(owner) {
            return Err(StoreError::NotFound);
        }
        let member = all.iter().position(|one| one.id == member.0).ok_or(StoreError::NotFound)?;
        tx.note_of(AuditAction::Wrote, AuditResource::Team, format!("{deed}: {}", all[member].id));
        Ok(Self { all, member })
    }

    fn member(&self) -> &Locked {
        &self.all[self.member]
    }

    /// A clinic without an owner could never change anything again.
    fn keeps_an_owner(&self) -> Result<(), StoreError> {
        let another = self.all.iter().enumerate().any(|(at, one)| at != self.member && one.is_active_owner());
        if another || !self.member().is_active_owner() {
            return Ok(());
        }
        Err(StoreError::Refused("A clinic needs an owner. Make somebody else an owner first.".into()))
    }
}

/// Makes a member an owner or a physiotherapist. Their sessions in this clinic end: the next sign-in has the new role.
///
/// # Errors
/// [`StoreError::Refused`] for the last active owner; [`StoreError::NotFound`] when there is no such open place, or whoever asks is no
/// owner any more.
pub async fn change_role(tx: &Tx, member: MembershipId, role: Role) -> Result<(), StoreError> {
    if !role.is_staff() {
        return Err(StoreError::Refused("A patient is not on the staff.".into()));
    }
    let team = Team::lock(tx, member, &format!("made {}", role.tag())).await?;
    if team.member().disabled {
        return Err(StoreError::NotFound);
    }
    if team.member().role == role.tag() {
        return Ok(());
    }
    if role != Role::Owner {
        team.keeps_an_owner()?;
    }
    tx.run(
        "update membership set role = $3 where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), member.0.into(), role.tag().into()],
    )
    .await?;
    end_sessions(tx, member).await
}

/// Closes a member's place: they are out at their next request. Their patients, programs and notes stay, under their name.
///
/// # Errors
/// [`StoreError::Refused`] for oneself; [`StoreError::NotFound`] when there is no such joined place, or whoever asks is no owner any
/// more.
pub async fn disable(tx: &Tx, member: MembershipId, now: Timestamp) -> Result<(), StoreError> {
    let team = Team::lock(tx, member, "access closed").await?;
    if tx.staff() == Some(member) {
        return Err(StoreError::Refused("You cannot close your own access. Another owner can.".into()));
    }
    if !team.member().joined {
        return Err(StoreError::NotFound);
    }
    // Whoever asks is an active owner and somebody else, so an owner stays.
    team.keeps_an_owner()?;
    close(tx, member, now).await?;
    end_sessions(tx, member).await
}

/// Opens a closed place again, in the role it had.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such place that had been joined, or whoever asks is no owner any more.
pub async fn enable(tx: &Tx, member: MembershipId) -> Result<(), StoreError> {
    let team = Team::lock(tx, member, "access opened again").await?;
    if !team.member().joined {
        return Err(StoreError::NotFound);
    }
    tx.run("update membership set disabled_at = null where clinic_id = $1 and id = $2", [tx.clinic().0.into(), member.0.into()])
        .await?;
    Ok(())
}

/// Takes back an invitation that nobody accepted: its links end, and a mail that is not on its way yet is not sent. Twice is once.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such invitation, or whoever asks is no owner any more.
pub async fn withdraw(tx: &Tx, member: MembershipId, now: Timestamp) -> Result<(), StoreError> {
    let team = Team::lock(tx, member, "invitation withdrawn").await?;
    if team.member().joined {
        return Err(StoreError::NotFound);
    }
    close(tx, member, now).await?;
    tx.run(
        "update notice set state = 'dead', reply = 'the invitation was withdrawn', settled_at = $3, token = null, lease_until = null
         where clinic_id = $1 and membership_id = $2 and state in ('pending', 'claimed')",
        [tx.clinic().0.into(), member.0.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}

/// Puts all patients of one member's caseload on a colleague's. Says how many.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such member or the colleague has no open place, or whoever asks is no owner any more.
pub async fn hand_over(tx: &Tx, from: MembershipId, to: MembershipId) -> Result<u64, StoreError> {
    let team = Team::lock(tx, to, &format!("caseload of {from} handed to")).await?;
    if !team.all.iter().any(|one| one.id == from.0) {
        return Err(StoreError::NotFound);
    }
    if !team.member().joined || team.member().disabled {
        return Err(StoreError::NotFound);
    }
    tx.run(
        "update patient set physiotherapist_id = $3 where clinic_id = $1 and physiotherapist_id = $2 and $2 <> $3",
        [tx.clinic().0.into(), from.0.into(), to.0.into()],
    )
    .await
}

async fn close(tx: &Tx, member: MembershipId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "update membership set disabled_at = coalesce(disabled_at, $3) where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), member.0.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}

async fn end_sessions(tx: &Tx, member: MembershipId) -> Result<(), StoreError> {
    tx.run("select end_sessions_of($1)", [member.0.into()]).await?;
    Ok(())
}
