//! Holding reminders back after a restore. A backup is older than what was sent since, so a restored queue would remind people of what
//! they were reminded of already; the operator holds reminders before the first worker starts, looks, and releases them.

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
    /// Since when reminders are held.
    pub since: Timestamp,
    /// Reminders that are on their way in this moment and may still arrive.
    pub on_their_way: u64,
}

/// Holds reminders back from now on, those that a worker has claimed included; other mail goes on. Asking again changes nothing.
///
/// # Errors
/// The store's own.
pub async fn hold(tx: &Tx, now: Timestamp) -> Result<Held, StoreError> {
    // Waits for every claim that is being made and keeps others from beginning: none may miss that reminders are held.
    tx.run("lock table notice in share row exclusive mode", []).await?;
    tx.run("update mail_sender set held_since = $1 where held_since is null", [from_instant(now).into()]).await?;
    recall_all(tx).await?;
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let row: Option<Row> =
        tx.one("select count(*) as count from notice where state = 'sending' and kind = 'session_reminder'", []).await?;
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
/// what was sent after it was made, and a reminder too many is what must not happen. Account notices stay queued; a repeat of one is
/// harmless. `None`, and nothing changes, when reminders were not held.
///
/// # Errors
/// The store's own; nothing is changed then.
pub async fn release(tx: &Tx, now: Timestamp) -> Result<Option<Released>, StoreError> {
    let Some(since) = held(tx).await? else { return Ok(None) };
    // Waits for planning that is under way in some worker and keeps others from beginning, or what they are planning now would be
    // queued behind this transaction's back.
    tx.run("lock table reminder_rule in exclusive mode", []).await?;
    let unknown = reap(tx, now).await?.unknown;
    // What has come due and was not planned yet becomes a notice too, so that people see what became of each.
    while reminder::plan(tx, AT_A_TIME, now).await?.rules > 0 {}
    let expired = tx
        .run(
            "update notice set state = 'skipped', reason = 'expired', settled_at = $1, token = null, lease_until = null
             where kind = 'session_reminder' and state in ('pending', 'claimed') and due_at <= $1",
            [from_instant(now).into()],
        )
        .await?;
    tx.run("update mail_sender set held_since = null", []).await?;
    Ok(Some(Released { since, expired, unknown }))
}
