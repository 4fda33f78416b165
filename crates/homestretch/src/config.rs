//! Settings: read from the environment once, at the start, and checked as a whole. A wrong or unknown one stops the start with one
//! clear line.

use std::{collections::BTreeMap, fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use store::Timeouts;
use web::auth::address::Network;
use worker::smtp::{Patience, Target};

use crate::dkim::Dkim;

/// Every setting there is, for the check of unknown names and the error that names the nearest one.
const NAMES: &[&str] = &[
    "DATABASE_URL",
    "HOMESTRETCH_DATA",
    "HOMESTRETCH_PG_BIN",
    "HOMESTRETCH_BIND",
    "HOMESTRETCH_URL",
    "HOMESTRETCH_SECRET",
    "HOMESTRETCH_MAIL_FROM",
    "HOMESTRETCH_DKIM_KEY",
    "HOMESTRETCH_DKIM_SELECTOR",
    "HOMESTRETCH_DKIM_DOMAIN",
    "HOMESTRETCH_TRUSTED_PROXIES",
    "HOMESTRETCH_CONNECTIONS_PER_CLIENT",
    "HOMESTRETCH_DRAIN_SECONDS",
    "HOMESTRETCH_METRICS_BIND",
    // What `bin/test` hands to the tests.
    "HOMESTRETCH_TEST_DATABASE_URL",
    "HOMESTRETCH_CHROMIUM",
    "SMTP_URL",
    "HOMESTRETCH_SMTP_CA",
    "HOMESTRETCH_DB_CONNECT_TIMEOUT",
    "HOMESTRETCH_DB_STATEMENT_TIMEOUT",
    "HOMESTRETCH_DB_COMMIT_TIMEOUT",
    "HOMESTRETCH_SMTP_CONNECT_TIMEOUT",
    "HOMESTRETCH_SMTP_COMMAND_TIMEOUT",
    "HOMESTRETCH_SMTP_CONTENT_TIMEOUT",
];

/// The settings as given; what a command needs and was not given is asked for by [`Settings::database_url`] and its like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The clinic's own Postgres.
    database_url: Option<SecretString>,
    /// How long each step with it may take.
    pub database_timeouts: Timeouts,
    /// Where the private database and captured mail live.
    pub data: PathBuf,
    /// Where Postgres's programs are.
    pub pg_bin: Option<PathBuf>,
    /// Where the web server listens.
    pub bind: SocketAddr,
    /// The public origin, without a slash at its end.
    pub url: String,
    /// Signs links.
    secret: Option<SecretSlice<u8>>,
    /// Where mail goes.
    smtp: Option<Target>,
    /// How long each step with the mail server may take.
    pub smtp_timeouts: Patience,
    /// The sender of every mail.
    mail_from: Option<String>,
    /// What signs mails, when something does.
    pub dkim: Option<Dkim>,
    /// Whose X-Forwarded-For counts.
    pub trusted_proxies: Vec<Network>,
    /// The most connections of one client address at a time.
    pub connections_per_client: usize,
    /// How long the web server stays open after it was told to stop, not ready any more.
    pub drain: Duration,
    /// Where metrics are served, off the public port.
    pub metrics_bind: SocketAddr,
}

