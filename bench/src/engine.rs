//! The engine under measurement: the worker's own delivery, with the parts, the pool and the log lines it has in production.

use std::{sync::Arc, time::Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use render::{Templates, links::Links};
use serde_json::json;
use store::Store;
use worker::{Composer, Engine, Mailer, Target, TickReport};

use crate::process;

/// What to work on.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(long)]
    pub database: String,
    #[arg(long)]
    pub server: String,
    /// What time it is
    #[arg(long)]
    pub now: Timestamp,
}

/// The worker's composer, with links of a clinic's usual length.
pub fn composer() -> Result<Composer> {
    let links = Links::new("https://app.riverside-physio.example", &[7; 32])?;
    Ok(Composer::new(Templates::load()?, links, "Riverside Physio <reminders@clinic.test>")?)
}

/// Sends what is queued.
pub async fn run(wanted: &Arguments) -> Result<()> {
    // The log is written as in production, to nobody.
    tracing_subscriber::fmt().with_env_filter("info,sqlx=warn").with_writer(std::io::sink).with_target(false).init();
    let store = Store::connect(&wanted.database).await?;
    let mailer = Mailer::new(Target::parse(&format!("smtp://{}", wanted.server))?);
    let engine = Arc::new(Engine::new(store.clone(), mailer, composer()?));
    let mut report = TickReport::default();
    let started = Instant::now();
    worker::deliver::deliver(&engine, wanted.now, &mut report).await?;
    let seconds = started.elapsed().as_secs_f64();
    store.close().await;
    if let Some(why) = report.paused {
        bail!("the engine paused: {why}");
    }
    process::say(&json!({
        "mails": report.sent,
        "seconds": seconds,
        "others": report.retried + report.dead + report.unknown + report.returned + report.skipped.len() as u64,
    }))
}
