//! Patients' records: who they are, whose caseload they are on, how we reach them.

use domain::{
    ids::{AccountId, MembershipId, PatientId, ProgramId},
    pain::Region,
    person::{Email, Language, PersonName, Zone},
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{At, from_instant, to_instant},
    outbox::recall,
    reminder,
};

/// A patient's record in a clinic.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The record's id.
    pub id: PatientId,
    /// The account the patient signs in with, once the invitation has been accepted.
    pub account: Option<AccountId>,
    /// Whose caseload the patient is on.
    pub physiotherapist: Option<MembershipId>,
    /// The name, as the clinic writes it.
    pub name: PersonName,
    /// The address for invitations and reminders; absent when the patient works from paper.
    pub email: Option<Email>,
    /// The patient's own zone: civil dates are counted in it.
    pub zone: Zone,
    /// The language of pages and mail.
    pub language: Language,
    /// Where it hurts, which decides how a change in pain is read.
    pub region: Region,
    /// When the last invitation was queued.
    pub invited_at: Option<Timestamp>,
    /// When the patient accepted.
    pub joined_at: Option<Timestamp>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// Since when the record is closed, if it is: nobody signs in to it, and it gets no mail.
    pub closed: Option<Closed>,
}

/// A record that was closed ([`crate::closure`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Whether the patient asked for it; else the clinic did it.
    pub by_patient: bool,
}

/// What the schema's two columns say together.
pub(crate) fn closed(at: Option<At>, by: Option<&str>) -> Option<Closed> {
    Some(Closed { at: at.and_then(to_instant)?, by_patient: by == Some("patient") })
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    account_id: Option<Uuid>,
    physiotherapist_id: Option<Uuid>,
    name: String,
    email: Option<String>,
    zone: String,
    language: String,
    region: String,
    invited_at: Option<At>,
    joined_at: Option<At>,
    created_at: At,
    closed_at: Option<At>,
    closed_by: Option<String>,
}

const COLUMNS: &str = "id, account_id, physiotherapist_id, name, email, zone, language, region, invited_at, joined_at, created_at,
  closed_at, closed_by";

impl TryFrom<Row> for Patient {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row {
            id,
            account_id,
            physiotherapist_id,
            name,
            email,
            zone,
            language,
            region,
            invited_at,
            joined_at,
            created_at,
            closed_at,
            closed_by,
        } = row;
        Ok(Self {
            id: PatientId(id),
            account: account_id.map(AccountId),
            physiotherapist: physiotherapist_id.map(MembershipId),
            name: PersonName::parse(&name).map_err(|why| StoreError::corrupt("patient", "name", id, why))?,
            email: email
                .map(|email| Email::parse(&email).map_err(|why| StoreError::corrupt("patient", "email", id, why)))
                .transpose()?,
            zone: Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", id, why))?,
            language: language.parse().unwrap_or(Language::En),
            region: region.parse().map_err(|why| StoreError::corrupt("patient", "region", id, why))?,
            invited_at: invited_at.and_then(to_instant),
            joined_at: joined_at.and_then(to_instant),
            created_at: to_instant(created_at).ok_or_else(|| StoreError::corrupt("patient", "created_at", id, "out of range"))?,
            closed: closed(closed_at, closed_by.as_deref()),
        })
    }
}

/// One patient within the scope.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for another clinic's alike.
pub async fn find(tx: &Tx, id: PatientId) -> Result<Patient, StoreError> {
    tx.one::<Row>(&format!("select {COLUMNS} from patient where clinic_id = $1 and id = $2"), [tx.clinic().0.into(), id.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?
        .try_into()
}

/// The patient of a program.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown program and for another clinic's alike.
pub async fn of_program(tx: &Tx, program: ProgramId) -> Result<Patient, StoreError> {
    tx.one::<Row>(
        &format!(
            "select {COLUMNS} from patient where clinic_id = $1
               and id = (select patient_id from program where clinic_id = $1 and id = $2)"
        ),
        [tx.clinic().0.into(), program.0.into()],
    )
    .await?
    .ok_or(StoreError::NotFound)?
    .try_into()
}

/// The patient of the clinic with this address, if there is one.
///
/// # Errors
/// The store's own.
pub async fn by_email(tx: &Tx, email: &Email) -> Result<Option<Patient>, StoreError> {
    tx.one::<Row>(
        &format!("select {COLUMNS} from patient where clinic_id = $1 and email = $2"),
        [tx.clinic().0.into(), email.as_str().into()],
    )
    .await?
    .map(Patient::try_from)
    .transpose()
}

/// The constraint that lets an id stand once in a clinic.
pub const ID_TAKEN: &str = "patient_pkey";

/// Adds a record, open.
///
/// # Errors
/// [`StoreError::Conflict`] with [`ID_TAKEN`] when the record is there already, with `patient_clinic_id_email_key` when the clinic already has a patient with this address.
pub async fn create(tx: &Tx, patient: &Patient) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Record, Some(patient.id));
    let Patient { id, account, physiotherapist, name, email, zone, language, region, invited_at, joined_at, created_at, closed: _ } =
        patient;
    tx.run(
        "insert into patient (clinic_id, id, account_id, physiotherapist_id, name, email, zone, language, region, invited_at, joined_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            tx.clinic().0.into(),
            id.0.into(),
            account.map(|id| id.0).into(),
            physiotherapist.map(|id| id.0).into(),
            name.as_str().into(),
            email.as_ref().map(|email| email.as_str().to_owned()).into(),
            zone.name().into(),
            language.tag().into(),
            region.tag().into(),
            invited_at.map(from_instant).into(),
            joined_at.map(from_instant).into(),
            from_instant(*created_at).into(),
        ],
    )
    .await?;
    Ok(())
}

