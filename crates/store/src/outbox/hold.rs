//! Holding mail back after a restore. A backup is older than what was sent since, so a restored queue would send again what people have
//! already; the operator holds mail before the first worker starts, looks, and releases it. Reminders are released together. Account mail
//! that was queued at the backup waits until it is decided upon; what is asked for after the restore cannot have been sent before, and goes.

use jiff::Timestamp;
use sea_orm::FromQueryResult;

use super::{reap, recall::recall_all};
use crate::{
    StoreError, Tx,
    convert::{At, from_instant, to_instant},
    reminder,
};

/// Rules planned at a time while releasing.
const AT_A_TIME: u32 = 500;

/// What holding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Since when mail is held.
    pub since: Timestamp,
    /// Mails that are on their way in this moment and may still arrive.
    pub on_their_way: u64,
}

/// Holds reminders back from now on, and account mail that was queued before, what a worker has claimed included. Asking again changes
/// nothing.
///
/// # Errors
/// The store's own.
pub async fn hold(tx: &Tx, now: Timestamp) -> Result<Held, StoreError> {
    // Before any notice, as refusals are judged.
    tx.run(
        "update mail_sender set held_since = $1, account_mail_held_since = $1 where held_since is null",
        [from_instant(now).into()],
    )
    .await?;
    // Waits for every claim that is being made and keeps others from beginning: none may miss that mail is held.
    tx.run("lock table notice in share row exclusive mode", []).await?;
    recall_all(tx).await?;
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let row: Option<Row> = tx.one("select count(*) as count from notice where state = 'sending'", []).await?;
    let on_their_way = row.and_then(|row| u64::try_from(row.count).ok()).unwrap_or_default();
    Ok(Held { since: held(tx).await?.unwrap_or(now), on_their_way })
}

/// Since when reminders are held back, if they are.
///
/// # Errors
/// The store's own.
pub async fn held(tx: &Tx) -> Result<Option<Timestamp>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        held_since: Option<At>,
    }
    let row: Option<Row> = tx.one("select held_since from mail_sender", []).await?;
    Ok(row.and_then(|row| row.held_since).and_then(to_instant))
}

/// What releasing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Since when reminders were held.
    pub since: Timestamp,
    /// Reminders that fell due up to now and are skipped as expired: they may have been sent after the backup was made.
    pub expired: u64,
    /// Reminders that were being sent when the backup was made: nobody knows whether they arrived.
    pub unknown: u64,
}

/// Lets reminders go out again, those that fall due from now on. Whatever fell due before is skipped as expired: the backup cannot know
/// what was sent after it was made, and a reminder too many is what must not happen. Account mail that was queued before goes on waiting
/// ([`decide`]). `None`, and nothing changes, when reminders were not held.
///
/// # Errors
/// The store's own; nothing is changed then.
pub async fn release(tx: &Tx, now: Timestamp) -> Result<Option<Released>, StoreError> {
    // Before any notice, as refusals are judged.
    tx.run("select from mail_sender for update", []).await?;
    let Some(since) = held(tx).await? else { return Ok(None) };
    // Waits for planning that is under way in some worker and keeps others from beginning, or what they are planning now would be
    // queued behind this transaction's back.
    tx.run("lock table reminder_rule in exclusive mode", []).await?;
    // What has come due and was not planned yet becomes a notice too, so that people see what became of each. Before any notice is touched:
    // new ones hold a share of their patients, and records are locked before notices.
    while reminder::plan(tx, AT_A_TIME, now).await?.rules > 0 {}
    let unknown = reap(tx, now).await?.unknown;
    let expired = tx
        .run(
            "with due as (
               select clinic_id, id from notice where kind = 'session_reminder' and state in ('pending', 'claimed') and due_at <= $1
               order by clinic_id, id for update)
             update notice n set state = 'skipped', reason = 'expired', settled_at = $1, token = null, lease_until = null
             from due where n.clinic_id = due.clinic_id and n.id = due.id",
            [from_instant(now).into()],
        )
        .await?;
    tx.run("update mail_sender set held_since = null", []).await?;
    Ok(Some(Released { since, expired, unknown }))
}

/// What becomes of account mail that was queued when the backup was made, and may have been sent since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It goes out, though it may be for the second time.
    Send,
    /// It is left out.
    LeaveOut,
}

/// Account mail that waits to be decided upon.
pub(crate) const WAITING: &str = "kind <> 'session_reminder' and state in ('pending', 'claimed')
   and coalesce(resent_at, created_at) < (select account_mail_held_since from mail_sender)";

/// How many account mails wait to be decided upon, of all clinics.
///
/// # Errors
/// The store's own.
pub async fn waiting(tx: &Tx) -> Result<i64, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let row: Option<Row> = tx.one(&format!("select count(*) as count from notice where {WAITING}"), []).await?;
    Ok(row.map_or(0, |row| row.count))
}

/// Decides upon all account mail that waits, of all clinics. Says how many there were.
///
/// # Errors
/// The store's own.
pub async fn decide(tx: &Tx, choice: Choice, now: Timestamp) -> Result<u64, StoreError> {
    // What was on its way when the backup was made waits as well.
    reap(tx, now).await?;
    let change = match choice {
        Choice::Send => "state = 'pending', resent_at = $1, next_at = $1",
        Choice::LeaveOut => "state = 'skipped', reason = 'left_out', settled_at = $1",
    };
    tx.run(&format!("update notice set {change}, token = null, lease_until = null where {WAITING}"), [from_instant(now).into()])
        .await
}
