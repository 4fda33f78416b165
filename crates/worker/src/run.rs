//! The loop: a tick every few seconds until the program is told to stop.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;

use crate::{Engine, tick::tick};

/// How long what is in flight may take after the program was told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// Ticks every `every` by the clock given, until `shutdown` is ready; then nothing more is claimed, and what is in flight is finished
/// within 30 seconds. A database or a mail server that is away ends nothing: the next tick tries again.
pub async fn run(
    engine: Arc<Engine>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    every: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    loop {
        let now = clock();
        let ticking = engine.clone();
        // In a task of its own, so that being told to stop cannot cut it half-way.
        let mut round = tokio::spawn(async move {
            match tick(&ticking, now).await {
                Ok(report) => tracing::debug!(?report, "tick"),
                Err(error) => tracing::error!(%error, "this tick could not do its work; the next one will try again"),
            }
        });
        tokio::select! {
            done = &mut round => {
                if let Err(error) = done {
                    tracing::error!(%error, "a tick ended early");
                }
            }
            () = &mut shutdown => {
                engine.stopping.store(true, Ordering::Relaxed);
                if tokio::time::timeout(DRAIN, round).await.is_err() {
                    tracing::error!("mails were still in flight after {} s; what became of them will be found out later", DRAIN.as_secs());
                }
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut shutdown => return,
        }
    }
}
