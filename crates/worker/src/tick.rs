//! One round of everything: take up what was left behind, plan, deliver.

use std::sync::Arc;

use domain::reminder::NoticeSkip;
use jiff::Timestamp;
use store::{
    StoreError,
    outbox::{self, Kind, Reaped, Settlement},
};

use crate::{Engine, deliver::deliver, plan::plan, telemetry};

/// What a tick did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickReport {
    /// Reminders that came due and were queued.
    pub planned: u64,
    /// What other workers had left behind.
    pub reaped: Reaped,
    /// Mails the server accepted.
    pub sent: u64,
    /// Mails to be tried again later.
    pub retried: u64,
    /// Mails that will never go out.
    pub dead: u64,
    /// Mails nobody knows about.
    pub unknown: u64,
    /// Reminders not wanted any more, each with its reason.
    pub skipped: Vec<NoticeSkip>,
    /// Notices given back untouched.
    pub returned: u64,
    /// Why the sender is paused, if it is.
    pub paused: Option<String>,
}

impl TickReport {
    pub(crate) fn count(&mut self, settlement: &Settlement) {
        match settlement {
            Settlement::Sent { .. } => self.sent += 1,
            Settlement::Retry { .. } | Settlement::Refused(_) => self.retried += 1,
            Settlement::Dead { .. } => self.dead += 1,
            Settlement::Unknown { .. } => self.unknown += 1,
            Settlement::Skipped(why) => self.skipped.push(*why),
            Settlement::Returned { .. } => self.returned += 1,
        }
    }
}

/// One round at `now`. Afterwards nothing that was due and could be sent is left over.
///
/// # Errors
/// The store's own; whatever was done before stays done, and the next tick takes up the rest.
pub async fn tick(engine: &Arc<Engine>, now: Timestamp) -> Result<TickReport, StoreError> {
    let (planned, reaped) = look_after(engine, now).await?;
    let mut report = TickReport { planned, reaped, ..TickReport::default() };
    deliver(engine, now, &mut report).await?;
    Ok(report)
}

/// Looks whether sending is paused, takes up what workers left behind, and plans what has come due: how many reminders were queued, and
/// what was taken up.
pub(crate) async fn look_after(engine: &Engine, now: Timestamp) -> Result<(u64, Reaped), StoreError> {
    engine.compare_pause(now).await?;
    let tx = engine.store.begin_worker().await?;
    let reaped = outbox::reap(&tx, now).await?;
    tx.commit().await?;
    if reaped.unknown > 0 {
        tracing::warn!(count = reaped.unknown, "reminders whose worker went away while sending: nobody knows whether they arrived");
    }
    for _ in 0..reaped.unknown {
        telemetry::unknown(Kind::SessionReminder);
    }
    let planned = plan(&engine.store, now).await?;
    telemetry::planned(planned);
    Ok((planned, reaped))
}
