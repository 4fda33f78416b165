//! Taking notices from the queue, each for one worker and for a limited time.

use domain::{
    ids::{AccountId, ClinicId, MembershipId, NoticeId, PatientId, ProgramId},
    person::Email,
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::{Kind, LEASE};
use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_date, to_instant, to_time},
};

/// One claim of one notice. A notice may be claimed again when a lease ended; only the token tells those claims apart, so what is asked
/// and answered about a claim always names all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// The clinic that owes the notice.
    pub clinic: ClinicId,
    /// The notice.
    pub notice: NoticeId,
    /// Made anew by each claim.
    pub token: Uuid,
}

/// A claim as the statements that compare it return it.
#[derive(FromQueryResult)]
pub(super) struct ClaimRow {
    clinic_id: Uuid,
    id: Uuid,
    token: Uuid,
}

impl From<ClaimRow> for Claim {
    fn from(ClaimRow { clinic_id, id, token }: ClaimRow) -> Self {
        Self { clinic: ClinicId(clinic_id), notice: NoticeId(id), token }
    }
}

/// A notice that a worker holds until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The clinic that owes it.
    pub clinic: ClinicId,
    /// Its id, from which the mail's Message-ID follows.
    pub id: NoticeId,
    /// Proves that it is still this worker's.
    pub token: Uuid,
    /// What it is.
    pub kind: Kind,
    /// The patient it is for or about.
    pub patient: Option<PatientId>,
    /// The member of staff it is for.
    pub membership: Option<MembershipId>,
    /// The account it is for.
    pub account: Option<AccountId>,
    /// The program it tells about.
    pub program: Option<ProgramId>,
    /// The address it goes to.
    pub recipient: Email,
    /// For reminders: the patient's civil date and time.
    pub civil: Option<(Date, Time)>,
    /// When it was due.
    pub due_at: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When somebody last asked for another attempt, if anybody did.
    pub resent_at: Option<Timestamp>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

#[derive(FromQueryResult)]
struct Row {
    clinic_id: Uuid,
    id: Uuid,
    token: Uuid,
    kind: String,
    patient_id: Option<Uuid>,
    membership_id: Option<Uuid>,
    account_id: Option<Uuid>,
    program_id: Option<Uuid>,
    recipient: String,
    civil_date: Option<time::Date>,
    civil_time: Option<time::Time>,
    due_at: At,
    created_at: At,
    resent_at: Option<At>,
    attempts: i32,
}

impl Claimed {
    /// The claim by which it is held.
    pub fn claim(&self) -> Claim {
        Claim { clinic: self.clinic, notice: self.id, token: self.token }
    }

    /// The mail domain it goes to, lower-case.
    pub fn domain(&self) -> &str {
        self.recipient.as_str().rsplit('@').next().unwrap_or_default()
    }
}

impl TryFrom<Row> for Claimed {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let Row {
            clinic_id,
            id,
            token,
            kind,
            patient_id,
            membership_id,
            account_id,
            program_id,
            recipient,
            civil_date,
            civil_time,
            due_at,
            created_at,
            resent_at,
            attempts,
        } = row;
        let instant =
            |column: &'static str, at| to_instant(at).ok_or_else(|| StoreError::corrupt("notice", column, id, "out of range"));
        Ok(Self {
            clinic: ClinicId(clinic_id),
            id: NoticeId(id),
            token,
            kind: Kind::ALL
                .into_iter()
                .find(|known| known.tag() == kind)
                .ok_or_else(|| StoreError::corrupt("notice", "kind", id, format!("{kind} is not a kind this program sends")))?,
            patient: patient_id.map(PatientId),
            membership: membership_id.map(MembershipId),
            account: account_id.map(AccountId),
            program: program_id.map(ProgramId),
            recipient: Email::parse(&recipient).map_err(|why| StoreError::corrupt("notice", "recipient", id, why))?,
            civil: civil_date.and_then(to_date).zip(civil_time.map(to_time)),
            due_at: instant("due_at", due_at)?,
            created_at: instant("created_at", created_at)?,
            resent_at: resent_at.and_then(to_instant),
            attempt: u32::try_from(attempts).unwrap_or_default(),
        })
    }
}

/// Claims up to `limit` notices whose time has come by `now`, oldest first, leaving alone what other workers are claiming and what would
/// go to one of the `busy` mail domains. After a restore reminders are left alone until they are released, and account mail that was queued
/// before until it is decided upon ([`super::hold`]). The claim holds when the transaction is committed, for [`LEASE`] by the database's
/// clock.
///
/// A patient's mail goes to the address that the record has now, whichever it had when the notice was queued.
///
/// # Errors
/// The store's own. A row that cannot be read is set aside as dead, so that it stops nobody else's mail.
pub async fn claim(tx: &Tx, limit: u32, busy: &[String], now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
    let rows: Vec<Row> = tx
        .all(
            "update notice n set state = 'claimed', token = gen_random_uuid(), attempts = attempts + 1,
               lease_until = clock_timestamp() + make_interval(secs => $2),
               recipient = coalesce((select p.email from patient p where p.clinic_id = n.clinic_id and p.id = n.patient_id), n.recipient)
             from (select clinic_id, id from notice where state = 'pending' and next_at <= $1 and domain <> all ($4)
                     and case when kind = 'session_reminder' then (select held_since from mail_sender) is null
                       else coalesce(resent_at, created_at) >= coalesce((select account_mail_held_since from mail_sender), '-infinity') end
                   order by next_at, id limit $3 for update skip locked) as due
             where n.clinic_id = due.clinic_id and n.id = due.id
             returning n.clinic_id, n.id, n.token, n.kind, n.patient_id, n.membership_id, n.account_id, n.program_id, n.recipient,
               n.civil_date, n.civil_time, n.due_at, n.created_at, n.resent_at, n.attempts",
            [from_instant(now).into(), LEASE.as_secs_f64().into(), i64::from(limit).into(), busy.to_vec().into()],
        )
        .await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let (clinic, id) = (row.clinic_id, row.id);
        match Claimed::try_from(row) {
            Ok(notice) => claimed.push(notice),
            Err(why) => {
                tracing::error!(notice = %id, %why, "a notice cannot be read and is set aside");
                tx.run(
                    "update notice set state = 'dead', reply = $3, settled_at = $4, token = null, lease_until = null
                     where clinic_id = $1 and id = $2",
                    [clinic.into(), id.into(), why.to_string().into(), from_instant(now).into()],
                )
                .await?;
            }
        }
    }
    // The update returns rows in no particular order.
    claimed.sort_by_key(|notice| (notice.due_at, notice.id));
    Ok(claimed)
}
