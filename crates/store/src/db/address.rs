//! `DATABASE_URL`: one server, or several of which one takes writes.
//!
//! The driver knows one host and passes over parameters it does not know. Here several hosts work (`postgres://user@a:5432,b:5433/db`),
//! and a parameter that would do nothing is refused by its name.

use std::{
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;

use crate::StoreError;

/// Parameters that the driver heeds.
const HEEDED: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "target_session_attrs",
];

/// Where the database may be.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// In the order in which they are written.
    servers: Vec<PgConnectOptions>,
    /// The place of the server that was usable last. Clones share it: a server that does not answer costs one connection its whole limit,
    /// and the other connections begin with the one that was found instead.
    last_usable: Arc<AtomicUsize>,
}

impl Address {
    /// Reads an address. What is wrong is said without repeating it: it may hold a password.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |why: String| StoreError::Address(why);
        let scheme = ["postgres://", "postgresql://"].into_iter().find(|scheme| url.starts_with(scheme));
        let Some(scheme) = scheme else { return Err(wrong("it does not begin with postgres://".into())) };
        let rest = &url[scheme.len()..];
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let at = if authority.contains('@') { "@" } else { "" };
        let tail = heeded(tail)?;
        let options = hosts.split(',').map(|host| {
            PgConnectOptions::from_str(&format!("{scheme}{user}{at}{host}{tail}")).map_err(|why| match why {
                sqlx::Error::Configuration(why) => wrong(why.to_string()),
                other => wrong(other.to_string()),
            })
        });
        Ok(Self { servers: options.collect::<Result<_, _>>()?, last_usable: Arc::default() })
    }

    /// Each server, in the order in which they are written.
    pub(crate) fn servers(&self) -> &[PgConnectOptions] {
        &self.servers
    }

    /// How many servers there are, for limits that hold for all of them together.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.servers.len()).unwrap_or(u32::MAX)
    }

    /// Each server once, with its place: first the one that was usable last, then those after it, going round.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = (usize, &PgConnectOptions)> {
        let first = self.last_usable.load(Ordering::Relaxed);
        self.servers.iter().enumerate().cycle().skip(first).take(self.servers.len())
    }

    /// Remembers that the server at this place was usable.
    pub(crate) fn was_usable(&self, place: usize) {
        self.last_usable.store(place, Ordering::Relaxed);
    }
}

/// The path and the parameters, without those that are ours to heed.
fn heeded(tail: &str) -> Result<String, StoreError> {
    let Some((path, query)) = tail.split_once('?') else { return Ok(tail.to_owned()) };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            // Every page writes down who looked, so a server that takes no writes is of no use: this is always asked for.
            "target_session_attrs" if matches!(value, "read-write" | "primary") => {}
            "target_session_attrs" => {
                return Err(StoreError::Address(format!(
                    "its parameter target_session_attrs is {value}, and Homestretch works on a server that takes writes alone: read-write \
                     (or leave it out)"
                )));
            }
            "host" | "hostaddr" if value.contains(',') || value.to_ascii_lowercase().contains("%2c") => {
                return Err(StoreError::Address(format!(
                    "its parameter {name} names several servers; write them before the name of the database: \
                     postgres://user@first:5432,second:5432/database"
                )));
            }
            name if HEEDED.contains(&name) || name.starts_with("options[") => kept.push(pair),
            name => {
                return Err(StoreError::Address(format!(
                    "its parameter {name} is none that Homestretch heeds; times to wait are settings of their own (HOMESTRETCH_DB_…)"
                )));
            }
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok(format!("{path}{query}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn servers(url: &str) -> Vec<String> {
        let address = Address::parse(url).unwrap();
        address
            .servers()
            .iter()
            .map(|one| format!("{}:{}/{}", one.get_host(), one.get_port(), one.get_database().unwrap_or("-")))
            .collect()
    }

    #[test]
    fn several_servers_are_tried_in_their_order() {
        assert_eq!(servers("postgres://mei:p%40ss@a.example:5433/clinic"), ["a.example:5433/clinic"]);
        assert_eq!(
            servers("postgres://mei:p%40ss@a.example,b.example:5434/clinic?target_session_attrs=read-write&sslmode=require"),
            ["a.example:5432/clinic", "b.example:5434/clinic",]
        );
    }

    #[test]
    fn the_server_that_was_usable_last_is_tried_first_by_every_clone() {
        let address = Address::parse("postgres://a,b,c/clinic").unwrap();
        let order = |address: &Address| address.in_turn().map(|(_, one)| one.get_host().to_owned()).collect::<Vec<_>>();
        assert_eq!(order(&address), ["a", "b", "c"]);
        address.clone().was_usable(1);
        assert_eq!(order(&address), ["b", "c", "a"]);
        address.was_usable(2);
        assert_eq!(order(&address.clone()), ["c", "a", "b"]);
    }

    #[test]
    fn what_would_do_nothing_is_refused_by_its_name_and_no_password_is_repeated() {
        for (url, names) in [
            ("postgres://mei:hush@a/clinic?target_session_attrs=standby", "target_session_attrs is standby"),
            ("postgres://mei:hush@a/clinic?target_session_attrs=any", "target_session_attrs is any"),
            ("postgres://mei:hush@a/clinic?keepalives_idle=5", "parameter keepalives_idle"),
            ("postgres://mei:hush@a/clinic?connect_timeout=5", "parameter connect_timeout"),
            ("postgres://mei:hush@/clinic?host=a,b", "parameter host names several"),
            ("mysql://mei:hush@a/clinic", "does not begin with postgres://"),
            ("postgres://mei:hush@a:port/clinic", "port"),
        ] {
            let said = Address::parse(url).unwrap_err().to_string();
            assert!(said.contains(names) && !said.contains("hush"), "{url}: {said}");
        }
    }
}
