//! Another attempt of a notice that failed or that nobody knows about, at somebody's wish.

use domain::{
    ids::NoticeId,
    person::Email,
    reminder::{GRACE, next_due},
};
use jiff::Timestamp;

use super::list::{Notice, Row, SELECT, State};
use crate::{
    StoreError, Tx,
    audit::{AuditAction, AuditResource},
    convert::from_instant,
    outbox::Kind,
    reminder,
};

/// What came of the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resend {
    /// It is in the queue again, for this address.
    Queued(Email),
    /// It does not stand where it stood when the page was made: somebody was faster, or the engine was.
    Moved(Box<Notice>),
    /// A reminder whose time has passed by too much, or that a later one has replaced.
    TooLate,
    /// The person it is for has joined meanwhile.
    Joined,
    /// The invitation was withdrawn; nothing was changed.
    Withdrawn,
    /// The person has no address any more.
    NoAddress,
    /// Mail to the address came back, in these words, and nobody has confirmed that it was checked.
    CameBack(Email, String),
    /// The patient wants no reminders at that address.
    Unsubscribed,
}

/// One notice of the clinic.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and another clinic's alike; the store's own.
pub async fn find(tx: &Tx, id: NoticeId) -> Result<Notice, StoreError> {
    tx.one::<Row>(&format!("{SELECT} where n.clinic_id = $1 and n.id = $2"), [tx.clinic().0.into(), id.0.into()])
        .await?
        .ok_or(StoreError::NotFound)?
        .try_into()
}

/// Puts a dead or unknown notice back into the queue, for the person's present address: the patient's own, or `account`, which the
/// caller looked up for mail to staff. `seen` is how many attempts the page showed; whoever comes second finds more of them, or
/// another state, and changes nothing. `checked` says that somebody has checked an address from which mail came back; it is then
/// written to again.
///
/// # Errors
/// [`StoreError::NotFound`] for an unknown id and another clinic's alike; [`StoreError::Refused`] for anybody but the staff; the
/// store's own.
pub async fn resend(
    tx: &Tx,
    id: NoticeId,
    account: Option<Email>,
    seen: u32,
    checked: bool,
    now: Timestamp,
) -> Result<Resend, StoreError> {
    let by = tx.staff().ok_or_else(|| StoreError::Refused("Only the clinic's staff can send mail again.".to_owned()))?;
    // The address that is about to be read holds: whoever changes it waits for this, or this for them.
    tx.run(
        "select from patient where clinic_id = $1 and id = (select patient_id from notice where clinic_id = $1 and id = $2) for key share",
        [tx.clinic().0.into(), id.0.into()],
    )
    .await?;
    // The second of two waits here until the first has committed, and then reads what the first wrote.
    tx.run("select 1 from notice where clinic_id = $1 and id = $2 for update", [tx.clinic().0.into(), id.0.into()]).await?;
    let notice = find(tx, id).await?;
    if notice.withdrawn {
        return Ok(Resend::Withdrawn);
    }
    if !matches!(notice.state, State::Dead | State::Unknown) || notice.attempts != seen {
        return Ok(Resend::Moved(Box::new(notice)));
    }
    if notice.joined {
        return Ok(Resend::Joined);
    }
    let to = match (&notice.patient, account) {
        (Some(_), _) => notice.present.clone(),
        (None, Some(address)) => Some(address),
        (None, None) => Some(notice.recipient.clone()),
    };
    let Some(to) = to else { return Ok(Resend::NoAddress) };
    if notice.kind == Kind::SessionReminder {
        if too_late(tx, &notice, now).await? {
            return Ok(Resend::TooLate);
        }
        if notice.unsubscribed {
            return Ok(Resend::Unsubscribed);
        }
    }
    if let Some(words) = notice.blocked {
        if !checked {
            return Ok(Resend::CameBack(to, words));
        }
        tx.run(
            "delete from suppression where clinic_id = $1 and email = $2 and scope = 'all'",
            [tx.clinic().0.into(), to.as_str().into()],
        )
        .await?;
    }
    tx.run(
        "update notice set state = 'pending', recipient = $3, next_at = $4, token = null, lease_until = null, settled_at = null,
           resent_by = $5, resent_at = $4
         where clinic_id = $1 and id = $2",
        [tx.clinic().0.into(), id.0.into(), to.as_str().into(), from_instant(now).into(), by.0.into()],
    )
    .await?;
    tx.note(AuditAction::Wrote, AuditResource::Notices, notice.patient.as_ref().map(|(patient, ..)| *patient));
    Ok(Resend::Queued(to))
}

/// Whether the engine would find the reminder expired: what follows must be what it decides.
async fn too_late(tx: &Tx, notice: &Notice, now: Timestamp) -> Result<bool, StoreError> {
    if notice.superseded || now.duration_since(notice.due_at) > GRACE {
        return Ok(true);
    }
    let Some((patient, ..)) = &notice.patient else { return Ok(false) };
    let rule = reminder::rules_for(tx, *patient).await?.rule;
    Ok(next_due(&rule, notice.due_at).is_some_and(|next| next.at <= now))
}
