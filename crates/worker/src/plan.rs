//! Planning: what has come due becomes notices.

use jiff::Timestamp;
use store::{Store, StoreError, reminder};

/// Rules taken at a time: enough to make the round trips cheap, few enough to hold no lock for long.
const AT_A_TIME: u32 = 500;

/// Queues every reminder that has come due by `now`; how many were queued. Any number of workers may do so at once.
///
/// # Errors
/// The store's own; what was queued before stays queued.
pub async fn plan(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut queued = 0;
    loop {
        let planned = store.worker(move |tx| async move { reminder::plan(&tx, AT_A_TIME, now).await }).await?;
        queued += planned.queued;
        // A rule that was overdue by days comes due again at once, so the last step is the one that finds nothing.
        if planned.rules == 0 {
            return Ok(queued);
        }
    }
}
