//! Recording that the server refused a mail for good: what follows from it is judged by the store, with all workers' mail in view.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use store::{
    StoreError,
    outbox::{
        Claimed, Settlement,
        suppression::{self, Refusal, Refused},
    },
};

use crate::{Engine, clock::Clock, telemetry};

/// For how long a refusal is tried to be recorded while the database is away. The mail did not go out, so its claim may run out instead.
const KEEP_TRYING: Duration = Duration::from_secs(60);
/// The wait between two tries.
const WAIT: Duration = Duration::from_secs(1);

/// Records a refusal, and pauses the sender when the server is not believed. Gives what became of the notice, as any other settlement,
/// and whether it was still ours.
pub(crate) async fn settle(engine: &Engine, notice: &Claimed, refusal: Refusal, clock: &Clock) -> (Settlement, bool) {
    let (phase, reply) = (refusal.phase, refusal.reply.clone());
    let dead = Settlement::Dead { phase, reply: reply.clone(), suppress: false };
    let began = Instant::now();
    let refused = loop {
        match record(engine, notice, &refusal, clock.now()).await {
            Ok(refused) => break refused,
            Err(StoreError::Unavailable(_)) if began.elapsed() < KEEP_TRYING => tokio::time::sleep(WAIT).await,
            Err(error) => {
                tracing::error!(%error, "a refusal could not be recorded; the mail comes back when its claim has run out");
                break Refused::NotOurs;
            }
        }
    };
    let (settlement, ours, distrust) = match refused {
        Refused::NotOurs => (dead, false, None),
        Refused::Again { at, distrust } => (Settlement::Retry { at, phase, reply }, true, distrust),
        Refused::Dead { distrust } => (dead, true, distrust),
    };
    if let Some(reason) = distrust {
        // It is written down for people already.
        engine.pause.distrust(clock.now(), &reason);
        telemetry::paused(true);
    }
    (settlement, ours)
}

/// One try at recording a refusal.
async fn record(engine: &Engine, notice: &Claimed, refusal: &Refusal, now: Timestamp) -> Result<Refused, StoreError> {
    let tx = engine.store.begin_worker().await?;
    let refused = suppression::refuse(&tx, notice, refusal, now).await?;
    tx.commit().await?;
    Ok(refused)
}

/// An address that was refused before has taken a mail. When this is not written down it is found out by the next one.
pub(crate) async fn lift(engine: &Engine, notice: &Claimed) {
    let lifted = async {
        let tx = engine.store.begin_worker().await?;
        suppression::lift(&tx, notice).await?;
        tx.commit().await
    };
    if let Err(error) = lifted.await {
        tracing::warn!(%error, "an address that takes mail again stays refused");
    }
}
