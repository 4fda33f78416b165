//! The worker: plans and delivers side by side until the program is told to stop.

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use store::{
    StoreError,
    outbox::{self, Reaped},
};
use tokio::time::timeout;

use crate::{Engine, Stage, clock::Clock, deliver::deliver_until_stopped, telemetry, tick::look_after, working::Loop};

/// How long what is in flight may take after the program was told to stop; what is not over by then is cut.
const DRAIN: Duration = Duration::from_secs(24);
/// How long writing down what was cut may take after that.
const WRITE_DOWN: Duration = Duration::from_secs(5);

/// Plans every `every` by the clock given, and delivers as things come due, until `shutdown` is ready; then nothing more is begun, and
/// what is in flight is over within 30 seconds: what the mail server has not answered by then is written down as such. A database or a
/// mail server that is away ends nothing: the next look tries again.
///
/// Planning does not wait for delivering: a mail server that takes its time delays nobody's reminder from being seen as due.
pub async fn run(
    engine: Arc<Engine>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    every: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let clock = Clock::running(clock);
    let planning = tokio::spawn(plan_until_stopped(engine.clone(), clock.clone(), every));
    let mut delivering = tokio::spawn(deliver_until_stopped(engine.clone(), clock, every));
    shutdown.await;
    engine.stage.send_replace(Stage::Stopping);
    if timeout(DRAIN, &mut delivering).await.is_err() {
        engine.stage.send_replace(Stage::OutOfTime);
        if timeout(WRITE_DOWN, &mut delivering).await.is_err() {
            tracing::error!("what became of the mails in flight could not be written down; it will be found out later");
        }
    }
    // It only waits for its next turn, or for one short statement.
    if timeout(WRITE_DOWN, planning).await.is_err() {
        tracing::error!("planning did not come to its end");
    }
}

async fn plan_until_stopped(engine: Arc<Engine>, clock: Clock, every: Duration) {
    while !engine.stopping() {
        let looked = look(engine.clone(), clock.clone()).await;
        engine.working.tried(Loop::Planning, looked.as_ref().map(|_| ()), clock.now());
        if looked.is_ok_and(|(planned, reaped)| planned + reaped.returned > 0) {
            engine.poked.notify_one();
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = engine.stopped() => {}
        }
    }
}

/// Counts the queue and looks after it, in a task of its own: a panic is an error of this look and does not end planning.
async fn look(engine: Arc<Engine>, clock: Clock) -> Result<(u64, Reaped), StoreError> {
    let looked = tokio::spawn(async move {
        count_queue(&engine).await;
        look_after(&engine, clock.now()).await
    });
    looked.await.unwrap_or_else(|error| Err(StoreError::Other(format!("a look ended early: {error}"))))
}

/// Tells how long the queue is, for whoever watches.
async fn count_queue(engine: &Engine) {
    let counted = async {
        let tx = engine.store.begin_worker().await?;
        let queue = outbox::queue(&tx).await?;
        tx.commit().await.map(|()| queue)
    };
    if let Ok(queue) = counted.await {
        let [pending, claimed, sending] =
            [queue.pending, queue.claimed, queue.sending].map(|count: i64| u64::try_from(count).unwrap_or_default());
        telemetry::queue(pending, claimed, sending);
    }
}
