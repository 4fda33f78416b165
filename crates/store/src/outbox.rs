//! The queue of emails we owe. A notice is queued in the transaction of what it tells about, and handed over later by the worker.
//!
//! pending → claimed → sending → sent | dead | unknown; pending → skipped. A notice is claimed with a fresh token and a lease; every
//! later step names the token, so a worker whose lease was taken over changes nothing. `sending` is committed before the mail's
//! final dot: what dies after it may have been sent (unknown), what dies before it certainly was not.
//!
//! To add a kind of mail: a [`Kind`], an [`Owed`] variant if web code queues it, its arm in the worker's `compose`, its template.

pub mod facts;

use std::fmt;

use domain::{
    ids::{AccountId, ClinicId, MembershipId, NoticeId, PatientId, ProgramId},
    person::Email,
    reminder::NoticeSkip,
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, Tx,
    convert::{from_instant, to_date, to_instant, to_time},
};

/// For how long a claimed notice is left to the worker that claimed it.
pub const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// A second request for the same mail within this time is taken for a second click.
const ONE_CLICK: SignedDuration = SignedDuration::from_mins(1);

/// The kinds of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Asks a patient or a member of staff to join.
    Invitation,
    /// Lets an account choose a new password.
    PasswordReset,
    /// Tells a patient of a new program.
    ProgramAssigned,
    /// Reminds a patient of a session that is still open.
    SessionReminder,
    /// Shows a patient, who asked for it, how reminders arrive.
    Test,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Invitation, Self::PasswordReset, Self::ProgramAssigned, Self::SessionReminder, Self::Test];

    /// As the schema spells it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
            Self::ProgramAssigned => "program_assigned",
            Self::SessionReminder => "session_reminder",
            Self::Test => "test",
        }
    }

    /// Whether a mail of this kind may be repeated when nobody knows if it arrived. Account notices may (a repeat is harmless, a
    /// loss is not), a reminder never.
    pub fn may_repeat(self) -> bool {
        self != Self::SessionReminder
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A mail that something just gave cause for. Reminders are queued by planning ([`crate::reminder::plan`]) and by nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    /// Invite a patient.
    PatientInvitation(PatientId),
    /// Invite a member of staff.
    StaffInvitation(MembershipId),
    /// Send an account a link to a new password.
    PasswordReset(AccountId),
    /// Tell a patient of a program.
    ProgramAssigned(PatientId, ProgramId),
    /// Show a patient how reminders arrive.
    Test(PatientId),
}

/// Queues a mail in the caller's transaction ([`crate::Store::tenant`] or [`crate::Store::signin`]): it is owed exactly when what it
/// tells about is committed. A second request for the same within a minute is the same mail; a program is announced once. Says
/// whether it was queued.
///
/// The link of an invitation or a reset is made by the worker when it writes the mail ([`crate::link::issue`]), so no token lies in
/// the queue.
///
/// # Errors
/// The store's own.
pub async fn enqueue(tx: &Tx, clinic: ClinicId, owed: Owed, recipient: &Email, now: Timestamp) -> Result<bool, StoreError> {
    let click = now.as_second() / ONE_CLICK.as_secs();
    let (kind, patient, membership, account, program, key) = match owed {
        Owed::PatientInvitation(id) => (Kind::Invitation, Some(id.0), None, None, None, format!("invitation:{id}:{click}")),
        Owed::StaffInvitation(id) => (Kind::Invitation, None, Some(id.0), None, None, format!("invitation:{id}:{click}")),
        Owed::PasswordReset(id) => (Kind::PasswordReset, None, None, Some(id.0), None, format!("password_reset:{id}:{click}")),
        Owed::ProgramAssigned(patient, id) => {
            (Kind::ProgramAssigned, Some(patient.0), None, None, Some(id.0), format!("program_assigned:{id}"))
        }
        Owed::Test(id) => (Kind::Test, Some(id.0), None, None, None, format!("test:{id}:{click}")),
    };
    let queued = tx
        .run(
            "insert into notice (clinic_id, id, kind, patient_id, membership_id, account_id, program_id, recipient, dedupe_key,
               due_at, next_at, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10) on conflict (dedupe_key) do nothing",
            [
                clinic.0.into(),
                NoticeId::new().0.into(),
                kind.tag().into(),
                patient.into(),
                membership.into(),
                account.into(),
                program.into(),
                recipient.as_str().into(),
                key.into(),
                from_instant(now).into(),
            ],
        )
        .await?;
    Ok(queued > 0)
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
    due_at: time::OffsetDateTime,
    created_at: time::OffsetDateTime,
    attempts: i32,
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
            attempt: u32::try_from(attempts).unwrap_or_default(),
        })
    }
}

