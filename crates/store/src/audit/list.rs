//! Reading the audit: by person, by patient, by what was done, by time; newest first, a page at a time.

use domain::ids::{MembershipId, PatientId};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use super::{AuditAction, AuditResource};
use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
};

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A member of the staff, by name.
    Staff(MembershipId, String),
    /// A patient, by name.
    Patient(PatientId, String),
    /// Somebody who was not known.
    Nobody,
}

/// One entry, with the names that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the clinic's chain, from 1.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: Who,
    /// What was done.
    pub deed: AuditAction,
    /// To what kind of thing; `None` for a kind that this program does not know.
    pub subject: Option<AuditResource>,
    /// Whose record it was about.
    pub patient: Option<(PatientId, String)>,
    /// From where.
    pub address: Option<String>,
    /// The pattern of the page that was refused.
    pub detail: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What this member of the staff did.
    pub member: Option<MembershipId>,
    /// About this patient's record.
    pub patient: Option<PatientId>,
    /// What the patients did themselves, or what they did not: for a patient's list of who opened the record.
    pub by_patients: Option<bool>,
    /// Deeds of this kind.
    pub deed: Option<AuditAction>,
    /// From this address.
    pub address: Option<String>,
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
    /// Before this place in the chain: the page after the one that ended with it.
    pub before: Option<i64>,
}

impl Filter {
    /// The conditions on `e`, with their values from `$2` on.
    pub(crate) fn conditions(&self, values: &mut Vec<Value>) -> String {
        let mut all = String::from("e.clinic_id = $1");
        let mut also = |text: &str, value: Value| {
            values.push(value);
            all.push_str(" and ");
            all.push_str(&text.replace('?', &format!("${}", values.len())));
        };
        if let Some(member) = self.member {
            also("e.membership_id = ?", member.0.into());
        }
        if let Some(patient) = self.patient {
            also("e.patient_id = ?", patient.0.into());
        }
        if let Some(address) = &self.address {
            also("e.address = ?", address.as_str().into());
        }
        if let Some(from) = self.from {
            also("e.at >= ?", from_instant(from).into());
        }
        if let Some(to) = self.to {
            also("e.at < ?", from_instant(to).into());
        }
        if let Some(before) = self.before {
            also("e.seq < ?", before.into());
        }
        if let Some(deed) = self.deed {
            // A word of this program, and spelt out: the index of the seldom deeds is found by it.
            all.push_str(&format!(" and e.deed = '{}'", deed.tag()));
        }
        match self.by_patients {
            Some(true) => all.push_str(" and e.actor_patient_id is not null"),
            Some(false) => all.push_str(" and e.actor_patient_id is null"),
            None => {}
        }
        all
    }
}

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    at: At,
    membership_id: Option<Uuid>,
    member: Option<String>,
    actor_patient_id: Option<Uuid>,
    actor: Option<String>,
    deed: String,
    subject: String,
    patient_id: Option<Uuid>,
    patient: Option<String>,
    address: Option<String>,
    detail: Option<String>,
    request_id: Option<Uuid>,
}

/// The clinic's entries, newest first, at most `limit`.
///
/// # Errors
/// [`StoreError::Corrupt`] for a deed there is not; the store's own.
pub async fn list(tx: &Tx, filter: &Filter, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let mut values = vec![tx.clinic().0.into()];
    let conditions = filter.conditions(&mut values);
    values.push(i64::from(limit).into());
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "select e.seq, e.at, e.membership_id, m.name as member, e.actor_patient_id, a.name as actor, e.deed, e.subject,
                   e.patient_id, p.name as patient, e.address, e.detail, e.request_id
                 from (select * from audit_entry e where {conditions} order by e.seq desc limit ${}) e
                 left join membership m on m.clinic_id = e.clinic_id and m.id = e.membership_id
                 left join patient a on a.clinic_id = e.clinic_id and a.id = e.actor_patient_id
                 left join patient p on p.clinic_id = e.clinic_id and p.id = e.patient_id
                 order by e.seq desc",
                values.len()
            ),
            values,
        )
        .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

impl TryFrom<Row> for Entry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row {
            seq,
            at,
            membership_id,
            member,
            actor_patient_id,
            actor,
            deed,
            subject,
            patient_id,
            patient,
            address,
            detail,
            request_id,
        } = row;
        let corrupt = |column: &'static str, why: &str| StoreError::corrupt("audit_entry", column, seq, why);
        Ok(Self {
            seq,
            at: to_instant(at).ok_or_else(|| corrupt("at", "out of range"))?,
            who: match (membership_id, actor_patient_id) {
                (Some(id), _) => Who::Staff(MembershipId(id), member.unwrap_or_default()),
                (None, Some(id)) => Who::Patient(PatientId(id), actor.unwrap_or_default()),
                (None, None) => Who::Nobody,
            },
            deed: AuditAction::of_tag(&deed).ok_or_else(|| corrupt("deed", &deed))?,
            subject: AuditResource::of_tag(&subject),
            patient: patient_id.map(|id| (PatientId(id), patient.unwrap_or_default())),
            address,
            detail,
            request: request_id,
        })
    }
}

/// The clinic's chain as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many entries it has.
    pub length: i64,
    /// When its first was made.
    pub first: Timestamp,
    /// When its last was made.
    pub last: Timestamp,
    /// The last one's digest, which stands for everything before it, in hexadecimal digits.
    pub digest: String,
}

/// How the clinic's chain stands; `None` before its first entry.
///
/// # Errors
/// The store's own.
pub async fn chain(tx: &Tx) -> Result<Option<Chain>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        seq: i64,
        digest: String,
        first: Option<At>,
        last: Option<At>,
    }
    let row: Option<Row> = tx
        .one(
            "select h.seq, encode(h.hash, 'hex') as digest,
               (select e.at from audit_entry e where e.clinic_id = h.clinic_id order by e.seq limit 1) as first,
               (select e.at from audit_entry e where e.clinic_id = h.clinic_id order by e.seq desc limit 1) as last
             from audit_head h where h.clinic_id = $1",
            [tx.clinic().0.into()],
        )
        .await?;
    Ok(row.and_then(|Row { seq, digest, first, last }| {
        Some(Chain { length: seq, first: to_instant(first?)?, last: to_instant(last?)?, digest })
    }))
}

/// Everybody who is or was on the clinic's staff, by name: for choosing one.
///
/// # Errors
/// The store's own.
pub async fn staff(tx: &Tx) -> Result<Vec<(MembershipId, String)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
    }
    let rows: Vec<Row> = tx
        .all("select id, name from membership where clinic_id = $1 order by lower(name), id limit 500", [tx.clinic().0.into()])
        .await?;
    Ok(rows.into_iter().map(|Row { id, name }| (MembershipId(id), name)).collect())
}
