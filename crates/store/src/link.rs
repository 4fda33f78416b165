//! One-time links: invitations and new passwords. Only a token's SHA-256 is kept; a link is bound to one address, one purpose and an
//! end, and works once. Opening one changes nothing; using one is [`consume`].

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId},
    person::{Email, Language, PersonName, Role},
};
use jiff::{SignedDuration, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
    outbox,
    session::{digest, fresh_token},
};

/// How long an invitation can be accepted.
pub const INVITATION_LASTS: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long a link to a new password works, from when its mail was written.
pub const RESET_LASTS: SignedDuration = SignedDuration::from_hours(2);

/// What a link is for, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A patient joins.
    InvitePatient(ClinicId, PatientId),
    /// A member of staff joins.
    InviteStaff(ClinicId, MembershipId),
    /// An account chooses a new password.
    ResetPassword(AccountId),
}

/// Makes a link's token, good for [`INVITATION_LASTS`] or [`RESET_LASTS`] from `now`. The text returned goes into the mail and is
/// kept nowhere: `/welcome/{token}` for the invitations, `/password/reset/{token}` for a new password.
///
/// Runs in [`Store::begin_worker`](crate::Store::begin_worker), while a mail is written, or in [`Store::begin_sign_in`](crate::Store::begin_sign_in).
///
/// # Errors
/// The store's own.
pub async fn issue(tx: &Tx, purpose: Purpose, email: &Email, now: Timestamp) -> Result<String, StoreError> {
    let token = fresh_token()?;
    let (tag, clinic, patient, membership, account, lasts) = match purpose {
        Purpose::InvitePatient(clinic, id) => ("invite_patient", Some(clinic.0), Some(id.0), None, None, INVITATION_LASTS),
        Purpose::InviteStaff(clinic, id) => ("invite_staff", Some(clinic.0), None, Some(id.0), None, INVITATION_LASTS),
        Purpose::ResetPassword(id) => ("reset_password", None, None, None, Some(id.0), RESET_LASTS),
    };
    tx.run(
        "insert into link (id, token_hash, purpose, email, clinic_id, patient_id, membership_id, account_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [
            Uuid::now_v7().into(),
            digest(&token).into(),
            tag.into(),
            email.as_str().into(),
            clinic.into(),
            patient.into(),
            membership.into(),
            account.into(),
            from_instant(now).into(),
            from_instant(now + lasts).into(),
        ],
    )
    .await?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(token))
}

/// Whether a link can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It can.
    Live,
    /// It was used already.
    Used,
    /// Its time is over.
    Expired,
}

/// Somebody who was invited, and by whom.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The clinic that invites.
    pub clinic: ClinicId,
    /// Its name.
    pub clinic_name: String,
    /// The physiotherapist who treats the patient, when one is named; for staff nobody.
    pub by: Option<String>,
    /// The invited person's name as the clinic has it.
    pub name: PersonName,
    /// The language to speak to them.
    pub language: Language,
    /// As what.
    pub seat: InvitedSeat,
}

/// As what somebody is invited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitedSeat {
    /// A patient's record.
    Patient(PatientId),
    /// A place on the staff.
    Staff(MembershipId, Role),
}

/// What a link opens.
#[derive(Debug, Clone)]
pub enum Opens {
    /// An invitation.
    Invitation(Invited),
    /// A new password for this account.
    NewPassword(AccountId),
}

/// A link that exists.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its id.
    pub id: Uuid,
    /// The address it was sent to.
    pub email: Email,
    /// Whether it can still be used.
    pub freshness: Freshness,
    /// What it opens.
    pub opens: Opens,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    purpose: String,
    email: String,
    clinic_id: Option<Uuid>,
    patient_id: Option<Uuid>,
    membership_id: Option<Uuid>,
    account_id: Option<Uuid>,
    expires_at: At,
    used_at: Option<At>,
    clinic_name: Option<String>,
    patient_name: Option<String>,
    language: Option<String>,
    physiotherapist: Option<String>,
    staff_name: Option<String>,
    role: Option<String>,
    withdrawn: bool,
    taken: bool,
}

/// The link with this token, in whatever state; `None` for a token we never made. Changes nothing.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn find(tx: &Tx, token: &str, now: Timestamp) -> Result<Option<Link>, StoreError> {
    let Ok(token) = BASE64_URL_SAFE_NO_PAD.decode(token) else { return Ok(None) };
    let row: Option<Row> = tx
        .one(
            "select l.id, l.purpose, l.email, l.clinic_id, l.patient_id, l.membership_id, l.account_id, l.expires_at, l.used_at,
               c.name as clinic_name, p.name as patient_name, p.language, t.name as physiotherapist, m.name as staff_name, m.role,
               -- a link to an address that the record or the account no longer has, to a closed record, or to a closed place
               coalesce(p.email is distinct from l.email and l.patient_id is not null, false) or p.closed_at is not null
                 or m.disabled_at is not null or coalesce(a.email <> l.email, false) as withdrawn,
               -- a place is taken once, by whichever of its links
               p.account_id is not null or m.joined_at is not null as taken
             from link l
             left join clinic c on c.id = l.clinic_id
             left join patient p on p.clinic_id = l.clinic_id and p.id = l.patient_id
             left join membership t on t.clinic_id = p.clinic_id and t.id = p.physiotherapist_id
             left join membership m on m.clinic_id = l.clinic_id and m.id = l.membership_id
             left join account a on a.id = l.account_id or a.id = m.account_id
             where l.token_hash = $1",
            [digest(&token).into()],
        )
        .await?;
    row.map(|row| read(row, now)).transpose()
}

