//! The register of breaches: what happened, whose data it touched, and what was done about it. Whose data it touched is read from the
//! audit each time, which nobody can change.

use std::fmt;

use domain::{
    ids::{MembershipId, PatientId},
    person::Email,
};
use jiff::{SignedDuration, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource, Filter},
    convert::{At, from_instant, to_instant},
};

/// By when the Commissioner is told, from the moment it was noticed (PDPA as amended 2024).
pub const COMMISSIONER: SignedDuration = SignedDuration::from_hours(72);
/// By when the people are told, where harm may follow; with health data it may.
pub const PEOPLE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whose doing, whose record, from where, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// From when.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
    /// Only what was done with this person's access.
    pub member: Option<MembershipId>,
    /// Only this patient's record.
    pub patient: Option<PatientId>,
    /// Only from this address.
    pub address: Option<String>,
}

impl Reach {
    fn filter(&self) -> Filter {
        let Self { from, to, member, patient, address } = self.clone();
        Filter {
            member,
            patient,
            // Patients looking at their own records are no breach, unless somebody is suspected to have done it in their place.
            by_patients: if address.is_none() && patient.is_none() { Some(false) } else { None },
            address,
            from: Some(from),
            to: Some(to),
            ..Filter::default()
        }
    }
}

/// A breach as it was first written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// When the clinic noticed: the clocks run from here.
    pub noticed_at: Timestamp,
    /// What it touched.
    pub reach: Reach,
    /// What happened, in the owner's words.
    pub what: String,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something was noted.
    Noted,
    /// The Commissioner was told.
    CommissionerTold,
    /// The people were told.
    PeopleTold,
    /// It is dealt with.
    Closed,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 4] = [Self::Noted, Self::CommissionerTold, Self::PeopleTold, Self::Closed];

    /// As it is kept, and as forms send it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::CommissionerTold => "commissioner_told",
            Self::PeopleTold => "people_told",
            Self::Closed => "closed",
        }
    }

    /// The step of this tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.tag() == tag)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A breach in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Its id.
    pub id: Uuid,
    /// As it was written down.
    pub breach: New,
    /// When the Commissioner was told.
    pub commissioner_told_at: Option<Timestamp>,
    /// When the people were told.
    pub people_told_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Who wrote it down.
    pub by: String,
    /// The name of the member of staff it is narrowed to.
    pub member: Option<String>,
    /// The name of the patient it is narrowed to.
    pub patient: Option<String>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    noticed_at: At,
    period_from: At,
    period_to: At,
    membership_id: Option<Uuid>,
    patient_id: Option<Uuid>,
    address: Option<String>,
    what: String,
    commissioner_told_at: Option<At>,
    people_told_at: Option<At>,
    closed_at: Option<At>,
    by: String,
    member: Option<String>,
    patient: Option<String>,
}

const SELECT: &str = "select b.id, b.noticed_at, b.period_from, b.period_to, b.membership_id, b.patient_id, b.address, b.what,
     b.commissioner_told_at, b.people_told_at, b.closed_at, w.name as by, m.name as member, p.name as patient
   from breach b
   join membership w on w.clinic_id = b.clinic_id and w.id = b.created_by
   left join membership m on m.clinic_id = b.clinic_id and m.id = b.membership_id
   left join patient p on p.clinic_id = b.clinic_id and p.id = b.patient_id";

impl TryFrom<Row> for Breach {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let at = |at, column| to_instant(at).ok_or_else(|| StoreError::corrupt("breach", column, row.id, "out of range"));
        Ok(Self {
            id: row.id,
            breach: New {
                noticed_at: at(row.noticed_at, "noticed_at")?,
                reach: Reach {
                    from: at(row.period_from, "period_from")?,
                    to: at(row.period_to, "period_to")?,
                    member: row.membership_id.map(MembershipId),
                    patient: row.patient_id.map(PatientId),
                    address: row.address,
                },
                what: row.what,
            },
            commissioner_told_at: row.commissioner_told_at.and_then(to_instant),
            people_told_at: row.people_told_at.and_then(to_instant),
            closed_at: row.closed_at.and_then(to_instant),
            by: row.by,
            member: row.member,
            patient: row.patient,
        })
    }
}

