//! The queue of emails we owe. A notice is queued in the transaction of what it tells about, and handed over later by the worker.
//!
//! pending → claimed → sending → sent | dead | unknown; pending → skipped. A notice is claimed with a fresh token and a lease; every
//! later step names the token and is told of the token, so a worker whose lease was taken over changes nothing and sends nothing.
//! `sending` is committed before the mail's final dot: what dies after it may have been sent (unknown), what dies before it certainly was
//! not.
//!
//! Two clocks: what is *due* goes by the engine's, told as `now`; how long a *claim* lives goes by the database's, the one clock that all
//! workers share.
//!
//! Whatever can end a mail or send it elsewhere takes the claims back in its own transaction (`recall`), so a claim that still
//! holds proves that nothing has changed since it was made.
//!
//! Intents and settlements are written many at a time, each group in one statement: what is promised is that a mail's own intent is
//! committed before its dot, not that it is committed alone.
//!
//! To add a kind of mail: a [`Kind`], an [`Owed`] variant if web code queues it, its arm in the worker's `compose`, its template.

mod claim;
pub mod facts;
pub mod hold;
mod recall;
mod settle;
pub mod suppression;

use std::{fmt, time::Duration};

use domain::{
    ids::{AccountId, ClinicId, MembershipId, NoticeId, PatientId, ProgramId, ReplyId},
    person::Email,
};
use jiff::{SignedDuration, Timestamp};

use crate::{StoreError, Tx, convert::from_instant};
pub use claim::{Claim, Claimed, claim};
pub use recall::{Mails, on_their_way};
pub(crate) use recall::{end_resets, recall, recall_clinic, recall_closing};
pub use settle::{Intent, Queue, Reaped, SendPermit, Settlement, intend, note_pause, queue, reap, settle};

/// For how long a claimed notice is left to the worker that claimed it, by the database's clock.
pub const LEASE: Duration = Duration::from_secs(2 * 60);

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
    /// Tells a patient that what they wrote was answered, and not what.
    Answer,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Invitation, Self::PasswordReset, Self::ProgramAssigned, Self::SessionReminder, Self::Test, Self::Answer];

    /// As the schema spells it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
            Self::ProgramAssigned => "program_assigned",
            Self::SessionReminder => "session_reminder",
            Self::Test => "test",
            Self::Answer => "answer",
        }
    }

    /// Whether a mail of this kind may be repeated when nobody knows if it arrived. Account notices may (a repeat is harmless, a
    /// loss is not), a reminder never, nor that there is an answer: a second one would read like a second answer.
    pub fn may_repeat(self) -> bool {
        !matches!(self, Self::SessionReminder | Self::Answer)
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
    /// Tell a patient of answers that wait; the oldest of them that no mail has told of ([`crate::reply::to_tell`]).
    Answer(PatientId, ReplyId),
}

/// Queues a mail in the caller's transaction ([`crate::Store::begin`] or [`crate::Store::begin_sign_in`]): it is owed exactly when what it
/// tells about is committed. A second request for the same within a minute is the same mail; a program is announced once, and so is an answer. Says
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
        Owed::Answer(patient, id) => (Kind::Answer, Some(patient.0), None, None, None, format!("answer:{id}")),
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

/// Queues a link to a new password for the account with this address, if there is one that has a password and a place to use it in, and
/// if it `may` be sent. One and the same statement whether or not: how long it takes tells nobody who has an account. Runs in
/// [`crate::Store::begin_sign_in`].
///
/// # Errors
/// The store's own.
pub async fn enqueue_reset(tx: &Tx, recipient: &Email, may: bool, now: Timestamp) -> Result<(), StoreError> {
    tx.run(
        "insert into notice (clinic_id, id, kind, account_id, recipient, dedupe_key, due_at, next_at, created_at)
         select place.clinic_id, $2, $3, a.id, a.email, $3 || ':' || a.id || ':' || $4, $5, $5, $5
         from account a cross join lateral (
           select m.clinic_id, 0 as rank from membership m
           where m.account_id = a.id and m.joined_at is not null and m.disabled_at is null
           union all select p.clinic_id, 1 from patient p where p.account_id = a.id
           order by rank, clinic_id limit 1) place
         where a.email = $1 and a.password_hash is not null and $6
         on conflict (dedupe_key) do nothing",
        [
            recipient.as_str().into(),
            NoticeId::new().0.into(),
            Kind::PasswordReset.tag().into(),
            (now.as_second() / ONE_CLICK.as_secs()).to_string().into(),
            from_instant(now).into(),
            may.into(),
        ],
    )
    .await?;
    Ok(())
}
