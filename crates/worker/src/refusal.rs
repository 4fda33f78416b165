//! Recording that the server refused a mail for good: what follows from it is judged by the store, with all workers' mail in view.

use jiff::Timestamp;
use store::{
    StoreError,
    outbox::{
        Claimed, Settlement,
        suppression::{self, Distrust, Refusal, Refused},
    },
};

use crate::{Engine, clock::Clock, ledger::Tries};

/// Records a refusal, for as long as any result is tried to be recorded while the database is away, and pauses the sender when the server
/// is not believed. Gives what became of the notice, as any other settlement, and whether it was still ours.
pub(crate) async fn settle(engine: &Engine, notice: &Claimed, refusal: Refusal, clock: &Clock) -> (Settlement, bool) {
    let (phase, reply) = (refusal.phase, refusal.reply.clone());
    let dead = Settlement::Dead { phase, reply: reply.clone(), suppress: false };
    let mut tries = Tries::begin();
    let mut unconfirmed = false;
    let refused = loop {
        match record(engine, notice, &refusal, clock.now()).await {
            Ok(refused) => break refused,
            Err(error) => {
                unconfirmed |= matches!(error, StoreError::Unconfirmed(_));
                if error.is_away() {
                    tracing::warn!(notice = %notice.id, %error, "a refusal could not be recorded yet");
                    if tries.again().await {
                        continue;
                    }
                }
                tracing::error!(notice = %notice.id, %error, "a refusal could not be recorded");
                break Refused::NotOurs;
            }
        }
    };
    // An earlier try may have recorded it, and what it concluded from it was not heard.
    if unconfirmed
        && refused == Refused::NotOurs
        && let Err(error) = engine.compare_pause(clock.now()).await
    {
        tracing::warn!(%error, "whether sending has to pause is looked up in the next round");
    }
    let (settlement, ours, distrust) = match refused {
        Refused::NotOurs => (dead, false, None),
        Refused::Again { at, distrust } => (Settlement::Retry { at, phase, reply }, true, distrust),
        Refused::Dead { distrust } => (dead, true, distrust),
    };
    if let Some(Distrust { since, reason }) = distrust {
        engine.distrust(since, &reason, clock.now());
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
