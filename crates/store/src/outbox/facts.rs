//! What the worker has to know about claimed notices before it sends them: how things stand for the patient now, and the names and
//! words that the mail needs.

use std::collections::HashMap;

use domain::{
    ids::{ClinicId, PatientId, ProgramId},
    person::{Language, PersonName, Zone},
    program::Program,
    reminder::{QuietHours, ReminderRule, Standing},
};
use jiff::civil::Date;
use sea_orm::{FromQueryResult, Value};
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
    /// The hours in which it sends no reminders.
    pub quiet: QuietHours,
}

/// A patient, with all that decides whether a reminder is still wanted.
#[derive(Debug, Clone)]
pub struct PatientFacts {
    /// The name.
    pub name: PersonName,
    /// The address that mail goes to now, if there is one.
    pub email: Option<String>,
    /// The language of mail.
    pub language: Language,
    /// Whether the patient has accepted the invitation and can sign in.
    pub joined: bool,
    /// Whether the record is closed: then it gets no mail of any kind.
    pub closed: bool,
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
    /// How things stand for a reminder of this date.
    pub fn standing(&self, date: Date, unsubscribed: bool) -> Standing {
        let logged = |program| self.logged.get(&(program, date)).copied().unwrap_or_default();
        Standing::on(date, &self.programs, logged, unsubscribed)
    }
}

/// Somebody of the staff, or an account without a better name.
#[derive(Debug, Clone)]
pub struct PersonFacts {
    /// The name.
    pub name: String,
    /// The language of mail.
    pub language: Language,
    /// Whether an invitation to the staff was withdrawn before it was accepted.
    pub withdrawn: bool,
}

/// Everything about some claimed notices, of any clinics. Whatever is asked is asked about one of those notices, so that nothing of one
/// clinic can end up in another's mail.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    clinics: HashMap<ClinicId, ClinicFacts>,
    patients: HashMap<(ClinicId, PatientId), PatientFacts>,
    /// By membership or by account.
    people: HashMap<(ClinicId, Uuid), PersonFacts>,
    suppressed: HashMap<(ClinicId, String), Suppressed>,
}

#[derive(Debug, Clone, Default)]
struct Suppressed {
    /// Whether the patient wants no reminders there.
    unsubscribed: bool,
    /// In which words a mail server refused it, if one did.
    refused: Option<String>,
}

impl Facts {
    /// The clinic that owes a notice.
    pub fn clinic(&self, notice: &Claimed) -> Option<&ClinicFacts> {
        self.clinics.get(&notice.clinic)
    }

    /// The patient a notice is for.
    pub fn patient(&self, notice: &Claimed) -> Option<&PatientFacts> {
        self.patients.get(&(notice.clinic, notice.patient?))
    }

    /// The member of staff a notice is for.
    pub fn member(&self, notice: &Claimed) -> Option<&PersonFacts> {
        self.people.get(&(notice.clinic, notice.membership?.0))
    }

    /// The person behind the account that a notice is for.
    pub fn person(&self, notice: &Claimed) -> Option<&PersonFacts> {
        self.people.get(&(notice.clinic, notice.account?.0))
    }

    /// Whether the patient wants no reminders at the notice's address.
    pub fn unsubscribed(&self, notice: &Claimed) -> bool {
        self.suppressed(notice).is_some_and(|suppressed| suppressed.unsubscribed)
    }

    /// In which words a mail server refused the notice's address, if it was given up.
    pub fn refused(&self, notice: &Claimed) -> Option<&str> {
        self.suppressed(notice)?.refused.as_deref()
    }

    fn suppressed(&self, notice: &Claimed) -> Option<&Suppressed> {
        self.suppressed.get(&(notice.clinic, notice.recipient.as_str().to_owned()))
    }
}

#[derive(FromQueryResult)]
struct SuppressionRow {
    clinic_id: Uuid,
    email: String,
    scope: String,
    reason: String,
}

#[derive(FromQueryResult)]
struct ClinicRow {
    id: Uuid,
    name: String,
    zone: String,
    phone: Option<String>,
    whatsapp: Option<String>,
    quiet_from: time::Time,
    quiet_to: time::Time,
}

#[derive(FromQueryResult)]
struct PatientRow {
    clinic_id: Uuid,
    id: Uuid,
    account_id: Option<Uuid>,
    name: String,
    email: Option<String>,
    language: String,
    zone: String,
    closed: bool,
    physiotherapist: Option<String>,
}

#[derive(FromQueryResult)]
struct MemberRow {
    clinic_id: Uuid,
    id: Uuid,
    account_id: Uuid,
    name: String,
    withdrawn: bool,
}

#[derive(FromQueryResult)]
struct LoggedRow {
    clinic_id: Uuid,
    patient_id: Uuid,
    program_id: Uuid,
    date: time::Date,
    count: i64,
}