/// Writes a breach down.
///
/// # Errors
/// [`StoreError::Refused`] where nobody of the staff is at work; [`StoreError::NotFound`] when it is narrowed to somebody who is not of
/// the clinic; the store's own.
pub async fn open(tx: &Tx, new: &New, now: Timestamp) -> Result<Uuid, StoreError> {
    let by = tx.staff().ok_or_else(|| StoreError::Refused("Only the staff keep this register.".to_owned()))?;
    let id = Uuid::now_v7();
    let New { noticed_at, reach, what } = new;
    tx.run(
        "insert into breach (clinic_id, id, noticed_at, period_from, period_to, membership_id, patient_id, address, what, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            tx.clinic().0.into(),
            id.into(),
            from_instant(*noticed_at).into(),
            from_instant(reach.from).into(),
            from_instant(reach.to).into(),
            reach.member.map(|id| id.0).into(),
            reach.patient.map(|id| id.0).into(),
            reach.address.clone().into(),
            what.as_str().into(),
            by.0.into(),
            from_instant(now).into(),
        ],
    )
    .await
    .map_err(|error| match error {
        StoreError::Conflict { constraint } if constraint.ends_with("_fkey") => StoreError::NotFound,
        error => error,
    })?;
    tx.note(AuditAction::Wrote, AuditResource::Breach, None);
    Ok(id)
}

/// The register, newest first, at most `limit`; from after `before` on.
///
/// # Errors
/// The store's own.
pub async fn list(tx: &Tx, before: Option<Uuid>, limit: u32) -> Result<Vec<Breach>, StoreError> {
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "{SELECT} where b.clinic_id = $1 and ($2::uuid is null
                   or (b.noticed_at, b.id) < (select noticed_at, id from breach where clinic_id = $1 and id = $2))
                 order by b.noticed_at desc, b.id desc limit $3"
            ),
            [tx.clinic().0.into(), before.into(), i64::from(limit).into()],
        )
        .await?;
    rows.into_iter().map(Breach::try_from).collect()
}

/// One breach.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and for another clinic's alike.
pub async fn find(tx: &Tx, id: Uuid) -> Result<Breach, StoreError> {
    tx.one::<Row>(&format!("{SELECT} where b.clinic_id = $1 and b.id = $2"), [tx.clinic().0.into(), id.into()])
        .await?
        .ok_or(StoreError::NotFound)?
        .try_into()
}

/// What was written down about a breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which step it was.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// In which words.
    pub text: String,
}

/// What was written down about a breach, oldest first; at most the first five hundred.
///
/// # Errors
/// The store's own.
pub async fn notes(tx: &Tx, breach: Uuid) -> Result<Vec<Note>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        state: String,
        written_at: At,
        name: String,
        text: String,
    }
    let rows: Vec<Row> = tx
        .all(
            "select n.id, n.state, n.written_at, m.name, n.text from breach_note n
             join membership m on m.clinic_id = n.clinic_id and m.id = n.written_by
             where n.clinic_id = $1 and n.breach_id = $2 order by n.id limit 500",
            [tx.clinic().0.into(), breach.into()],
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, state, written_at, name, text }| {
            Ok(Note {
                step: Step::of_tag(&state).ok_or_else(|| StoreError::corrupt("breach_note", "state", id, &state))?,
                at: to_instant(written_at).ok_or_else(|| StoreError::corrupt("breach_note", "written_at", id, "out of range"))?,
                by: name,
                text,
            })
        })
        .collect()
}