/// Whether the record still has this address, is open and has no account yet; the record is locked until the transaction ends.
///
/// # Errors
/// The store's own.
pub async fn can_be_invited(tx: &Tx, id: PatientId, email: &Email) -> Result<bool, StoreError> {
    let held = tx
        .run(
            "select 1 from patient where clinic_id = $1 and id = $2 and email = $3 and joined_at is null and closed_at is null
             for key share",
            [tx.clinic().0.into(), id.0.into(), email.as_str().into()],
        )
        .await?;
    Ok(held > 0)
}

/// Notes that an invitation was queued.
///
/// # Errors
/// The store's own.
pub async fn mark_invited(tx: &Tx, id: PatientId, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Invitation, Some(id));
    tx.run(
        "update patient set invited_at = $3 where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), id.0.into(), from_instant(now).into()],
    )
    .await?;
    Ok(())
}

/// The patient's name, written anew.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope.
pub async fn rename(tx: &Tx, id: PatientId, name: &PersonName) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Record, Some(id));
    let found = tx
        .run(
            "update patient set name = $3 where clinic_id = $1 and id = $2",
            [tx.clinic().0.into(), id.0.into(), name.as_str().into()],
        )
        .await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Corrects a record's name, address, language, region and zone to what `wanted` has; its other fields are left out of account.
///
/// With another address, what is not on its way yet goes there, what a worker has claimed included, and the links of reminders that went to
/// the old one open nothing any more. That the patient wants no reminders is about the clinic and holds for the new address too; that
/// mail to the old one came back is not. Without an address nothing can be sent, and what waits says so.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; [`StoreError::Conflict`] when somebody of the clinic has the address.
pub async fn correct(tx: &Tx, before: &Patient, wanted: &Patient, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Record, Some(before.id));
    let (clinic, id) = (tx.clinic().0, before.id.0);
    let address = |email: &Option<Email>| email.as_ref().map(|email| email.as_str().to_owned());
    if before.email != wanted.email {
        // Sessions are locked before records. A session that is opened between the two has the old address and is invalid after this.
        tx.run("select end_mailed_sessions_of($1)", [id.into()]).await?;
    }
    if before.zone != wanted.zone {
        reminder::hold(tx, before.id).await?;
    }
    #[derive(FromQueryResult)]
    struct Held {
        email: Option<String>,
    }
    // The address may be another by now than the one that was shown.
    let held: Held = tx
        .one("select email from patient where clinic_id = $1 and id = $2 for update", [clinic.into(), id.into()])
        .await?
        .ok_or(StoreError::NotFound)?;
    let (old, new) = (held.email, address(&wanted.email));
    if old != new {
        recall(tx, before.id).await?;
    }
    let found = tx
        .run(
            "update patient set name = $3, email = $4, language = $5, region = $6 where clinic_id = $1 and id = $2",
            [
                clinic.into(),
                id.into(),
                wanted.name.as_str().into(),
                new.clone().into(),
                wanted.language.tag().into(),
                wanted.region.tag().into(),
            ],
        )
        .await?;
    if found == 0 {
        return Err(StoreError::NotFound);
    }
    if old != new {
        match new {
            Some(new) => {
                tx.run(
                    // Where there was no address in between, the wish stands with those that this patient's reminders went to.
                    "insert into suppression (clinic_id, email, scope, reason, created_at)
                     select s.clinic_id, $3, s.scope, s.reason, s.created_at from suppression s
                     where s.clinic_id = $1 and s.scope = 'reminders' and s.reason <> $5
                       and case when $2 <> '' then s.email = $2 else s.email in (
                         select n.recipient from notice n
                         where n.clinic_id = $1 and n.patient_id = $4 and n.kind = 'session_reminder') end
                     order by s.created_at limit 1 on conflict (clinic_id, email, scope) do nothing",
                    [
                        clinic.into(),
                        old.unwrap_or_default().into(),
                        new.clone().into(),
                        id.into(),
                        // Not a request that came from the mails to an earlier address.
                        reminder::EARLIER_ADDRESS.into(),
                    ],
                )
                .await?;
                tx.run(
                    "update notice set recipient = $3 where clinic_id = $1 and patient_id = $2 and state = 'pending'",
                    [clinic.into(), id.into(), new.into()],
                )
                .await?;
            }
            None => {
                tx.run(
                    "update notice set state = 'dead', reply = 'the patient has no email address any more', settled_at = $3
                     where clinic_id = $1 and patient_id = $2 and state = 'pending'",
                    [clinic.into(), id.into(), from_instant(now).into()],
                )
                .await?;
            }
        }
    }
    if before.zone != wanted.zone { set_zone(tx, before.id, &wanted.zone, now).await } else { Ok(()) }
}

