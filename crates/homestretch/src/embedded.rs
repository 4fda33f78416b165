//! A private Postgres for the demo: found on the machine, started on a socket of its own, stopped with us.
//!
//! PostgreSQL refuses to run as root, so as root its programs run as the user `postgres`, else `nobody`; the data directory then
//! belongs to that user and must not lie below a home that only root may enter.

use std::{
    fs::{self, File, Permissions},
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};

/// The oldest version that is looked for; `DATABASE_URL` needs the same.
const OLDEST: u32 = 15;

/// A socket's path holds at most this many bytes on every system we know.
const SOCKET_PATH: usize = 100;

/// How often a server found running is asked whether it answers yet, a tenth of a second apart.
const PATIENCE: u32 = 300;

/// A running private server. [`Server::stop`] stops it; dropping it without leaves it running, to be found again.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    data: PathBuf,
    /// Where to connect: a superuser of this private server, on its socket.
    pub url: String,
    // Held as long as we live: a second demo on the same folder is told so.
    _lock: File,
}

/// Where initdb, pg_ctl and postgres are, and as whom they run.
#[derive(Debug, Clone)]
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Server {
    /// Starts the server whose data lies under `home`, making it first where there is none. `tell` is told what is going on.
    ///
    /// # Errors
    /// A sentence for people: no Postgres on the machine, a folder in use, a version that does not fit, what the server's log says.
    pub fn start(home: &Path, bin: Option<&Path>, tell: &dyn Fn(&str)) -> Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("cannot make the folder {}", home.display()))?;
        let lock = File::create(home.join("in-use")).with_context(|| format!("cannot write in {}", home.display()))?;
        if lock.try_lock().is_err() {
            bail!(
                "another Homestretch demo is running on {}. Stop it first, or set HOMESTRETCH_DATA to another folder.",
                home.display()
            );
        }
        let programs = Programs::find(bin)?;
        let data = home.join("postgres");
        programs.can_reach(home)?;
        let fresh = !data.join("PG_VERSION").exists();
        if fresh {
            tell("Setting up a private database…");
            programs.init(&data)?;
        }
        programs.fits(&data)?;
        let sockets = socket_folder(home);
        programs.own(&sockets)?;
        programs.configure(&data, &sockets)?;
        if programs.running(&data, &sockets)? {
            tell("Found the private database still running.");
        } else {
            tell("Starting the private database…");
            programs.start(&data)?;
        }
        Ok(Self { programs, data, url: url(&sockets), _lock: lock })
    }

    /// Stops the server, waiting for what it is doing.
    ///
    /// # Errors
    /// When pg_ctl cannot be run or the server does not stop in time.
    pub fn stop(&self) -> Result<()> {
        let stopped = self.programs.pg_ctl(&self.data, &["stop", "-m", "fast", "-w", "-t", "30"])?;
        // Somebody may have stopped it before us.
        if !stopped && self.programs.pg_ctl(&self.data, &["status"])? {
            bail!("the private database did not stop; its log is {}", log_of(&self.data).display())
        }
        Ok(())
    }
}

/// Where to connect to the private server under `home`, when a demo that is running has it.
pub fn running(home: &Path) -> Option<String> {
    let sockets = socket_folder(home);
    let lock = File::open(home.join("in-use")).ok()?;
    let taken = lock.try_lock().is_err();
    (taken && UnixStream::connect(sockets.join(".s.PGSQL.5432")).is_ok()).then(|| url(&sockets))
}

fn url(sockets: &Path) -> String {
    format!("postgres://homestretch@localhost/postgres?host={}", percent(sockets))
}

