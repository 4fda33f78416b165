//! Accounts: who can sign in, and where they have a seat.
//!
//! Runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in): an account belongs to no clinic.

use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId},
    person::{Email, Language, PersonName, Role},
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
    session::SeatId,
};

/// Somebody who can sign in, or could once they have chosen a password.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its address.
    pub email: Email,
    /// The password's hash (PHC text); `None` before the first invitation was accepted.
    pub password_hash: Option<String>,
    /// The language of its pages.
    pub language: Language,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    email: String,
    password_hash: Option<String>,
    language: String,
}

impl TryFrom<Row> for Account {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row { id, email, password_hash, language } = row;
        Ok(Self {
            id: id.into(),
            email: Email::parse(&email).map_err(|why| StoreError::corrupt("account", "email", id, why))?,
            password_hash,
            language: language.parse().map_err(|why| StoreError::corrupt("account", "language", id, why))?,
        })
    }
}

/// The account with this address.
///
/// # Errors
/// The store's own.
pub async fn by_email(tx: &Tx, email: &Email) -> Result<Option<Account>, StoreError> {
    let row: Option<Row> =
        tx.one("select id, email, password_hash, language from account where email = $1", [email.as_str().into()]).await?;
    row.map(Account::try_from).transpose()
}

/// The account with this id.
///
/// # Errors
/// [`StoreError::NotFound`] when there is none.
pub async fn find(tx: &Tx, id: AccountId) -> Result<Account, StoreError> {
    tx.one::<Row>("select id, email, password_hash, language from account where id = $1", [id.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?
        .try_into()
}

/// The account with this address, made now (without a password) when there is none.
///
/// # Errors
/// The store's own.
pub async fn find_or_create(tx: &Tx, email: &Email, now: Timestamp) -> Result<Account, StoreError> {
    // Two invitations at once make one account: the second waits for the first, does nothing, and finds it.
    tx.run(
        "insert into account (id, email, created_at) values ($1, $2, $3) on conflict (email) do nothing",
        [AccountId::new().0.into(), email.as_str().into(), from_instant(now).into()],
    )
    .await?;
    by_email(tx, email).await?.ok_or(StoreError::NotFound)
}

/// Stores a new password's hash; sign-ins that wait for a code after the old one are over. The caller ends the account's other sessions
/// and links.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown account.
pub async fn set_password(tx: &Tx, account: AccountId, hash: &str, now: Timestamp) -> Result<(), StoreError> {
    let found = tx
        .run(
            "update account set password_hash = $2, password_changed_at = $3 where id = $1",
            [account.0.into(), hash.into(), from_instant(now).into()],
        )
        .await?;
    tx.run("delete from half_sign_in where account_id = $1", [account.0.into()]).await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Whether the account's password is still the one that was compared, and holds it so until the transaction ends. What the password opens
/// is opened only then: a password that was changed meanwhile opens nothing.
///
/// # Errors
/// The store's own.
pub async fn still_has(tx: &Tx, account: AccountId, compared: Option<&str>) -> Result<bool, StoreError> {
    let held = tx
        .run(
            "select 1 from account where id = $1 and password_hash = $2 for no key update",
            [account.0.into(), compared.map(str::to_owned).into()],
        )
        .await?;
    Ok(held > 0)
}

/// Locks an account against changes until the transaction ends.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown account.
pub async fn hold(tx: &Tx, account: AccountId) -> Result<(), StoreError> {
    match tx.run("select 1 from account where id = $1 for no key update", [account.0.into()]).await? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

/// When the account's password was chosen, if it was. The account is locked until the transaction ends: a change of the password is
/// committed before that, or finds what was opened and ends it.
///
/// # Errors
/// The store's own.
pub async fn password_changed_at(tx: &Tx, account: AccountId) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        password_changed_at: Option<At>,
    }
    let row: Option<Row> =
        tx.one("select password_changed_at from account where id = $1 for no key update", [account.0.into()]).await?;
    Ok(row.and_then(|row| row.password_changed_at).and_then(to_instant))
}

/// Stores the same password under newer parameters, unless it was changed meanwhile.
///
/// # Errors
/// The store's own.
pub async fn upgrade_hash(tx: &Tx, account: AccountId, old: &str, new: &str) -> Result<(), StoreError> {
    tx.run(
        "update account set password_hash = $3 where id = $1 and password_hash = $2",
        [account.0.into(), old.into(), new.into()],
    )
    .await?;
    Ok(())
}

/// Adds somebody to a clinic's staff. They see nothing until they accept ([`join_staff`]).
///
/// # Errors
/// [`StoreError::Conflict`] with `membership_clinic_id_account_id_key` when the account is on the staff already.
pub async fn add_member(
    tx: &Tx,
    clinic: ClinicId,
    account: AccountId,
    role: Role,
    name: &PersonName,
    now: Timestamp,
) -> Result<MembershipId, StoreError> {
    if !role.is_staff() {
        return Err(StoreError::Refused("A patient is not on the staff.".into()));
    }
    let id = MembershipId::new();
    tx.run(
        "insert into membership (clinic_id, id, account_id, role, name, created_at) values ($1, $2, $3, $4, $5, $6)",
        [clinic.0.into(), id.0.into(), account.0.into(), role.tag().into(), name.as_str().into(), from_instant(now).into()],
    )
    .await?;
    Ok(id)
}

/// A member of staff accepts, under the name they give.
///
/// # Errors
/// [`StoreError::NotFound`] when the place is closed or belongs to another account.
pub async fn join_staff(
    tx: &Tx,
    (clinic, member): (ClinicId, MembershipId),
    account: AccountId,
    name: &PersonName,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = tx
        .run(
            "update membership set joined_at = $5, name = $4
             where clinic_id = $1 and id = $2 and account_id = $3 and joined_at is null and disabled_at is null",
            [clinic.0.into(), member.0.into(), account.0.into(), name.as_str().into(), from_instant(now).into()],
        )
        .await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// What a patient agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The version of the text, such as `2026-11`.
    pub version: String,
    /// The text as it was shown.
    pub wording: String,
}

/// A patient accepts: the record is tied to the account and the consent is kept word for word.
///
/// # Errors
/// [`StoreError::NotFound`] when the record is an account's already or closed; [`StoreError::Conflict`] with
/// `patient_clinic_id_account_id_key` when the account is another patient of the clinic.
pub async fn join_patient(
    tx: &Tx,
    (clinic, patient): (ClinicId, PatientId),
    account: AccountId,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = tx
        .run(
            "update patient set account_id = $3, joined_at = coalesce(joined_at, $4)
             where clinic_id = $1 and id = $2 and account_id is null and closed_at is null",
            [clinic.0.into(), patient.0.into(), account.0.into(), from_instant(now).into()],
        )
        .await?;
    if found == 0 {
        return Err(StoreError::NotFound);
    }
    tx.run(
        "insert into consent (clinic_id, id, patient_id, version, wording, agreed_at) values ($1, $2, $3, $4, $5, $6)",
        [
            clinic.0.into(),
            Uuid::now_v7().into(),
            patient.0.into(),
            consent.version.as_str().into(),
            consent.wording.as_str().into(),
            from_instant(now).into(),
        ],
    )
    .await?;
    Ok(())
}

/// One place where an account may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub clinic_name: String,
    /// As whom.
    pub seat: SeatId,
    /// In which role.
    pub role: Role,
}

#[derive(FromQueryResult)]
struct PlaceRow {
    clinic_id: Uuid,
    clinic_name: String,
    id: Uuid,
    role: String,
}

/// Where an account may sign in: its accepted, open places on staffs first, then its records as a patient.
///
/// # Errors
/// The store's own.
pub async fn places(tx: &Tx, account: AccountId) -> Result<Vec<Place>, StoreError> {
    let rows: Vec<PlaceRow> = tx
        .all(
            "select m.clinic_id, c.name as clinic_name, m.id, m.role, 0 as rank
             from membership m join clinic c on c.id = m.clinic_id
             where m.account_id = $1 and m.joined_at is not null and m.disabled_at is null
             union all
             select p.clinic_id, c.name, p.id, 'patient', 1 from patient p join clinic c on c.id = p.clinic_id
             where p.account_id = $1
             order by rank, clinic_name, id",
            [account.0.into()],
        )
        .await?;
    rows.into_iter()
        .map(|PlaceRow { clinic_id, clinic_name, id, role }| {
            let role: Role = role.parse().map_err(|why| StoreError::corrupt("membership", "role", id, why))?;
            let seat = if role.is_staff() { SeatId::Staff(id.into()) } else { SeatId::Patient(id.into()) };
            Ok(Place { clinic: clinic_id.into(), clinic_name, seat, role })
        })
        .collect()
}