/// A setting that is wrong or missing: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError(pub(crate) String);

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingError {}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that is wrong or unknown.
    pub fn from_environment() -> Result<Self, SettingError> {
        let given = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("HOMESTRETCH_") || NAMES.contains(&name.as_str()) || is_place(name))
            .collect();
        Self::read(&given, rustix::process::geteuid().is_root())
    }

    /// As [`Settings::from_environment`], from a map.
    ///
    /// # Errors
    /// As [`Settings::from_environment`].
    pub fn read(given: &BTreeMap<String, String>, root: bool) -> Result<Self, SettingError> {
        if let Some(unknown) = given.keys().find(|name| !NAMES.contains(&name.as_str()) && !is_place(name)) {
            let near = nearest(unknown);
            return Err(SettingError(format!("{unknown}: there is no such setting. Did you mean {near}?")));
        }
        // An empty value is a setting left alone: that is how a compose file passes one on.
        let text = |name: &str| given.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let database_url = text("DATABASE_URL").map(database_url).transpose()?;
        let secret = text("HOMESTRETCH_SECRET").map(secret).transpose()?;
        let bind: SocketAddr = parse(
            "HOMESTRETCH_BIND",
            text("HOMESTRETCH_BIND").unwrap_or("127.0.0.1:8080"),
            "an address and a port, such as 127.0.0.1:8080",
        )?;
        // Another port alone is enough to try things out: what is printed and mailed then leads there.
        let url = text("HOMESTRETCH_URL").map_or_else(|| Ok(format!("http://localhost:{}", bind.port())), origin)?;
        let smtp = text("SMTP_URL")
            .map(|value| Target::parse(value).map_err(|why| SettingError(format!("SMTP_URL: {why}."))))
            .transpose()?;
        let smtp = match (smtp, text("HOMESTRETCH_SMTP_CA")) {
            (Some(target), Some(file)) => Some(trusting(target, file)?),
            (smtp, _) => smtp,
        };
        let data = match text("HOMESTRETCH_DATA") {
            Some(folder) => absolute("HOMESTRETCH_DATA", folder)?,
            None => home(given, root)?,
        };
        // The most they may be keeps a page's time (30 s) and a claimed mail's (two minutes) longer than what happens in it.
        let seconds = |name: &str, default: Duration, most: u64| match text(name) {
            None => Ok(default),
            Some(value) => match value.parse() {
                Ok(seconds) if (1..=most).contains(&seconds) => Ok(Duration::from_secs(seconds)),
                _ => Err(SettingError(format!("{name}: “{value}” is not a whole number of seconds from 1 to {most}."))),
            },
        };
        let Timeouts { connect, statement, commit } = Timeouts::default();
        let database_timeouts = Timeouts {
            connect: seconds("HOMESTRETCH_DB_CONNECT_TIMEOUT", connect, 15)?,
            statement: seconds("HOMESTRETCH_DB_STATEMENT_TIMEOUT", statement, 600)?,
            commit: seconds("HOMESTRETCH_DB_COMMIT_TIMEOUT", commit, 60)?,
        };
        let Patience { connect, command, content } = Patience::default();
        let smtp_timeouts = Patience {
            connect: seconds("HOMESTRETCH_SMTP_CONNECT_TIMEOUT", connect, 20)?,
            command: seconds("HOMESTRETCH_SMTP_COMMAND_TIMEOUT", command, 20)?,
            content: seconds("HOMESTRETCH_SMTP_CONTENT_TIMEOUT", content, 60)?,
        };
        Ok(Self {
            database_url,
            database_timeouts,
            smtp_timeouts,
            data,
            pg_bin: text("HOMESTRETCH_PG_BIN").map(|folder| absolute("HOMESTRETCH_PG_BIN", folder)).transpose()?,
            bind,
            url,
            secret,
            smtp,
            mail_from: text("HOMESTRETCH_MAIL_FROM").map(sender).transpose()?,
            dkim: Dkim::read(text)?,
            trusted_proxies: text("HOMESTRETCH_TRUSTED_PROXIES")
                .map(|list| {
                    list.split(',')
                        .map(|network| {
                            parse("HOMESTRETCH_TRUSTED_PROXIES", network.trim(), "networks such as 10.0.0.0/8, separated by commas")
                        })
                        .collect()
                })
                .transpose()?
                .unwrap_or_default(),
            connections_per_client: number("HOMESTRETCH_CONNECTIONS_PER_CLIENT", text, 8..=100_000, 1024)?,
            drain: number("HOMESTRETCH_DRAIN_SECONDS", text, 0..=300, 5).map(|seconds| Duration::from_secs(seconds as u64))?,
            metrics_bind: parse(
                "HOMESTRETCH_METRICS_BIND",
                text("HOMESTRETCH_METRICS_BIND").unwrap_or("127.0.0.1:9464"),
                "an address and a port, such as 127.0.0.1:9464",
            )?,
        })
    }

    /// The clinic's own database, where one is set.
    pub fn own_database(&self) -> Option<&str> {
        self.database_url.as_ref().map(|url| url.expose_secret())
    }

    /// The clinic's own database.
    ///
    /// # Errors
    /// [`SettingError`] when it is not set.
    pub fn database_url(&self) -> Result<&str, SettingError> {
        self.own_database()
            .ok_or_else(|| missing("DATABASE_URL", "where Postgres is, such as postgres://user:password@host/homestretch"))
    }

    /// The secret that signs links.
    ///
    /// # Errors
    /// [`SettingError`] when it is not set.
    pub fn secret(&self) -> Result<SecretSlice<u8>, SettingError> {
        self.secret.clone().ok_or_else(|| {
            missing("HOMESTRETCH_SECRET", "32 or more random characters, such as the output of: openssl rand -hex 32")
        })
    }

    /// The secret, if it is set.
    pub fn own_secret(&self) -> Option<SecretSlice<u8>> {
        self.secret.clone()
    }

    /// Where mail goes.
    ///
    /// # Errors
    /// [`SettingError`] when it is not set.
    pub fn smtp(&self) -> Result<Target, SettingError> {
        self.smtp.clone().ok_or_else(|| missing("SMTP_URL", "the mail server, such as smtp://user:password@mail.example:587"))
    }

    /// Where mail goes, if it is set.
    pub fn own_smtp(&self) -> Option<Target> {
        self.smtp.clone()
    }

    /// The sender of every mail.
    ///
    /// # Errors
    /// [`SettingError`] when it is not set.
    pub fn mail_from(&self) -> Result<&str, SettingError> {
        self.mail_from
            .as_deref()
            .ok_or_else(|| missing("HOMESTRETCH_MAIL_FROM", "the sender, such as Riverside Physio <hello@riverside.example>"))
    }

    /// The sender, if it is set.
    pub fn own_mail_from(&self) -> Option<&str> {
        self.mail_from.as_deref()
    }
}