impl Programs {
    fn find(bin: Option<&Path>) -> Result<Self> {
        let user = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        if let Some(folder) = bin {
            if !complete(folder) {
                bail!("HOMESTRETCH_PG_BIN: there is no initdb, pg_ctl and postgres in {}.", folder.display());
            }
            return Ok(Self { folder: folder.to_owned(), user });
        }
        let folder = places().into_iter().filter(|folder| complete(folder)).find(|folder| version(folder) >= Some(OLDEST));
        match folder {
            Some(folder) => Ok(Self { folder, user }),
            None => bail!(
                "no PostgreSQL {OLDEST} or newer was found. Install it (Debian and Ubuntu: apt-get install postgresql), name its folder in HOMESTRETCH_PG_BIN, or set DATABASE_URL."
            ),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        // Our own folder may be closed to the other user. A pipe would be held open by the server for ever.
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_remove("PGDATA").env_remove("PGHOST").env_remove("PGPORT").env("LC_ALL", "C.UTF-8");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn pg_ctl(&self, data: &Path, args: &[&str]) -> Result<bool> {
        let status = self.command("pg_ctl").arg("-D").arg(data).args(args).status().context("cannot run pg_ctl")?;
        Ok(status.success())
    }

    /// Whether a server of an earlier demo, killed before it could stop it, is still there and answers.
    ///
    /// The process that the data directory names may be gone and its number taken by another, or dead and not yet collected by
    /// whoever started it; PostgreSQL would then refuse to start until somebody removes the file by hand.
    fn running(&self, data: &Path, sockets: &Path) -> Result<bool> {
        if !self.pg_ctl(data, &["status"])? {
            return Ok(false);
        }
        let pid_file = data.join("postmaster.pid");
        for _ in 0..PATIENCE {
            let named = fs::read_to_string(&pid_file).unwrap_or_default();
            let Some(pid) = named.lines().next() else { return Ok(false) };
            if gone(pid) {
                // The socket's lock names the same process.
                for stale in [&pid_file, &sockets.join(".s.PGSQL.5432.lock")] {
                    match fs::remove_file(stale) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(error).with_context(|| format!("cannot remove {}", stale.display()));
                        }
                        _ => {}
                    }
                }
                return Ok(false);
            }
            // Its eighth line says "ready" once it has recovered from having been killed.
            let ready = named.lines().nth(7).is_some_and(|line| line.trim() == "ready");
            if ready && UnixStream::connect(sockets.join(".s.PGSQL.5432")).is_ok() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the private database of an earlier demo still runs and does not answer. Its log is {}.", log_of(data).display())
    }

    /// Makes a folder that belongs to whoever the server runs as, closed to everybody else.
    fn own(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        if let Some((uid, gid)) = self.user {
            chown(folder, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    fn init(&self, data: &Path) -> Result<()> {
        // A half-made cluster of an interrupted first start has no PG_VERSION at its end; begin again.
        if data.exists() {
            fs::remove_dir_all(data).with_context(|| format!("cannot clear {}", data.display()))?;
        }
        self.own(data)?;
        let said = self
            .command("initdb")
            .args(["-U", "homestretch", "-A", "trust", "-E", "UTF8", "--no-instructions", "-D"])
            .arg(data)
            .arg("--locale=C.UTF-8")
            .stderr(Stdio::piped())
            .output()
            .context("cannot run initdb")?;
        if !said.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&said.stderr).trim());
        }
        Ok(())
    }

    /// Whether the data was made by this major version.
    fn fits(&self, data: &Path) -> Result<()> {
        let made = fs::read_to_string(data.join("PG_VERSION")).context("cannot read the private database's version")?;
        let (made, have) = (made.trim().to_owned(), version(&self.folder).unwrap_or_default().to_string());
        if made != have {
            bail!(
                "the demo's database was made by PostgreSQL {made}, but {have} was found. Name the older one's folder in HOMESTRETCH_PG_BIN, or start over with `homestretch demo --fresh`."
            );
        }
        Ok(())
    }

    /// Our settings, in a file of their own that the main one includes.
    fn configure(&self, data: &Path, sockets: &Path) -> Result<()> {
        let ours = data.join("homestretch.conf");
        let mut file = File::create(&ours)?;
        let sockets = sockets.display().to_string().replace('\'', "''");
        writeln!(file, "# Written at every start of the demo.")?;
        writeln!(file, "listen_addresses = ''\nunix_socket_directories = '{sockets}'\nmax_connections = 60")?;
        writeln!(
            file,
            "shared_buffers = 64MB\nlog_min_messages = 'error'\nlog_destination = 'stderr'\nlogging_collector = off\ntimezone = 'UTC'"
        )?;
        let main = data.join("postgresql.conf");
        let text = fs::read_to_string(&main)?;
        if !text.contains("include = 'homestretch.conf'") {
            fs::write(&main, format!("{text}\ninclude = 'homestretch.conf'\n"))?;
        }
        if let Some((uid, gid)) = self.user {
            chown(&ours, Some(uid), Some(gid))?;
            chown(&main, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    fn start(&self, data: &Path) -> Result<()> {
        let log = log_of(data);
        let log_arg = log.to_str().ok_or_else(|| anyhow!("the folder's name is not UTF-8"))?;
        if self.pg_ctl(data, &["start", "-w", "-t", "60", "-l", log_arg])? {
            return Ok(());
        }
        let text = fs::read_to_string(&log).unwrap_or_default();
        let last = text.lines().rev().find(|line| line.contains("FATAL") || line.contains("ERROR")).unwrap_or("no reason given");
        bail!("the private database did not start: {last}. Its log is {}.", log.display())
    }

    /// As root, the other user must be able to walk to the data.
    fn can_reach(&self, home: &Path) -> Result<()> {
        if self.user.is_none() {
            return Ok(());
        }
        for folder in home.ancestors() {
            let closed = fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0);
            if closed {
                bail!(
                    "as root the private database runs as another user, who cannot enter {}. Set HOMESTRETCH_DATA to a folder outside it, such as /var/lib/homestretch.",
                    folder.display()
                );
            }
        }
        Ok(())
    }
}

/// Whether no living PostgreSQL has this process number. Where the system keeps no list of processes as files, nobody is declared dead.
fn gone(pid: &str) -> bool {
    if !Path::new("/proc/self/stat").exists() {
        return false;
    }
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // "123 (postgres) Z …": the name in brackets, then the state.
        Ok(stat) => stat
            .rsplit_once(')')
            .is_none_or(|(head, rest)| !head.ends_with("(postgres") || matches!(rest.trim_start().chars().next(), Some('Z' | 'X'))),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn log_of(data: &Path) -> PathBuf {
    data.join("server.log")
}

/// Beside the data where that makes a socket's path that the system accepts, else in the folder for temporary files.
fn socket_folder(home: &Path) -> PathBuf {
    let beside = home.join("run");
    let plain = beside.to_str().is_some_and(|text| {
        text.len() + "/.s.PGSQL.5432".len() < SOCKET_PATH
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'))
    });
    if plain {
        return beside;
    }
    // FNV-1a: the same home finds the same folder at every start.
    let name = home
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    PathBuf::from("/tmp").join(format!("homestretch-{name:016x}"))
}

fn percent(path: &Path) -> String {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn complete(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// The major version of the `postgres` in a folder.
fn version(folder: &Path) -> Option<u32> {
    version_of(&folder.join("postgres"))
}

/// The major version of one of PostgreSQL's programs.
pub(crate) fn version_of(program: &Path) -> Option<u32> {
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// PATH, pg_config, then where distributions put it, newest first.
pub(crate) fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output()
        && let Ok(folder) = String::from_utf8(said.stdout)
    {
        places.push(PathBuf::from(folder.trim()));
    }
    let mut usual: Vec<(u32, PathBuf)> = Vec::new();
    for (root, below) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let digits: String = name
                .trim_start_matches("postgresql")
                .trim_start_matches(['@', '-'])
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            if let Ok(major) = digits.parse() {
                usual.push((major, entry.path().join(below)));
            }
        }
    }
    usual.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    places.extend(usual.into_iter().map(|(_, folder)| folder));
    places.push(PathBuf::from("/usr/local/pgsql/bin"));
    places
}

/// The user and group that the server runs as when we are root.
fn unprivileged() -> Result<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for line in passwd.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && *name == wanted
                && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
            {
                return Ok((uid, gid));
            }
        }
    }
    bail!("PostgreSQL does not run as root, and there is neither a user postgres nor nobody. Run the demo as a normal user.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_lie_beside_the_data_unless_the_path_is_long_or_odd() {
        assert_eq!(socket_folder(Path::new("/var/lib/homestretch")), Path::new("/var/lib/homestretch/run"));
        let long = format!("/home/somebody/{}", "a".repeat(90));
        for odd in [long.as_str(), "/home/some body/data", "/home/it's/data"] {
            let folder = socket_folder(Path::new(odd));
            assert!(folder.starts_with("/tmp"), "{}", folder.display());
            assert_eq!(folder, socket_folder(Path::new(odd)));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_living_postgres_counts_as_one() {
        assert!(gone("999999999"), "no such process");
        assert!(gone(&std::process::id().to_string()), "another program with its number");
    }

    #[test]
    fn a_socket_folder_survives_a_url() {
        assert_eq!(percent(Path::new("/a b")), "%2Fa%20b");
    }
}