/// Pairs of keys as two arrays, for `unnest`.
fn pairs<T: Copy>(keys: &[T], split: impl Fn(T) -> (Uuid, Uuid)) -> [Value; 2] {
    let (clinics, ids): (Vec<Uuid>, Vec<Uuid>) = keys.iter().map(|key| split(*key)).unzip();
    [clinics.into(), ids.into()]
}

/// Reads what is to be known about claimed notices of any clinics, in [`crate::Store::begin_worker`]. A handful of statements, however many
/// notices and clinics.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row the domain refuses; the store's own.
pub async fn read(tx: &Tx, notices: &[Claimed]) -> Result<Facts, StoreError> {
    let mut wanted: Vec<(ClinicId, PatientId)> =
        notices.iter().filter_map(|notice| Some((notice.clinic, notice.patient?))).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let clinics = clinics_of(tx, notices).await?;
    let suppressed = suppressed_of(tx, notices).await?;
    let mut people = people_of(tx, notices).await?;
    let accounts: Vec<(ClinicId, Uuid)> = notices.iter().filter_map(|notice| Some((notice.clinic, notice.account?.0))).collect();
    let [patient_clinics, patient_ids] = pairs(&wanted, |(clinic, id)| (clinic.0, id.0));
    let [account_clinics, account_ids] = pairs(&accounts, |(clinic, id)| (clinic.0, id));
    let rows: Vec<PatientRow> = tx
        .all(
            "with wanted as (
               select p.clinic_id, p.id from patient p
               join unnest($1::uuid[], $2::uuid[]) as w (clinic_id, id) on p.clinic_id = w.clinic_id and p.id = w.id
               union
               select p.clinic_id, p.id from patient p
               join unnest($3::uuid[], $4::uuid[]) as w (clinic_id, id) on p.clinic_id = w.clinic_id and p.account_id = w.id)
             select p.clinic_id, p.id, p.account_id, p.name, p.email, p.language, p.zone, p.closed_at is not null as closed,
               m.name as physiotherapist
             from wanted join patient p on p.clinic_id = wanted.clinic_id and p.id = wanted.id
             left join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id",
            [patient_clinics, patient_ids, account_clinics, account_ids],
        )
        .await?;

    let mut programs = program::of_patients_anywhere(tx, &wanted).await?;
    let mut rules = rules_of(tx, &wanted).await?;
    let mut logged = logged_of(tx, notices).await?;
    let mut patients = HashMap::with_capacity(rows.len());
    for PatientRow { clinic_id, id, account_id, name, email, language, zone, closed, physiotherapist } in rows {
        let (clinic, patient) = (ClinicId(clinic_id), PatientId(id));
        let language = language.parse().unwrap_or(Language::En);
        if let Some(account) = account_id {
            people.entry((clinic, account)).or_insert_with(|| PersonFacts { name: name.clone(), language, withdrawn: false });
        }
        let quiet = clinics.get(&clinic).map(|clinic| clinic.quiet).unwrap_or_default();
        let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("patient", "zone", id, why))?;
        let facts = PatientFacts {
            name: PersonName::parse(&name).map_err(|why| StoreError::corrupt("patient", "name", id, why))?,
            email,
            language,
            joined: account_id.is_some(),
            closed,
            physiotherapist,
            rule: rule_of(patient, &rules.remove(&(clinic, patient)).unwrap_or_default(), zone.clone(), quiet)?,
            zone,
            programs: programs.remove(&patient).unwrap_or_default(),
            logged: logged.remove(&(clinic, patient)).unwrap_or_default(),
        };
        patients.insert((clinic, patient), facts);
    }
    Ok(Facts { clinics, patients, people, suppressed })
}

