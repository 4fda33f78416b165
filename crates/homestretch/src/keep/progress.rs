//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::bytes;

/// Between two lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Tells, on the standard error, what is going on: the standard output may be the backup itself.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    done: u64,
    told: Instant,
}

impl Progress {
    /// Begins something; with a `total` of 0 nobody knows how long it takes.
    pub(super) fn new(what: &str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = if total > 0 { "{msg} {wide_bar} {bytes}/{total_bytes} {eta}" } else { "{spinner} {msg} {bytes}" };
            let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::new_spinner() };
            bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(what.to_owned())
        });
        if bar.is_none() {
            eprintln!("{what}…");
        }
        Self { bar, what: what.to_owned(), total, done: 0, told: Instant::now() }
    }

    /// So many bytes more.
    pub(super) fn advance(&mut self, by: u64) {
        self.done += by;
        match &self.bar {
            Some(bar) => bar.inc(by),
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                match (self.done * 100).checked_div(self.total) {
                    Some(percent) => eprintln!("{}… {percent} %", self.what),
                    None => eprintln!("{}… {}", self.what, bytes(self.done)),
                }
            }
            None => {}
        }
    }

    /// What it is at, such as the table that is counted.
    pub(super) fn at(&mut self, detail: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{}: {detail}", self.what));
                bar.tick();
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                eprintln!("{}: {detail}…", self.what);
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