/// Claims up to `limit` notices whose time has come, oldest first, leaving alone what other workers are claiming. The claim holds
/// when the transaction is committed.
///
/// # Errors
/// The store's own. A row that cannot be read is set aside as dead, so that it stops nobody else's mail.
pub async fn claim(tx: &Tx, limit: u32, now: Timestamp) -> Result<Vec<Claimed>, StoreError> {
    let rows: Vec<Row> = tx
        .all(
            "update notice n set state = 'claimed', token = gen_random_uuid(), lease_until = $2, attempts = attempts + 1
             from (select clinic_id, id from notice where state = 'pending' and next_at <= $1
                   order by next_at, id limit $3 for update skip locked) as due
             where n.clinic_id = due.clinic_id and n.id = due.id
             returning n.clinic_id, n.id, n.token, n.kind, n.patient_id, n.membership_id, n.account_id, n.program_id, n.recipient,
               n.civil_date, n.civil_time, n.due_at, n.created_at, n.attempts",
            [from_instant(now).into(), from_instant(now + LEASE).into(), i64::from(limit).into()],
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

/// Notes that the mail is about to go out. Only when this is committed and `true` may the final dot be sent; `false` says that the
/// notice is no longer this worker's.
///
/// # Errors
/// The store's own; the mail must not go out then.
pub async fn intend(tx: &Tx, notice: &Claimed, message_id: &str, now: Timestamp) -> Result<bool, StoreError> {
    let kept = tx
        .run(
            "update notice set state = 'sending', message_id = $4, lease_until = $6
             where clinic_id = $1 and id = $2 and token = $3 and state = 'claimed' and lease_until > $5",
            [
                notice.clinic.0.into(),
                notice.id.0.into(),
                notice.token.into(),
                message_id.into(),
                from_instant(now).into(),
                from_instant(now + LEASE).into(),
            ],
        )
        .await?;
    Ok(kept == 1)
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The server took the mail, in these words.
    Sent {
        /// The server's words.
        reply: String,
    },
    /// It certainly did not go out; try again at `at`.
    Retry {
        /// When.
        at: Timestamp,
        /// How far it came (see the worker's phases).
        phase: &'static str,
        /// What was said.
        reply: String,
    },
    /// It will never go out.
    Dead {
        /// How far it came.
        phase: &'static str,
        /// What was said.
        reply: String,
        /// Whether nothing more may be sent to this address by this clinic.
        suppress: bool,
    },
    /// It may or may not have gone out. Never resent by itself.
    Unknown {
        /// What happened instead of a reply.
        reply: String,
    },
    /// It is not wanted any more.
    Skipped(NoticeSkip),
    /// Given back untouched; does not count as an attempt.
    Returned {
        /// When to look again.
        at: Timestamp,
    },
}

/// Records how an attempt ended, with its attempt row, in one statement. Says whether the notice was still this worker's; if not,
/// nothing is recorded. An `unknown` that its own worker can answer after all becomes what the server said.
///
/// # Errors
/// The store's own.
pub async fn settle(tx: &Tx, notice: &Claimed, settlement: &Settlement, now: Timestamp) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let (state, reason, phase, reply, next) = match settlement {
        Settlement::Sent { reply } => ("sent", None, "dot", Some(reply), None),
        Settlement::Retry { at, phase, reply } => ("pending", None, *phase, Some(reply), Some(*at)),
        Settlement::Dead { phase, reply, .. } => ("dead", None, *phase, Some(reply), None),
        Settlement::Unknown { reply } => ("unknown", None, "dot", Some(reply), None),
        Settlement::Skipped(why) => ("skipped", Some(why.tag()), "", None, None),
        Settlement::Returned { at } => ("pending", None, "", None, Some(*at)),
    };
    let returned = matches!(settlement, Settlement::Returned { .. });
    let suppress = matches!(settlement, Settlement::Dead { suppress: true, .. });
    let settled = tx
        .one::<Count>(
            "with settled as (
               update notice set state = $4, reason = $5, reply = coalesce(left($6, 1000), reply), next_at = coalesce($7, next_at),
                 attempts = attempts - $8::int, settled_at = case when $4 = 'pending' then null else $9 end,
                 token = case when $4 = 'unknown' then token end, lease_until = null
               where clinic_id = $1 and id = $2 and token = $3 and state in ('claimed', 'sending', 'unknown')
               returning clinic_id, id, recipient),
             attempt as (
               insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply)
               select clinic_id, $10, id, $9, $11, case when $4 = 'pending' then 'retry' else $4 end, left($6, 1000)
               from settled where $11 <> ''),
             suppressed as (
               insert into suppression (clinic_id, email, scope, reason, created_at)
               select clinic_id, recipient, 'all', left($6, 500), $9 from settled where $12
               on conflict (clinic_id, email, scope) do nothing)
             select count(*) as count from settled",
            [
                notice.clinic.0.into(),
                notice.id.0.into(),
                notice.token.into(),
                state.into(),
                reason.into(),
                reply.cloned().into(),
                next.map(from_instant).into(),
                i32::from(returned).into(),
                from_instant(now).into(),
                Uuid::now_v7().into(),
                phase.into(),
                suppress.into(),
            ],
        )
        .await?;
    Ok(settled.is_some_and(|settled| settled.count == 1))
}

/// What [`reap`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Claims that ran out and are pending again: certainly not sent.
    pub returned: u64,
    /// Reminders whose worker went away after the intent: nobody knows whether they were sent.
    pub unknown: u64,
}

/// Takes up what workers left behind: an expired claim is pending again, an expired `sending` becomes unknown, or pending for the
/// kinds that may be repeated.
///
/// # Errors
/// The store's own.
pub async fn reap(tx: &Tx, now: Timestamp) -> Result<Reaped, StoreError> {
    let returned = tx
        .run(
            "update notice set state = 'pending', token = null, lease_until = null
             where lease_until <= $1 and (state = 'claimed' or (state = 'sending' and kind <> 'session_reminder'))",
            [from_instant(now).into()],
        )
        .await?;
    let unknown = tx
        .run(
            "update notice set state = 'unknown', lease_until = null, settled_at = $1,
               reply = 'the worker went away before the mail server''s reply'
             where lease_until <= $1 and state = 'sending'",
            [from_instant(now).into()],
        )
        .await?;
    Ok(Reaped { returned, unknown })
}
