//! What the worker has to know about claimed notices before it sends them: how things stand for the patient now, and the names and
//! words that the mail needs.

use std::collections::HashMap;

use domain::{
    ids::{MembershipId, PatientId, ProgramId},
    person::{Email, Language, PersonName, Zone},
    program::Program,
    reminder::{QuietHours, ReminderRule, Standing},
};
use jiff::civil::Date;
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::Claimed;
use crate::{
    StoreError, Tx,
    convert::{from_date, to_date, to_time},
    program,
    reminder::{RuleRow, rule_of},
};

/// The clinic, as its mails name it.
#[derive(Debug, Clone)]
pub struct ClinicFacts {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Zone,
    /// Its telephone number, as people write it.
    pub phone: Option<String>,
    /// Its WhatsApp number, digits only.
    pub whatsapp: Option<String>,
}

/// A patient, with all that decides whether a reminder is still wanted.
#[derive(Debug, Clone)]
pub struct PatientFacts {
    /// The name.
    pub name: PersonName,
    /// The language of mail.
    pub language: Language,
    /// Whether the patient has accepted the invitation and can sign in.
    pub joined: bool,
    /// The patient's zone.
    pub zone: Zone,
    /// The physiotherapist whose caseload the patient is on.
    pub physiotherapist: Option<String>,
    /// When the patient wants to be reminded.
    pub rule: ReminderRule,
    /// Every program of the patient, by start.
    pub programs: Vec<Program>,
    /// Sessions logged by program and date, for the dates the notices are about.
    logged: HashMap<(ProgramId, Date), u32>,
}

impl PatientFacts {
    /// How things stand for a reminder of this date. A session in which everything was skipped counts as logged: the patient has
    /// answered.
    pub fn standing(&self, date: Date, unsubscribed: bool) -> Standing {
        let mut standing = Standing { slots: 0, logged: 0, unsubscribed };
        for program in &self.programs {
            let slots = u32::from(program.slots_on(date));
            standing.slots += slots;
            // More sessions of one program than were due say nothing about another program's.
            standing.logged += self.logged.get(&(program.id, date)).copied().unwrap_or_default().min(slots);
        }
        standing
    }
}

/// Somebody of the staff, or an account without a better name.
#[derive(Debug, Clone)]
pub struct PersonFacts {
    /// The name.
    pub name: String,
    /// The language of mail.
    pub language: Language,
}

/// Everything about one clinic's claimed notices.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The clinic.
    pub clinic: ClinicFacts,
    patients: HashMap<Uuid, PatientFacts>,
    people: HashMap<Uuid, PersonFacts>,
    suppressed: Vec<SuppressionRow>,
}

#[derive(Debug, Clone, FromQueryResult)]
struct SuppressionRow {
    email: String,
    scope: String,
    reason: String,
}

impl Facts {
    /// The patient a notice is for.
    pub fn patient(&self, id: PatientId) -> Option<&PatientFacts> {
        self.patients.get(&id.0)
    }

    /// The member of staff a notice is for.
    pub fn member(&self, id: MembershipId) -> Option<&PersonFacts> {
        self.people.get(&id.0)
    }

    /// The person behind the account that a notice is for.
    pub fn person(&self, notice: &Claimed) -> Option<&PersonFacts> {
        self.people.get(&notice.account?.0)
    }

    /// Whether the address wants no reminders, or takes no mail at all.
    pub fn unsubscribed(&self, address: &Email) -> bool {
        self.suppressed.iter().any(|row| row.email == address.as_str())
    }

    /// Why the address takes no mail at all, if it does not.
    pub fn refused(&self, address: &Email) -> Option<&str> {
        self.suppressed.iter().find(|row| row.email == address.as_str() && row.scope == "all").map(|row| row.reason.as_str())
    }
}

#[derive(FromQueryResult)]
struct ClinicRow {
    name: String,
    zone: String,
    phone: Option<String>,
    whatsapp: Option<String>,
    quiet_from: time::Time,
    quiet_to: time::Time,
}

#[derive(FromQueryResult)]
struct PatientRow {
    id: Uuid,
    account_id: Option<Uuid>,
    name: String,
    language: String,
    zone: String,
    physiotherapist: Option<String>,
}

#[derive(FromQueryResult)]
struct MemberRow {
    id: Uuid,
    account_id: Uuid,
    name: String,
}

#[derive(FromQueryResult)]
struct LoggedRow {
    patient_id: Uuid,
    program_id: Uuid,
    date: time::Date,
    count: i64,
}