fn is_place(name: &str) -> bool {
    matches!(name, "HOME" | "XDG_DATA_HOME")
}

fn missing(name: &str, what: &str) -> SettingError {
    SettingError(format!("{name} is not set. It says {what}."))
}

fn parse<T: FromStr>(name: &str, value: &str, what: &str) -> Result<T, SettingError> {
    value.parse().map_err(|_| SettingError(format!("{name}: “{value}” is not {what}.")))
}

/// A whole number within a range; `usual` when it is not set.
fn number<'a>(
    name: &str,
    text: impl Fn(&str) -> Option<&'a str>,
    range: RangeInclusive<usize>,
    usual: usize,
) -> Result<usize, SettingError> {
    let Some(value) = text(name) else { return Ok(usual) };
    let what = format!("a whole number from {} to {}", range.start(), range.end());
    let number = parse(name, value, &what)?;
    if range.contains(&number) { Ok(number) } else { Err(SettingError(format!("{name}: “{value}” is not {what}."))) }
}

fn absolute(name: &str, folder: &str) -> Result<PathBuf, SettingError> {
    std::path::absolute(folder).map_err(|why| SettingError(format!("{name}: “{folder}” is not a folder: {why}.")))
}

/// The user's data directory; as root a system-wide one, because the private database runs as another user then.
fn home(given: &BTreeMap<String, String>, root: bool) -> Result<PathBuf, SettingError> {
    if root {
        return Ok(PathBuf::from("/var/lib/homestretch"));
    }
    let set = |name: &str| given.get(name).filter(|value| value.starts_with('/')).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("homestretch"))
        .ok_or_else(|| missing("HOMESTRETCH_DATA", "the folder for the demo's database and mail"))
}

// The value may hold a password: it is never repeated.
fn database_url(value: &str) -> Result<SecretString, SettingError> {
    if !(value.starts_with("postgres://") || value.starts_with("postgresql://")) {
        return Err(SettingError(
            "DATABASE_URL: it must begin with postgres://, such as postgres://user:password@host/homestretch.".to_owned(),
        ));
    }
    store::check_address(value).map_err(|why| SettingError(format!("DATABASE_URL: {why}.")))?;
    Ok(SecretString::from(value.to_owned()))
}

fn secret(value: &str) -> Result<SecretSlice<u8>, SettingError> {
    if value.len() < 32 {
        return Err(SettingError(format!("HOMESTRETCH_SECRET: it has {} characters and needs at least 32.", value.len())));
    }
    Ok(SecretSlice::from(value.as_bytes().to_vec()))
}

fn origin(value: &str) -> Result<String, SettingError> {
    let value = value.trim_end_matches('/');
    let host = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(value.to_owned()),
        _ => Err(SettingError(format!("HOMESTRETCH_URL: “{value}” is not an origin such as https://clinic.example."))),
    }
}

/// The target, trusting the authority in this file too.
fn trusting(target: Target, file: &str) -> Result<Target, SettingError> {
    let wrong = |why: &dyn fmt::Display| SettingError(format!("HOMESTRETCH_SMTP_CA: “{file}” cannot be used: {why}."));
    let pem = std::fs::read_to_string(file).map_err(|why| wrong(&why))?;
    target.trusting(pem).map_err(|why| wrong(&why))
}

fn sender(value: &str) -> Result<String, SettingError> {
    let address = value.rsplit_once('<').map_or(value, |(_, rest)| rest.trim_end_matches('>'));
    domain::person::Email::parse(address).map_err(|_| {
        SettingError(format!(
            "HOMESTRETCH_MAIL_FROM: “{value}” is not a sender such as Riverside Physio <hello@riverside.example>."
        ))
    })?;
    Ok(value.to_owned())
}

