//! Planning: what has come due becomes notices.

use domain::person::zone_database;
use jiff::Timestamp;
use store::{Store, StoreError, reminder};

/// Rules taken at a time: enough to make the round trips cheap, few enough to hold no lock for long.
const AT_A_TIME: u32 = 2_000;

/// Queues every reminder that has come due by `now`; how many were queued. Any number of workers may do so at once. Nothing is planned
/// while the operator holds reminders back.
///
/// # Errors
/// The store's own; what was queued before stays queued.
pub async fn plan(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let tx = store.begin_worker().await?;
    let gate = reminder::gate(&tx).await?;
    tx.commit().await?;
    if gate.held {
        return Ok(0);
    }
    if gate.outdated {
        refresh(store, now).await?;
    }
    let (queued, more) = step(store, now).await?;
    if !more {
        return Ok(queued);
    }
    // While the database writes for one, the other works out the next instants; they never wait for each other's rules.
    let (one, other) = tokio::try_join!(rest(store, now), rest(store, now))?;
    Ok(queued + one + other)
}

async fn rest(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut queued = 0;
    loop {
        let (count, more) = step(store, now).await?;
        queued += count;
        if !more {
            return Ok(queued);
        }
    }
}

/// How many were queued, and whether there may be more.
async fn step(store: &Store, now: Timestamp) -> Result<(u64, bool), StoreError> {
    let tx = store.begin_worker().await?;
    let planned = reminder::plan(&tx, AT_A_TIME, now).await?;
    tx.commit().await?;
    Ok((planned.queued, planned.rules >= AT_A_TIME as usize))
}

/// Works out every future instant anew, a bounded number of rules at a time, when the program carries newer zones than it did.
async fn refresh(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    tracing::info!(zones = zone_database(), "the zone database is new: the reminders' instants are worked out anew");
    let mut from = None;
    loop {
        let tx = store.begin_worker().await?;
        from = reminder::refresh_zones(&tx, from, AT_A_TIME, now).await?;
        tx.commit().await?;
        if from.is_none() {
            return Ok(());
        }
    }
}