async fn clinics_of(tx: &Tx, notices: &[Claimed]) -> Result<HashMap<ClinicId, ClinicFacts>, StoreError> {
    let mut ids: Vec<Uuid> = notices.iter().map(|notice| notice.clinic.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows: Vec<ClinicRow> =
        tx.all("select id, name, zone, phone, whatsapp, quiet_from, quiet_to from clinic where id = any($1)", [ids.into()]).await?;
    rows.into_iter()
        .map(|ClinicRow { id, name, zone, phone, whatsapp, quiet_from, quiet_to }| {
            let zone = Zone::parse(&zone).map_err(|why| StoreError::corrupt("clinic", "zone", id, why))?;
            let quiet = QuietHours { from: to_time(quiet_from), to: to_time(quiet_to) };
            Ok((ClinicId(id), ClinicFacts { name, zone, phone, whatsapp, quiet }))
        })
        .collect()
}

async fn suppressed_of(tx: &Tx, notices: &[Claimed]) -> Result<HashMap<(ClinicId, String), Suppressed>, StoreError> {
    let clinics: Vec<Uuid> = notices.iter().map(|notice| notice.clinic.0).collect();
    let addresses: Vec<String> = notices.iter().map(|notice| notice.recipient.as_str().to_owned()).collect();
    let rows: Vec<SuppressionRow> = tx
        .all(
            "select s.clinic_id, s.email, s.scope, s.reason
             from (select distinct * from unnest($1::uuid[], $2::text[])) as w (clinic_id, email)
             join suppression s on s.clinic_id = w.clinic_id and s.email = w.email",
            [clinics.into(), addresses.into()],
        )
        .await?;
    let mut suppressed: HashMap<_, Suppressed> = HashMap::new();
    for SuppressionRow { clinic_id, email, scope, reason } in rows {
        let entry = suppressed.entry((ClinicId(clinic_id), email)).or_default();
        match scope.as_str() {
            "all" => entry.refused = Some(reason),
            _ => entry.unsubscribed = true,
        }
    }
    Ok(suppressed)
}

/// The staff that notices are for, by membership and by account.
async fn people_of(tx: &Tx, notices: &[Claimed]) -> Result<HashMap<(ClinicId, Uuid), PersonFacts>, StoreError> {
    let wanted: Vec<(Uuid, Uuid)> = notices
        .iter()
        .flat_map(|notice| {
            let ids = [notice.membership.map(|id| id.0), notice.account.map(|id| id.0)];
            ids.into_iter().flatten().map(|id| (notice.clinic.0, id))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<MemberRow> = tx
        .all(
            "select m.clinic_id, m.id, m.account_id, m.name, m.joined_at is null and m.disabled_at is not null as withdrawn
             from unnest($1::uuid[], $2::uuid[]) as w (clinic_id, id)
             join membership m on m.clinic_id = w.clinic_id and (m.id = w.id or m.account_id = w.id)",
            pairs(&wanted, |pair| pair),
        )
        .await?;
    let mut people = HashMap::new();
    for MemberRow { clinic_id, id, account_id, name, withdrawn } in rows {
        let person = PersonFacts { name, language: Language::En, withdrawn };
        people.insert((ClinicId(clinic_id), id), person.clone());
        people.insert((ClinicId(clinic_id), account_id), person);
    }
    Ok(people)
}

async fn rules_of(tx: &Tx, patients: &[(ClinicId, PatientId)]) -> Result<HashMap<(ClinicId, PatientId), Vec<RuleRow>>, StoreError> {
    let rows: Vec<RuleRow> = tx
        .all(
            "select r.clinic_id, r.patient_id, r.local_time, r.weekdays, r.paused_until
             from unnest($1::uuid[], $2::uuid[]) as w (clinic_id, patient_id)
             join reminder_rule r on r.clinic_id = w.clinic_id and r.patient_id = w.patient_id",
            pairs(patients, |(clinic, id)| (clinic.0, id.0)),
        )
        .await?;
    let mut rules: HashMap<_, Vec<RuleRow>> = HashMap::new();
    for row in rows {
        rules.entry((ClinicId(row.clinic_id), PatientId(row.patient_id))).or_default().push(row);
    }
    Ok(rules)
}

/// Sessions logged by a patient, by program and date.
type LoggedOf = HashMap<(ProgramId, Date), u32>;

async fn logged_of(tx: &Tx, notices: &[Claimed]) -> Result<HashMap<(ClinicId, PatientId), LoggedOf>, StoreError> {
    let mut wanted: Vec<(Uuid, Uuid, Date)> =
        notices.iter().filter_map(|notice| Some((notice.clinic.0, notice.patient?.0, notice.civil?.0))).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<LoggedRow> = tx
        .all(
            "select l.clinic_id, l.patient_id, l.program_id, l.date, count(*) as count
             from unnest($1::uuid[], $2::uuid[], $3::date[]) as w (clinic_id, patient_id, date)
             join session_log l on l.clinic_id = w.clinic_id and l.patient_id = w.patient_id and l.date = w.date
             group by l.clinic_id, l.patient_id, l.program_id, l.date",
            [
                wanted.iter().map(|(clinic, _, _)| *clinic).collect::<Vec<_>>().into(),
                wanted.iter().map(|(_, patient, _)| *patient).collect::<Vec<_>>().into(),
                wanted.iter().map(|(_, _, date)| from_date(*date)).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let mut logged: HashMap<_, LoggedOf> = HashMap::new();
    for LoggedRow { clinic_id, patient_id, program_id, date, count } in rows {
        if let Some(date) = to_date(date) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            logged.entry((ClinicId(clinic_id), PatientId(patient_id))).or_default().insert((ProgramId(program_id), date), count);
        }
    }
    Ok(logged)
}
