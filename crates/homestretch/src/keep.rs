//! `homestretch backup` and `homestretch restore`: the whole database in one file, and back.

mod audit;
mod backup;
mod file;
mod programs;
mod progress;
mod restore;

use anyhow::{Context as _, Result, anyhow};
use store::StoreError;

use crate::{
    config::Settings,
    embedded::{self, Server},
};

pub use audit::verify;
pub use backup::backup;
pub use restore::{Wish, restore};

/// The database a command works on: the one DATABASE_URL names, else the private one.
struct Place {
    url: String,
    /// The private server, when it was started for this command and must be stopped after it.
    server: Option<Server>,
}

impl Place {
    /// Where to read from. A private database is only read where there is one: without DATABASE_URL somebody may simply have forgotten to
    /// set it, and a fresh, empty database is nothing to back up.
    async fn to_read(settings: &Settings) -> Result<Self> {
        if let Some(url) = settings.own_database() {
            return Ok(Self { url: url.to_owned(), server: None });
        }
        if !settings.data.join("postgres/PG_VERSION").exists() {
            settings.database_url()?;
        }
        if let Some(url) = embedded::running(&settings.data) {
            return Ok(Self { url, server: None });
        }
        Self::private(settings).await
    }

    /// Where to restore into.
    async fn to_write(settings: &Settings) -> Result<Self> {
        match settings.own_database() {
            Some(url) => Ok(Self { url: url.to_owned(), server: None }),
            None => {
                eprintln!("DATABASE_URL is not set: restoring into the private database under {}.", settings.data.display());
                Self::private(settings).await
            }
        }
    }

    async fn private(settings: &Settings) -> Result<Self> {
        let (home, bin) = (settings.data.clone(), settings.pg_bin.clone());
        let server =
            tokio::task::spawn_blocking(move || Server::start(&home, bin.as_deref(), &|line| eprintln!("{line}"))).await??;
        Ok(Self { url: server.url.clone(), server: Some(server) })
    }

    async fn leave(self) -> Result<()> {
        match self.server {
            Some(server) => {
                tokio::task::spawn_blocking(move || server.stop()).await.context("the private database did not stop")?
            }
            None => Ok(()),
        }
    }
}

/// A sentence for people. The address is never repeated: it holds a password.
fn plain(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable(why) => anyhow!("the database: {why}"),
        StoreError::Address(why) => anyhow!("DATABASE_URL: {why}"),
        StoreError::NotMigrated(why) => anyhow!("the database cannot be used: {why}"),
        other => anyhow!("{other}"),
    }
}

/// "3 tables", "1 table": the plural is told by an s.
fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or_default();
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// 1 234 567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// "512 B", "3.4 kB", "1.2 GB".
fn bytes(number: u64) -> String {
    if number < 1000 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "for people, with one decimal")]
    let mut value = number as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([bytes(0), bytes(999), bytes(1000), bytes(2_345_678)], ["0 B", "999 B", "1.0 kB", "2.3 MB"]);
        assert_eq!([grouped(7), grouped(1234), grouped(1_234_567)], ["7", "1 234", "1 234 567"]);
        assert_eq!([count(1_u64, "row"), count(0_u64, "row"), count(-1_i64, "row")], ["1 row", "0 rows", "0 rows"]);
    }
}
