//! Writing a mail, alone: templates, links, MIME.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use store::{Store, outbox};

use crate::{
    engine::{Arguments, composer},
    process,
};

/// Claims some notices and writes their mails over and over on one thread.
pub async fn run(wanted: &Arguments) -> Result<()> {
    let store = Store::connect(&wanted.database).await?;
    let now = wanted.now;
    let tx = store.begin_worker().await?;
    let notices = outbox::claim(&tx, 200, &[], now).await?;
    let facts = outbox::facts::read(&tx, &notices).await?;
    tx.commit().await?;
    ensure!(!notices.is_empty(), "nothing is queued");
    let composer = composer()?;
    let (started, mut mails, mut bytes) = (Instant::now(), 0_u64, 0_usize);
    while started.elapsed() < Duration::from_secs(2) {
        for notice in &notices {
            bytes += composer.compose(notice, &facts, None, now).await?.content.len();
            mails += 1;
        }
    }
    store.close().await;
    process::say(&json!({ "mails": mails, "seconds": started.elapsed().as_secs_f64(), "bytes": bytes as u64 / mails }))
}
