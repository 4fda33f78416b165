//! The bench: measures in turn what Homestretch does and the floor beneath it, and prints ratios. `bin/bench` builds it in release,
//! gives it a throw-away Postgres that really commits, and runs it; docs/performance.md explains what is measured and why.
//!
//! What is compared runs in processes of its own (the hidden subcommands), so that neither pays for the other, and memory is its own.

mod asking;
mod bare;
mod compose;
mod engine;
mod floor;
mod machine;
mod pages;
mod planning;
mod population;
mod process;
mod reminders;
mod report;
mod sending;
mod serving;
mod sink;
mod size;
mod weight;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

/// Measures what Homestretch promises about speed.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// The reminder engine: planning, sending, memory
    Reminders(Reminders),
    /// Pages with and without row-level security and audit, and signing in
    Pages(pages::Pages),
    /// Pages, reports and saving beside the floor, on a seeded size and on one ten times smaller; start, memory and weight
    Size(size::Sizes),
    /// All of them, one after the other, each as it comes
    All,
    /// A mail server that only looks for the dot; for the bench itself
    #[command(hide = true)]
    Sink,
    /// The tests' mail server, counting; for the bench itself
    #[command(hide = true)]
    MailServer,
    /// Raw pipelined SMTP; for the bench itself
    #[command(hide = true)]
    Floor(floor::Floor),
    /// The worker's own delivery; for the bench itself
    #[command(hide = true)]
    Engine(engine::Arguments),
    /// Writing mails and nothing else; for the bench itself
    #[command(hide = true)]
    Compose(engine::Arguments),
}

/// How much to measure.
#[derive(Debug, clap::Args)]
struct Reminders {
    /// Mails in each round of sending
    #[arg(long, default_value_t = 20_000)]
    mails: u32,
    /// Reminders that come due in each round of planning
    #[arg(long, default_value_t = 20_000)]
    due: u32,
    /// Rounds; each measures everything once, in turn
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only planning, or only sending
    #[arg(long, value_parser = ["planning", "sending"])]
    only: Option<String>,
    /// Where the JSON and the Markdown go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    run(Command::parse()).await
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::All => {
            for part in ["size", "pages", "reminders"] {
                // One level deep: none of them is `all`.
                Box::pin(run(Command::try_parse_from(["bench", part])?)).await?;
            }
            Ok(())
        }
        Command::Reminders(wanted) => reminders::run(&wanted).await,
        Command::Pages(wanted) => pages::run(&wanted).await,
        Command::Size(wanted) => size::run(&wanted).await,
        Command::Sink => sink::run().await,
        Command::MailServer => sink::mail_server().await,
        Command::Floor(arguments) => floor::raw(&arguments).await,
        Command::Engine(arguments) => engine::run(&arguments).await,
        Command::Compose(arguments) => compose::run(&arguments).await,
    }
}