/// Writes down what was done. A step that was done already stays dated as it was; the note is kept all the same.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id; [`StoreError::Refused`] where nobody of the staff is at work; the store's own.
pub async fn note(tx: &Tx, breach: Uuid, step: Step, text: &str, now: Timestamp) -> Result<(), StoreError> {
    let by = tx.staff().ok_or_else(|| StoreError::Refused("Only the staff keep this register.".to_owned()))?;
    let found = tx
        .run(
            "update breach set
               commissioner_told_at = case when $3 = 'commissioner_told' then coalesce(commissioner_told_at, $4) else commissioner_told_at end,
               people_told_at = case when $3 = 'people_told' then coalesce(people_told_at, $4) else people_told_at end,
               closed_at = case when $3 = 'closed' then coalesce(closed_at, $4) else closed_at end
             where clinic_id = $1 and id = $2",
            [tx.clinic().0.into(), breach.into(), step.tag().into(), from_instant(now).into()],
        )
        .await?;
    if found == 0 {
        return Err(StoreError::NotFound);
    }
    tx.run(
        "insert into breach_note (clinic_id, id, breach_id, written_by, written_at, state, text) values ($1, $2, $3, $4, $5, $6, $7)",
        [
            tx.clinic().0.into(),
            Uuid::now_v7().into(),
            breach.into(),
            by.0.into(),
            from_instant(now).into(),
            step.tag().into(),
            text.into(),
        ],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Breach, None);
    Ok(())
}

/// A patient whose record was opened, changed or taken away within a reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Who.
    pub patient: PatientId,
    /// The name.
    pub name: String,
    /// The address, if there is one.
    pub email: Option<Email>,
    /// How often the record was opened, changed or taken away.
    pub times: i64,
    /// Whether it was taken away as a file.
    pub exported: bool,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// The patients within a reach, by name, at most `limit`; those that come after the patient `after`.
///
/// # Errors
/// The store's own.
pub async fn affected(tx: &Tx, reach: &Reach, after: Option<PatientId>, limit: u32) -> Result<Vec<Affected>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        name: String,
        email: Option<String>,
        times: i64,
        exported: bool,
        first: At,
        last: At,
    }
    let mut values: Vec<Value> = vec![tx.clinic().0.into()];
    let conditions = reach.filter().conditions(&mut values);
    let mut beyond = String::new();
    if let Some(after) = after {
        values.push(after.0.into());
        beyond = format!(
            "where (lower(p.name), p.id) > (select lower(a.name), a.id from patient a where a.clinic_id = $1 and a.id = ${})",
            values.len()
        );
    }
    values.push(i64::from(limit).into());
    let rows: Vec<Row> = tx
        .all(
            &format!(
                "select p.id, p.name, p.email, t.times, t.exported, t.first, t.last
                 from (select e.clinic_id, e.patient_id, count(*) as times, bool_or(e.deed = 'exported') as exported, min(e.at) as first,
                         max(e.at) as last
                       from audit_entry e where {conditions} and e.patient_id is not null and e.deed in ('read', 'wrote', 'exported')
                       group by e.clinic_id, e.patient_id) t
                 join patient p on p.clinic_id = t.clinic_id and p.id = t.patient_id
                 {beyond} order by lower(p.name), p.id limit ${}",
                values.len()
            ),
            values,
        )
        .await?;
    rows.into_iter()
        .map(|Row { id, name, email, times, exported, first, last }| {
            let at = |at| to_instant(at).ok_or_else(|| StoreError::corrupt("audit_entry", "at", id, "out of range"));
            Ok(Affected {
                patient: PatientId(id),
                name,
                email: email.and_then(|email| Email::parse(&email).ok()),
                times,
                exported,
                first: at(first)?,
                last: at(last)?,
            })
        })
        .collect()
}

/// How many patients and pages a reach holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Extent {
    /// Patients whose record was opened, changed or taken away.
    pub patients: i64,
    /// Times that a page was opened which shows many patients at once: the caseload, the mail.
    pub lists: i64,
}

/// How far a reach goes.
///
/// # Errors
/// The store's own.
pub async fn extent(tx: &Tx, reach: &Reach) -> Result<Extent, StoreError> {
    let mut values: Vec<Value> = vec![tx.clinic().0.into()];
    let conditions = reach.filter().conditions(&mut values);
    let extent: Option<Extent> = tx
        .one(
            &format!(
                "select count(distinct e.patient_id) as patients,
                   count(*) filter (where e.patient_id is null and e.subject in ('caseload', 'notices')) as lists
                 from audit_entry e where {conditions} and e.deed in ('read', 'wrote', 'exported')"
            ),
            values,
        )
        .await?;
    Ok(extent.unwrap_or(Extent { patients: 0, lists: 0 }))
}
