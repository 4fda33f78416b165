//! `homestretch`: the web server, the worker, the demo and what an operator needs, in one program.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage (an unknown option, a wrong or missing setting).

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use homestretch::{
    commands::{self, Cli},
    config::{SettingError, Settings},
};
use tracing_subscriber::EnvFilter;

/// Gives memory back to the system ten seconds after it was last used, by a thread of its own. The system's allocator keeps it: see
/// docs/decisions/0017.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The demo's own lines tell what matters; its log speaks up only when something is wrong.
    let usual = if cli.command.is_demo() { "warn" } else { "info,sqlx=warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // Colours are for people at a terminal; in a file they hide the fields from whoever searches it.
        .with_ansi(std::io::stderr().is_terminal())
        .init();

    let outcome = Settings::from_environment().map_err(anyhow::Error::from).and_then(|settings| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(commands::run(cli.command, settings))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("homestretch: {error:#}");
            if error.is::<SettingError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