/// Reads what is to be known about notices of one clinic, in that clinic's transaction (as [`crate::Actor::System`]). A handful of
/// statements, however many notices.
///
/// # Errors
/// [`StoreError::NotFound`] when the clinic is gone; [`StoreError::Corrupt`] for rows the domain refuses.
pub async fn read(tx: &Tx, notices: &[Claimed]) -> Result<Facts, StoreError> {
    let clinic = tx.clinic().0;
    let ClinicRow { name, zone, phone, whatsapp, quiet_from, quiet_to } = tx
        .one("select name, zone, phone, whatsapp, quiet_from, quiet_to from clinic where id = $1", [clinic.into()])
        .await?
        .ok_or(StoreError::NotFound)?;
    let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("clinic", "zone", clinic, why))?;
    let quiet = QuietHours { from: to_time(quiet_from), to: to_time(quiet_to) };

    let addresses: Vec<String> = notices.iter().map(|notice| notice.recipient.as_str().to_owned()).collect();
    let suppressed = tx
        .all(
            "select email, scope, reason from suppression where clinic_id = $1 and email = any($2)",
            [clinic.into(), addresses.into()],
        )
        .await?;

    let accounts: Vec<Uuid> = notices.iter().filter_map(|notice| notice.account).map(|id| id.0).collect();
    let wanted: Vec<Uuid> = notices.iter().filter_map(|notice| notice.patient).map(|id| id.0).collect();
    let rows: Vec<PatientRow> = tx
        .all(
            "select p.id, p.account_id, p.name, p.language, p.zone, m.name as physiotherapist
             from patient p left join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id
             where p.clinic_id = $1 and (p.id = any($2) or p.account_id = any($3))",
            [clinic.into(), wanted.clone().into(), accounts.clone().into()],
        )
        .await?;
    let members: Vec<MemberRow> = tx
        .all(
            "select id, account_id, name from membership where clinic_id = $1 and (id = any($2) or account_id = any($3))",
            [
                clinic.into(),
                notices.iter().filter_map(|notice| notice.membership).map(|id| id.0).collect::<Vec<_>>().into(),
                accounts.into(),
            ],
        )
        .await?;

    let ids: Vec<PatientId> = wanted.into_iter().map(PatientId).collect();
    let mut programs = program::of_patients(tx, &ids).await?;
    let mut rules = rules_of(tx, &ids).await?;
    let mut logged = logged_of(tx, &ids, notices).await?;

    let mut people = HashMap::new();
    for MemberRow { id, account_id, name } in members {
        let person = PersonFacts { name, language: Language::En };
        people.insert(id, person.clone());
        people.insert(account_id, person);
    }
    let mut patients = HashMap::with_capacity(rows.len());
    for PatientRow { id, account_id, name, language, zone, physiotherapist } in rows {
        let language = language.parse().unwrap_or(Language::En);
        if let Some(account) = account_id {
            people.entry(account).or_insert_with(|| PersonFacts { name: name.clone(), language });
        }
        let patient = PatientId(id);
        let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", id, why))?;
        let facts = PatientFacts {
            name: PersonName::parse(&name).map_err(|why| StoreError::corrupt("patient", "name", id, why))?,
            language,
            joined: account_id.is_some(),
            physiotherapist,
            rule: rule_of(patient, &rules.remove(&id).unwrap_or_default(), zone.clone(), quiet)?,
            zone,
            programs: programs.remove(&patient).unwrap_or_default(),
            logged: logged.remove(&id).unwrap_or_default(),
        };
        patients.insert(id, facts);
    }
    Ok(Facts { clinic: ClinicFacts { name, zone, phone, whatsapp }, patients, people, suppressed })
}

async fn rules_of(tx: &Tx, patients: &[PatientId]) -> Result<HashMap<Uuid, Vec<RuleRow>>, StoreError> {
    let rows: Vec<RuleRow> = tx
        .all(
            "select patient_id, local_time, weekdays, paused_until from reminder_rule where clinic_id = $1 and patient_id = any($2)",
            [tx.clinic().0.into(), patients.iter().map(|id| id.0).collect::<Vec<_>>().into()],
        )
        .await?;
    let mut rules: HashMap<Uuid, Vec<RuleRow>> = HashMap::new();
    for row in rows {
        rules.entry(row.patient_id).or_default().push(row);
    }
    Ok(rules)
}

async fn logged_of(
    tx: &Tx,
    patients: &[PatientId],
    notices: &[Claimed],
) -> Result<HashMap<Uuid, HashMap<(ProgramId, Date), u32>>, StoreError> {
    let dates = || notices.iter().filter_map(|notice| notice.civil).map(|(date, _)| date);
    let (Some(first), Some(last)) = (dates().min(), dates().max()) else { return Ok(HashMap::new()) };
    let rows: Vec<LoggedRow> = tx
        .all(
            "select patient_id, program_id, date, count(*) as count from session_log
             where clinic_id = $1 and patient_id = any($2) and date between $3 and $4 group by patient_id, program_id, date",
            [
                tx.clinic().0.into(),
                patients.iter().map(|id| id.0).collect::<Vec<_>>().into(),
                from_date(first).into(),
                from_date(last).into(),
            ],
        )
        .await?;
    let mut logged: HashMap<Uuid, HashMap<(ProgramId, Date), u32>> = HashMap::new();
    for LoggedRow { patient_id, program_id, date, count } in rows {
        if let Some(date) = to_date(date) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            logged.entry(patient_id).or_default().insert((ProgramId(program_id), date), count);
        }
    }
    Ok(logged)
}
