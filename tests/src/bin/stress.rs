//! Acts out the reminder engine's promise and prints what came of it. Exit code 1 when the promise is broken.

use std::process::ExitCode;

use clap::Parser as _;
use stories::stress;

fn main() -> ExitCode {
    let settings = stress::Settings::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(stress::run(&settings)));
    match outcome {
        Ok(verdict) => {
            println!("{verdict}");
            if verdict.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("stress: {error:#}");
            ExitCode::from(2)
        }
    }
}
