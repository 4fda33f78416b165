//! pg_dump and pg_restore: found, started without a password anybody could see, and what they complained about in one line.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use crate::embedded;

/// The folder of pg_dump and pg_restore.
#[derive(Debug, Clone)]
pub(super) struct Programs(PathBuf);

impl Programs {
    /// Finds them: at least as new as the server, or they refuse to work with it.
    pub(super) fn find(bin: Option<&Path>, server: u32) -> Result<Self> {
        let complete = |folder: &Path| ["pg_dump", "pg_restore"].iter().all(|name| folder.join(name).is_file());
        if let Some(folder) = bin {
            if !complete(folder) {
                bail!("HOMESTRETCH_PG_BIN: there is no pg_dump and pg_restore in {}.", folder.display());
            }
            return match embedded::version_of(&folder.join("pg_dump")) {
                Some(version) if version < server => {
                    bail!(
                        "HOMESTRETCH_PG_BIN: the pg_dump in {} is of version {version}, the server's is {server}.",
                        folder.display()
                    )
                }
                _ => Ok(Self(folder.to_owned())),
            };
        }
        embedded::places()
            .into_iter()
            .filter(|folder| complete(folder))
            .find(|folder| embedded::version_of(&folder.join("pg_dump")) >= Some(server))
            .map(Self)
            .ok_or_else(|| {
                anyhow!(
                    "no pg_dump and pg_restore of PostgreSQL {server} or newer were found. Install them (Debian and Ubuntu: apt-get install postgresql-client) or name their folder in HOMESTRETCH_PG_BIN."
                )
            })
    }

    /// One of them, told by its environment where to connect.
    pub(super) fn command(&self, name: &str, url: &str) -> Result<Command> {
        let mut command = Command::new(self.0.join(name));
        // What a shell has set for other servers must not lead elsewhere.
        for variable in ["PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGOPTIONS", "PGSSLMODE", "PGTZ", "PGDATESTYLE"] {
            command.env_remove(variable);
        }
        command.envs(store::keep::libpq(url).map_err(super::plain)?).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }
}

/// What a program says on its standard error, collected beside its work so that it never waits for us to read.
pub(super) struct Complaints(tokio::task::JoinHandle<String>);

impl Complaints {
    pub(super) fn of(child: &mut Child) -> Self {
        let stderr = child.stderr.take();
        Self(tokio::spawn(async move {
            let mut text = Vec::new();
            if let Some(mut stderr) = stderr {
                // What was said before reading failed still counts.
                let _ = stderr.read_to_end(&mut text).await;
            }
            String::from_utf8_lossy(&text).into_owned()
        }))
    }

    /// Waits for the end of the program; one line for people when it did not end well.
    pub(super) async fn end(self, mut child: Child, name: &str) -> Result<()> {
        let status = child.wait().await.with_context(|| format!("cannot wait for {name}"))?;
        let text = self.0.await.unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        bail!("{name}: {}", line(&text, name).unwrap_or_else(|| status.to_string()))
    }
}

/// The first complaint, without the program's name and its class before it.
fn line(text: &str, name: &str) -> Option<String> {
    let plain = |line: &str| {
        let rest = line.trim().strip_prefix(name).unwrap_or(line.trim());
        let rest = rest.trim_start_matches(": ");
        let rest = ["error: ", "fatal: "].iter().find_map(|class| rest.strip_prefix(class)).unwrap_or(rest);
        rest.to_owned()
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.clone().find(|line| line.contains("error:") || line.contains("fatal:")).or_else(|| lines.next()).map(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_is_the_reason() {
        let said =
            "pg_restore: warning: x\npg_restore: error: could not execute query: ERROR:  type \"a\" exists\nCommand was: …\n";
        assert_eq!(line(said, "pg_restore").as_deref(), Some("could not execute query: ERROR:  type \"a\" exists"));
        assert_eq!(line("", "pg_dump"), None);
    }
}
