//! Real `homestretch worker` processes, each with a clock of its own that can be moved while it runs.
//!
//! The clock is Debian's libfaketime, loaded into the process and told through a file by how much to go wrong. Only the calendar is
//! moved: timeouts and pauses inside the process stay real. The product knows nothing of it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::OnceCell,
};

/// What every worker of a run is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    binary: PathBuf,
    faketime: PathBuf,
    /// Where logs and clocks are kept.
    pub folder: PathBuf,
    /// The mail server, as `SMTP_URL` wants it.
    pub smtp: String,
}

/// A clock file, and so the clock of every process started with it.
#[derive(Debug, Clone)]
pub struct Clock(PathBuf);

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    pid: Pid,
    /// Where it writes its log.
    pub log: PathBuf,
}

impl Setup {
    /// Builds the program where needed and finds libfaketime.
    ///
    /// # Errors
    /// A sentence for people.
    pub async fn new(folder: &Path, smtp: String) -> Result<Self> {
        static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
        let binary = BINARY.get_or_try_init(build).await?.clone();
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Self { binary, faketime: faketime()?, folder: folder.to_owned(), smtp })
    }

    /// A new clock that shows `now`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn clock(&self, name: &str, now: Timestamp) -> Result<Clock> {
        let clock = Clock(self.folder.join(format!("{name}.clock")));
        clock.set(now)?;
        Ok(clock)
    }

    /// Starts `homestretch worker`; its log goes on in the file `name`.log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn worker(&self, name: &str, database: &str, clock: &Clock) -> Result<Worker> {
        let log = self.folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let child =
            self.command(&["worker"], database, clock).stderr(file).kill_on_drop(true).spawn().context("cannot start a worker")?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).context("the worker ended at once")?;
        Ok(Worker { child, pid, log })
    }

    /// Starts `homestretch serve` on this address with the real clock and these settings more; its log goes on in the file `name`.log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn server(&self, name: &str, database: &str, address: SocketAddr, settings: &[(&str, &str)]) -> Result<Worker> {
        let log = self.folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let clock = self.clock(name, homestretch::clock::now())?;
        let mut command = self.command(&["serve"], database, &clock);
        command
            .env_remove("LD_PRELOAD")
            .env("HOMESTRETCH_BIND", address.to_string())
            .env("HOMESTRETCH_URL", format!("http://localhost:{}", address.port()))
            .env("HOMESTRETCH_METRICS_BIND", "127.0.0.1:0")
            .env("RUST_LOG", "warn")
            .envs(settings.iter().copied());
        let child = command.stderr(file).kill_on_drop(true).spawn().context("cannot start a server")?;
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).context("the server ended at once")?;
        Ok(Worker { child, pid, log })
    }

    /// Runs `homestretch` with these arguments to its end.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than three minutes.
    pub async fn run(&self, args: &[&str], database: &str, clock: &Clock) -> Result<Output> {
        let running = self.command(args, database, clock).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).output();
        Ok(tokio::time::timeout(Duration::from_secs(180), running).await.context("it did not come to its end")??)
    }

    /// `homestretch` with these arguments, not started yet.
    pub fn command(&self, args: &[&str], database: &str, clock: &Clock) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("RUST_LOG", "info,sqlx=warn")
            .env("DATABASE_URL", database)
            .env("SMTP_URL", &self.smtp)
            .env("HOMESTRETCH_SECRET", "a secret of the stories, long enough")
            .env("HOMESTRETCH_MAIL_FROM", "Riverside Physio <reminders@clinic.test>")
            .env("HOMESTRETCH_URL", "https://clinic.test")
            .env("LD_PRELOAD", &self.faketime)
            .env("FAKETIME_TIMESTAMP_FILE", &clock.0)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    }
}

impl Clock {
    /// Sets the clock; it goes on from there at the usual pace.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, now: Timestamp) -> Result<()> {
        let wrong = now.as_second() - homestretch::clock::now().as_second();
        // Written beside and renamed: a process must never read half of it.
        let beside = self.0.with_extension("next");
        fs::write(&beside, format!("{wrong:+}\n")).with_context(|| format!("cannot write {}", beside.display()))?;
        fs::rename(&beside, &self.0)?;
        Ok(())
    }
}

impl Worker {
    /// Its resident memory, now and at its greatest, in KiB (Linux).
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero()))?;
        let field = |name: &str| -> Option<u64> {
            status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
        };
        field("VmRSS:").zip(field("VmHWM:")).context("the process has no memory any more")
    }

    /// kill -9, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// SIGSTOP: it holds still wherever it is.
    ///
    /// # Errors
    /// When it is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it goes on as if nothing had been.
    ///
    /// # Errors
    /// When it is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM, and waits for its end for up to `patience`.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn terminate(mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("it did not end within {} s of SIGTERM", patience.as_secs()),
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("the worker is gone")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A killed process leaves these behind.
        let pid = self.pid.as_raw_nonzero();
        let _ = fs::remove_file(format!("/dev/shm/faketime_shm_{pid}"));
        let _ = fs::remove_file(format!("/dev/shm/sem.faketime_sem_{pid}"));
    }
}

/// The program, built as we were. Cargo knows whether there is anything to do.
async fn build() -> Result<PathBuf> {
    let us = std::env::current_exe()?;
    let folder = us
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .ok_or_else(|| anyhow!("{} lies in no folder", us.display()))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "homestretch", "--bin", "homestretch"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What the cargo that runs the tests says about them is not for this one: build scripts ask for some of it, and everything that
    // depends on those would be built anew, back and forth.
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
            .iter()
            .any(|start| told.starts_with(start))
        {
            cargo.env_remove(&name);
        }
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let status = cargo.status().await.context("cannot run cargo")?;
    if !status.success() {
        bail!("homestretch could not be built");
    }
    Ok(folder.join("homestretch"))
}

fn faketime() -> Result<PathBuf> {
    let libraries = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].into_iter().flat_map(|folder| {
        let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        std::iter::once(PathBuf::from(folder)).chain(below)
    });
    libraries.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file()).ok_or_else(|| {
        anyhow!("libfaketime, which moves the workers' clocks, is not here. Debian and Ubuntu: apt-get install faketime")
    })
}