fn read(row: Row, now: Timestamp) -> Result<Link, StoreError> {
    let Row {
        id,
        purpose,
        email,
        clinic_id,
        patient_id,
        membership_id,
        account_id,
        expires_at,
        used_at,
        clinic_name,
        patient_name,
        language,
        physiotherapist,
        staff_name,
        role,
        withdrawn,
        taken,
    } = row;
    let corrupt = |column, why: String| StoreError::corrupt("link", column, id, why);
    let person = |name: &str| PersonName::parse(name).map_err(|why| corrupt("name", why.to_string()));
    let invited = |seat, name, by, language| -> Result<Opens, StoreError> {
        let clinic = clinic_id.ok_or_else(|| corrupt("clinic_id", "missing".into()))?;
        let clinic_name = clinic_name.clone().unwrap_or_default();
        Ok(Opens::Invitation(Invited { clinic: clinic.into(), clinic_name, by, name, language, seat }))
    };
    let opens = match (purpose.as_str(), patient_id, membership_id, account_id) {
        ("invite_patient", Some(patient), _, _) => {
            let language = language.as_deref().and_then(|tag| Language::from_str(tag).ok()).unwrap_or(Language::En);
            let name = person(patient_name.as_deref().unwrap_or_default())?;
            invited(InvitedSeat::Patient(patient.into()), name, physiotherapist, language)?
        }
        ("invite_staff", _, Some(member), _) => {
            let role = role.unwrap_or_default().parse().map_err(|why| corrupt("role", format!("{why}")))?;
            let name = person(staff_name.as_deref().unwrap_or_default())?;
            invited(InvitedSeat::Staff(member.into(), role), name, None, Language::En)?
        }
        ("reset_password", _, _, Some(account)) => Opens::NewPassword(account.into()),
        _ => return Err(corrupt("purpose", format!("{purpose} without what it is for"))),
    };
    let expires_at = to_instant(expires_at).ok_or_else(|| corrupt("expires_at", "out of range".into()))?;
    let freshness = match used_at {
        Some(_) => Freshness::Used,
        None if taken => Freshness::Used,
        None if expires_at <= now || withdrawn => Freshness::Expired,
        None => Freshness::Live,
    };
    let email = Email::parse(&email).map_err(|why| corrupt("email", why.to_string()))?;
    Ok(Link { id, email, freshness, opens })
}

/// Uses the link up, and with it all other links to the same place. Of two people who use one of them at once, one is refused; so are all
/// that come later. What [`find`] saw is checked again here, with the row locked until the transaction ends: a password was hashed in between. A correction of
/// the address, a closed place or a withdrawn invitation is committed before this or after it.
///
/// # Errors
/// [`StoreError::NotFound`] when it was used or is over by now, or belongs to an address that the record or the account no longer has.
pub async fn consume(tx: &Tx, link: &Link, now: Timestamp) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Used {
        id: Uuid,
    }
    // The place before its links, as everything that ends a place does. Joining changes a key of the patient's row, so the whole row is held.
    let (sql, whose) = match &link.opens {
        Opens::Invitation(Invited { clinic, seat: InvitedSeat::Patient(id), .. }) => (
            "select from patient
             where clinic_id = $2 and id = $3 and email = $1 and account_id is null and closed_at is null for update",
            vec![clinic.0, id.0],
        ),
        Opens::Invitation(Invited { clinic, seat: InvitedSeat::Staff(id, _), .. }) => (
            "select from membership where clinic_id = $2 and id = $3 and joined_at is null and disabled_at is null
               and account_id = (select id from account where email = $1) for no key update",
            vec![clinic.0, id.0],
        ),
        Opens::NewPassword(account) => ("select from account where id = $2 and email = $1 for no key update", vec![account.0]),
    };
    let values = std::iter::once(link.email.as_str().into()).chain(whose.into_iter().map(Into::into));
    if tx.run(sql, values).await? == 0 {
        return Err(StoreError::NotFound);
    }
    // In the order of the ids, so that two links to one place cannot wait for each other.
    let used: Vec<Used> = tx
        .all(
            "with held as (
               select l.id from link this join link l on l.id = this.id
                 or (l.clinic_id = this.clinic_id and (l.patient_id = this.patient_id or l.membership_id = this.membership_id))
               where this.id = $1 order by l.id for update of l)
             update link set used_at = $2 where id in (select id from held) and used_at is null and expires_at > $2 returning id",
            [link.id.into(), from_instant(now).into()],
        )
        .await?;
    if used.iter().all(|one| one.id != link.id) {
        return Err(StoreError::NotFound);
    }
    Ok(())
}

/// Ends every link to a place on the staff: what comes next is another invitation.
///
/// # Errors
/// The store's own.
pub(crate) async fn retire_staff(tx: &Tx, clinic: ClinicId, member: MembershipId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "update link set used_at = $3 where clinic_id = $1 and membership_id = $2 and used_at is null",
        [clinic.0.into(), member.0.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}

/// Ends every other link to a new password of this account, and takes those out of the queue whose mail is not written yet: the password has
/// been chosen.
///
/// # Errors
/// The store's own.
pub async fn retire_resets(tx: &Tx, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    retire_reset_links(tx, account, now).await?;
    outbox::end_resets(tx, account, now).await
}

/// Ends every link to a new password of this account.
///
/// # Errors
/// The store's own.
pub(crate) async fn retire_reset_links(tx: &Tx, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "update link set used_at = $2 where account_id = $1 and purpose = 'reset_password' and used_at is null",
        [account.0.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}
