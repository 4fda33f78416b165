//! A Postgres of one's own: started, stopped in two ways, started again, thrown away.
//!
//! A crash of the machine is not acted out, so nothing is forced to disk; a crash of the server is, so commits are waited for.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, ValueRef as _, postgres::PgRow};
use tokio::{process::Command, sync::Mutex};

/// For how long a statement is tried again while the server is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Connections are ended, transactions rolled back, everything is written.
    Fast,
    /// As if it had been killed: the next start recovers from the log.
    Immediate,
}

/// A private server. Dropping it stops it and throws its data away.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    user: Option<(u32, u32)>,
    folder: PathBuf,
    port: u16,
    /// The last connection used, and its database.
    connection: Mutex<Option<(String, PgConnection)>>,
}

impl Cluster {
    /// Makes and starts a server on a free port of 127.0.0.1, with everything below `folder`, which is removed in the end.
    ///
    /// # Errors
    /// A sentence for people: no Postgres here, or what its programs said.
    pub async fn start(folder: &Path) -> Result<Self> {
        let programs = programs()?;
        let user = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { programs, user, folder: folder.to_owned(), port, connection: Mutex::new(None) };
        let said = cluster
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(cluster.data())
            .stderr(Stdio::piped())
            .output()
            .await
            .context("cannot run initdb")?;
        if !said.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&said.stderr).trim());
        }
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\nsynchronous_commit = on\n\
             max_connections = 300\nlog_min_messages = fatal\ntimezone = 'UTC'\n"
        );
        let file = cluster.data().join("postgresql.conf");
        let usual = fs::read_to_string(&file)?;
        fs::write(&file, usual + &settings)?;
        cluster.resume().await?;
        Ok(cluster)
    }

    /// Where to connect, as this user (roles may sign in without a password).
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect, as the superuser.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", database)
    }

    /// Stops the server.
    ///
    /// # Errors
    /// When it does not stop.
    pub async fn stop(&self, how: Stop) -> Result<()> {
        let how = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        self.pg_ctl(&["stop", "-w", "-t", "60", "-m", how]).await
    }

    /// Starts the stopped server again, and waits until it answers.
    ///
    /// # Errors
    /// What its log says.
    pub async fn resume(&self) -> Result<()> {
        let log = self.folder.join("log");
        let log = log.to_str().ok_or_else(|| anyhow!("the folder's name is not UTF-8"))?;
        self.pg_ctl(&["start", "-w", "-t", "60", "-l", log]).await
    }

    /// Runs statements, or reads: one list of texts a row, NULL as nothing. Waits for a server that is away.
    ///
    /// # Errors
    /// What the server refused, or that it stayed away.
    pub async fn rows(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        let begun = Instant::now();
        let mut held = self.connection.lock().await;
        loop {
            let outcome = match held.as_mut().filter(|(name, _)| name == database) {
                Some((_, connection)) => connection.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await,
                None => match PgConnection::connect(&self.url(database)).await {
                    Ok(connection) => {
                        *held = Some((database.to_owned(), connection));
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match outcome {
                Ok(rows) => return Ok(rows.iter().map(texts).collect()),
                Err(error) if is_refusal(&error) => return Err(error).with_context(|| sql.to_owned()),
                Err(error) => {
                    *held = None;
                    if begun.elapsed() > PATIENCE {
                        return Err(error).context("the database stayed away");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// As [`Cluster::rows`], for one number.
    ///
    /// # Errors
    /// As [`Cluster::rows`], and when it is no number.
    pub async fn number(&self, database: &str, sql: &str) -> Result<u64> {
        let rows = self.rows(database, sql).await?;
        let text = rows.first().and_then(|row| row.first()).with_context(|| format!("{sql} gave nothing"))?;
        text.parse().with_context(|| format!("{sql} gave {text}"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // The server keeps what it is started with: a pipe would be held open, and our folder may be closed to its user.
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("PGDATA").env_remove("PGHOST").env_remove("PGPORT").env("LC_ALL", "C.UTF-8");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    async fn pg_ctl(&self, args: &[&str]) -> Result<()> {
        let status = self.command("pg_ctl").arg("-D").arg(self.data()).args(args).status().await.context("cannot run pg_ctl")?;
        if status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        bail!("pg_ctl {} failed; the server's log says:\n{log}", args.join(" "))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = self.command("pg_ctl").into_std();
        // It may be stopped already.
        let _ = command.arg("-D").arg(self.data()).args(["stop", "-m", "immediate", "-t", "20"]).status();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether the server understood and said no, as opposed to being away, going or coming.
fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    // Class 57P is an operator's doing: shutting down, starting up.
    !error.code().is_some_and(|code| code.starts_with("57P"))
}

fn texts(row: &PgRow) -> Vec<String> {
    let column = |at| match row.try_get_raw(at) {
        Ok(value) if value.is_null() => String::new(),
        Ok(value) => value.as_str().unwrap_or("?").to_owned(),
        Err(error) => error.to_string(),
    };
    (0..row.len()).map(column).collect()
}

/// Where Postgres's programs are.
///
/// # Errors
/// When there are none.
pub fn programs() -> Result<PathBuf> {
    let named = std::env::var_os("HOMESTRETCH_PG_BIN").map(PathBuf::from);
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut installed: Vec<PathBuf> = installed.collect();
    installed.sort();
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let places = named.into_iter().chain(installed.into_iter().rev()).chain(on_path);
    let complete = |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file());
    places
        .into_iter()
        .find(complete)
        .ok_or_else(|| anyhow!("no PostgreSQL was found. Install it, or name the folder that holds initdb in HOMESTRETCH_PG_BIN."))
}

/// PostgreSQL does not run as root: the user and group it runs as then.
fn unprivileged() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for line in users.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && *name == wanted
            {
                return Ok((uid.parse()?, gid.parse()?));
            }
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}