/// The known name with the fewest changed letters.
fn nearest(name: &str) -> &'static str {
    NAMES.iter().copied().min_by_key(|known| distance(name, known)).unwrap_or("HOMESTRETCH_DATA")
}

/// Levenshtein's distance, in bytes; names are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut map: BTreeMap<String, String> = [("HOME".to_owned(), "/home/mei".to_owned())].into();
        map.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Settings::read(&map, false).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_the_demo() {
        let settings = given(&[]).unwrap();
        assert_eq!(settings.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.metrics_bind.to_string(), "127.0.0.1:9464");
        assert_eq!(settings.url, "http://localhost:8080");
        assert_eq!(settings.data, PathBuf::from("/home/mei/.local/share/homestretch"));
        assert!(settings.own_database().is_none());
    }

    #[test]
    fn another_port_moves_the_links_along() {
        let settings = given(&[("HOMESTRETCH_BIND", "127.0.0.1:9000")]).unwrap();
        assert_eq!(settings.url, "http://localhost:9000");
    }

    #[test]
    fn root_keeps_its_data_where_another_user_can_enter() {
        let settings = Settings::read(&BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]), true).unwrap();
        assert_eq!(settings.data, PathBuf::from("/var/lib/homestretch"));
    }

    #[test]
    fn every_wrong_value_is_one_clear_line() {
        for (name, value, says) in [
            ("HOMESTRETCH_BIND", "abc", "HOMESTRETCH_BIND: “abc” is not an address and a port, such as 127.0.0.1:8080."),
            ("HOMESTRETCH_BIND", "127.0.0.1:99999", "is not an address and a port"),
            ("HOMESTRETCH_METRICS_BIND", "9464", "HOMESTRETCH_METRICS_BIND: “9464” is not an address and a port"),
            ("HOMESTRETCH_URL", "clinic.example", "is not an origin such as https://clinic.example."),
            ("HOMESTRETCH_URL", "https://clinic.example/app", "is not an origin"),
            ("HOMESTRETCH_SECRET", "short", "it has 5 characters and needs at least 32."),
            ("HOMESTRETCH_TRUSTED_PROXIES", "10.0.0.0/8, here", "“here” is not networks such as 10.0.0.0/8"),
            ("HOMESTRETCH_CONNECTIONS_PER_CLIENT", "7", "“7” is not a whole number from 8 to 100000."),
            ("HOMESTRETCH_DRAIN_SECONDS", "-1", "“-1” is not a whole number from 0 to 300."),
            ("HOMESTRETCH_DRAIN_SECONDS", "soon", "“soon” is not a whole number from 0 to 300."),
            ("HOMESTRETCH_MAIL_FROM", "nobody", "is not a sender such as"),
            ("SMTP_URL", "mail.example", "SMTP_URL: "),
            ("HOMESTRETCH_BNID", "x", "there is no such setting. Did you mean HOMESTRETCH_BIND?"),
        ] {
            let said = given(&[(name, value)]).unwrap_err();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_wrong_database_url_is_refused_without_repeating_it() {
        let said = given(&[("DATABASE_URL", "mysql://user:hunter2@host/db")]).unwrap_err();
        assert!(said.starts_with("DATABASE_URL: it must begin with postgres://"), "{said}");
        assert!(!said.contains("hunter2"));
    }

    #[test]
    fn an_authority_that_is_none_is_refused() {
        for (file, says) in
            [("/nowhere/ca.pem", "No such file"), (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "no certificate in PEM")]
        {
            let said = given(&[("SMTP_URL", "smtps://mail.test"), ("HOMESTRETCH_SMTP_CA", file)]).unwrap_err();
            assert!(said.starts_with("HOMESTRETCH_SMTP_CA: ") && said.contains(says), "{said}");
        }
    }

    #[test]
    fn an_empty_value_is_a_setting_left_alone() {
        assert!(given(&[("DATABASE_URL", ""), ("SMTP_URL", " ")]).unwrap().own_database().is_none());
    }

    #[test]
    fn a_missing_one_is_named_with_what_it_is_for() {
        let settings = given(&[]).unwrap();
        assert!(settings.database_url().unwrap_err().to_string().starts_with("DATABASE_URL is not set. It says where Postgres is"));
        assert!(settings.secret().unwrap_err().to_string().contains("openssl rand -hex 32"));
    }
}
