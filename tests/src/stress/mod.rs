//! The stress run: real workers, a real Postgres and a hostile mail server, and everything done to them that could make the engine
//! break its promise, chosen by a seed. In the end the mail server's own count is held against what the database says.

mod change;
mod crew;
mod deeds;
mod line;
pub mod seed;
mod verdict;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use rand::{SeedableRng as _, rngs::StdRng};
use testkit::smtp::{Server, Temper};

pub use verdict::Verdict;

use crate::{
    cluster::Cluster,
    process::Setup,
    stress::{crew::Crew, deeds::Deeds},
};

/// The database's name in the private server.
const DATABASE: &str = "stress";

/// How hard, and how it is drawn.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "stress",
    about = "Acts out the reminder engine's promise: kills, stops, restarts, clock steps, silent databases, changes during sending, a mail server that is hostile and refuses everybody for minutes"
)]
pub struct Settings {
    /// What is done, to whom and when is drawn from this number; so is what the mail server does
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Worker processes at once
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub workers: u32,
    /// Reminders that come due
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    pub due: u32,
    /// How often a worker is killed with kill -9
    #[arg(long, default_value_t = 100)]
    pub kills: u32,
    /// How many seconds the workers' clocks go on in one second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub speed: u32,
    /// The longest time to wait for the end, once nothing is killed any more and the mail server behaves, in seconds
    #[arg(long, default_value_t = 600)]
    pub calm: u64,
    /// Keep the workers' logs in this folder
    #[arg(long)]
    pub logs: Option<PathBuf>,
}

/// Acts it out.
///
/// # Errors
/// When something that is not the engine fails: no Postgres, no libfaketime, no memory.
pub async fn run(settings: &Settings) -> Result<Verdict> {
    let begun = Instant::now();
    let scratch = std::env::temp_dir().join(format!("homestretch-stress-{}", std::process::id()));
    let _cleared = Scratch(scratch.clone());
    let logs = settings.logs.clone().unwrap_or_else(|| scratch.join("logs"));
    let cluster = Cluster::start(&scratch.join("postgres")).await?;
    cluster.rows("postgres", &format!("create database {DATABASE}")).await?;

    let server = Arc::new(Server::counting_only().await.context("the hostile mail server does not start")?);
    let temper = Temper::hostile(settings.seed);
    server.temper(temper.clone());
    let setup = Setup::new(&logs, server.url()).await?;
    let crew = Arc::new(Crew::new(settings, cluster, setup).await?);
    // For as long as anybody is killed, something should be coming due: a kill and what is done beside it take about four seconds.
    let minutes = (settings.kills * 4 * settings.speed / 60).clamp(10, 90);
    seed::sow(&crew.cluster, DATABASE, settings.due, minutes, settings.speed).await?;
    for slot in 0..crew.slots.len() {
        crew.start(slot).await?;
    }

    let dice = StdRng::seed_from_u64(settings.seed);
    let mut deeds = Deeds::new(settings, dice);
    let pacing = crew.pace();
    deeds.act(&crew, &server).await?;
    // From here on nobody is hurt any more: what is left has to come to its end by itself.
    server.behave();
    crew.calm().await?;
    let calm = wait_for_the_end(&crew, Duration::from_secs(settings.calm)).await?;
    let left_over = crew.drain_all().await?;
    pacing.abort();
    let outcome = verdict::Outcome {
        tally: deeds.tally(),
        accepted: server.accepted(),
        promised: server.promised(),
        misbehaved: server.tally(),
        temper,
        left_over,
        took: begun.elapsed(),
        calm,
    };
    verdict::judge(&crew.cluster, settings, outcome).await
}

/// Waits until every reminder has come due and reached an end, and gives how long that took.
async fn wait_for_the_end(crew: &Crew, patience: Duration) -> Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let open = crew
            .cluster
            .number(
                DATABASE,
                "select (select count(*) from notice where state in ('pending', 'claimed', 'sending'))
                   + (select count(*) from stress_due d where not exists (select 1 from notice n where n.clinic_id = d.clinic_id
                        and n.patient_id = d.patient_id and n.civil_date = d.civil_date and n.civil_time = d.civil_time))",
            )
            .await?;
        if open == 0 {
            break;
        }
        crew.look_after().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(begun.elapsed())
}

/// The run's folder, removed in the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