/// The patient lives in another zone from now on: the record and the reminders change together. A time of day that lies behind in the
/// new zone, but had not come in the old one, is caught up with while it is fresh; one that was mailed already is not mailed again
/// when it comes a second time.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; the store's own.
pub async fn set_zone(tx: &Tx, id: PatientId, zone: &Zone, now: Timestamp) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Record, Some(id));
    reminder::hold(tx, id).await?;
    let found = tx
        .run(
            "update patient set zone = $3 where clinic_id = $1 and id = $2",
            [tx.clinic().0.into(), id.0.into(), zone.name().into()],
        )
        .await?;
    if found == 0 {
        return Err(StoreError::NotFound);
    }
    reminder::replan(tx, id, now).await
}

/// What stands around a patient's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The name of the physiotherapist on whose caseload the patient is; `None` when there is nobody in particular.
    pub physiotherapist: Option<PersonName>,
    /// The version of the wording the patient agreed to last; `None` when nothing is recorded.
    pub agreed_to: Option<String>,
}

/// Who looks after the patient, and what the patient agreed to last.
///
/// # Errors
/// [`StoreError::NotFound`] outside the scope; the store's own.
pub async fn beside(tx: &Tx, id: PatientId) -> Result<Beside, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        name: Option<String>,
        version: Option<String>,
    }
    let Row { name, version } = tx
        .one(
            "select m.name, (select c.version from consent c where c.clinic_id = p.clinic_id and c.patient_id = p.id
                order by c.agreed_at desc, c.id desc limit 1) as version
             from patient p
             left join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id and m.disabled_at is null
             where p.clinic_id = $1 and p.id = $2",
            [tx.clinic().0.into(), id.0.into()],
        )
        .await?
        .ok_or(StoreError::NotFound)?;
    let physiotherapist =
        name.map(|name| PersonName::parse(&name).map_err(|why| StoreError::corrupt("membership", "name", id, why))).transpose()?;
    Ok(Beside { physiotherapist, agreed_to: version })
}

/// The name of the physiotherapist on whose caseload the patient is; `None` when there is nobody in particular.
///
/// # Errors
/// The store's own.
pub async fn physiotherapist_name(tx: &Tx, id: PatientId) -> Result<Option<PersonName>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
    }
    let row: Option<Row> = tx
        .one(
            "select m.id, m.name from patient p join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id
             where p.clinic_id = $1 and p.id = $2 and m.disabled_at is null",
            [tx.clinic().0.into(), id.0.into()],
        )
        .await?;
    row.map(|Row { id, name }| PersonName::parse(&name).map_err(|why| StoreError::corrupt("membership", "name", id, why)))
        .transpose()
}

/// Up to `limit` patients whose name or address holds every one of `words`, by name; all of them when there are no words.
///
/// # Errors
/// The store's own.
pub async fn named(tx: &Tx, words: &str, limit: u32) -> Result<Vec<Patient>, StoreError> {
    let patterns: Vec<String> = words.split_whitespace().map(crate::exercise::contains).collect();
    tx.all::<Row>(
        &format!(
            "select {COLUMNS} from patient where clinic_id = $1 and (name || ' ' || coalesce(email, '')) ilike all ($2::text[])
             order by lower(name), id limit $3"
        ),
        [tx.clinic().0.into(), patterns.into(), i64::from(limit).into()],
    )
    .await?
    .into_iter()
    .map(Patient::try_from)
    .collect()
}
