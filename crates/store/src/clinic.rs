//! Clinics: made once, and set by their owners.

use domain::{
    ids::{ClinicId, MembershipId},
    person::{PersonName, Zone},
    reminder::QuietHours,
};
use jiff::Timestamp;
use sea_orm::FromQueryResult;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::{from_instant, from_time, to_time},
    reminder,
};

/// What an owner sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The clinic's name, 1 to 120 characters.
    pub name: PersonName,
    /// The zone of new patients and of the clinic's own pages.
    pub zone: Zone,
    /// A telephone number as people write it.
    pub phone: Option<String>,
    /// A WhatsApp number: 7 to 15 digits with the country's code and no plus.
    pub whatsapp: Option<String>,
    /// When reminders are held back, in each patient's own zone.
    pub quiet: QuietHours,
    /// From which pain score on a session is reported, 1 to 10.
    pub pain_high: u8,
    /// After how many missed sessions in a row a patient is reported, 1 to 30.
    pub missed_run: u8,
    /// Whether physiotherapists see the patients of their own caseload, and those on nobody's, and no others. Owners see all.
    pub own_caseload: bool,
    /// Whether staff must have a second factor before they reach anything.
    pub second_factor: bool,
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    zone: String,
    phone: Option<String>,
    whatsapp: Option<String>,
    quiet_from: time::Time,
    quiet_to: time::Time,
    pain_high: i16,
    missed_run: i16,
    own_caseload: bool,
    second_factor_required: bool,
}

/// Makes a clinic. Runs in [`Store::begin_sign_in`](crate::Store::begin_sign_in), since nobody belongs to it yet; its owner comes next
/// ([`crate::account::add_member`]).
///
/// # Errors
/// The store's own.
pub async fn create(tx: &Tx, name: &PersonName, zone: &Zone, now: Timestamp) -> Result<ClinicId, StoreError> {
    let id = ClinicId::new();
    tx.run(
        "insert into clinic (id, name, zone, created_at) values ($1, $2, $3, $4)",
        [id.0.into(), name.as_str().into(), zone.name().into(), from_instant(now).into()],
    )
    .await?;
    Ok(id)
}

/// The clinic's settings.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn settings(tx: &Tx) -> Result<Settings, StoreError> {
    let id = tx.clinic();
    let Row { name, zone, phone, whatsapp, quiet_from, quiet_to, pain_high, missed_run, own_caseload, second_factor_required } = tx
        .one(
            "select name, zone, phone, whatsapp, quiet_from, quiet_to, pain_high, missed_run, own_caseload, second_factor_required
             from clinic where id = $1",
            [id.0.into()],
        )
        .await?
        .ok_or(StoreError::NotFound)?;
    Ok(Settings {
        name: PersonName::parse(&name).map_err(|why| StoreError::corrupt("clinic", "name", id, why))?,
        zone: Zone::parse(&zone).map_err(|why| StoreError::corrupt("clinic", "zone", id, why))?,
        phone,
        whatsapp,
        quiet: QuietHours { from: to_time(quiet_from), to: to_time(quiet_to) },
        pain_high: u8::try_from(pain_high).map_err(|why| StoreError::corrupt("clinic", "pain_high", id, why))?,
        missed_run: u8::try_from(missed_run).map_err(|why| StoreError::corrupt("clinic", "missed_run", id, why))?,
        own_caseload,
        second_factor: second_factor_required,
    })
}

/// Saves the settings. Reminders keep to new quiet hours from `now` on.
///
/// # Errors
/// [`StoreError::Conflict`] when a value is out of the bounds of the schema; the store's own.
pub async fn save(tx: &Tx, settings: &Settings, now: Timestamp) -> Result<(), StoreError> {
    let Settings { name, zone, phone, whatsapp, quiet, pain_high, missed_run, own_caseload, second_factor } = settings;
    tx.run(
        "update clinic set name = $2, zone = $3, phone = $4, whatsapp = $5, quiet_from = $6, quiet_to = $7, pain_high = $8,
           missed_run = $9, own_caseload = $10, second_factor_required = $11 where id = $1",
        [
            tx.clinic().0.into(),
            name.as_str().into(),
            zone.name().into(),
            phone.clone().into(),
            whatsapp.clone().into(),
            from_time(quiet.from).into(),
            from_time(quiet.to).into(),
            i16::from(*pain_high).into(),
            i16::from(*missed_run).into(),
            (*own_caseload).into(),
            (*second_factor).into(),
        ],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Settings, None);
    reminder::requiet(tx, *quiet, now).await
}

/// A member of staff writes their own name anew.
///
/// # Errors
/// [`StoreError::NotFound`] when there is no such member.
pub async fn rename_member(tx: &Tx, member: MembershipId, name: &PersonName) -> Result<(), StoreError> {
    tx.note(AuditAction::Wrote, AuditResource::Team, None);
    let found = tx
        .run(
            "update membership set name = $3 where clinic_id = $1 and id = $2",
            [tx.clinic().0.into(), member.0.into(), name.as_str().into()],
        )
        .await?;
    if found == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
