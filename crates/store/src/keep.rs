//! Keeping the whole database safe: what a backup must hold, what a restored database is compared with, and the steps of a restore.
//!
//! The bytes themselves go through pg_dump and pg_restore; this module speaks to the server around them. [`Snapshot`] looks at one
//! moment of a database, [`Target`] is the database that a backup is restored into, [`Contents`] is what the two are compared by.

mod chain;
mod contents;
mod restore;
mod snapshot;

use std::{collections::BTreeMap, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions, postgres::PgSslMode};

use crate::{StoreError, db::Address};

pub use chain::{Chains, Fault, Head};
pub use contents::{Contents, Shape};
pub(crate) use restore::unfinished;
pub use restore::{Existing, Finished, Target, newest_schema};
pub use snapshot::{Reader, Snapshot};

/// How Postgres's own programs are told where to connect: environment variables of libpq by name. The password is among them, so they
/// belong into the environment of a process and nowhere else.
///
/// # Errors
/// [`StoreError::Unavailable`] when the address cannot be read.
pub fn libpq(url: &str) -> Result<BTreeMap<&'static str, String>, StoreError> {
    let address = Address::parse(url)?;
    let options = first(&address)?;
    // Of several servers these programs find the one that takes writes by themselves.
    let several = |of: fn(&PgConnectOptions) -> String| address.servers().iter().map(of).collect::<Vec<_>>().join(",");
    let mut given = BTreeMap::from([
        ("PGPORT", several(|server| server.get_port().to_string())),
        ("PGTARGETSESSIONATTRS", if address.servers().len() > 1 { "read-write" } else { "any" }.to_owned()),
        ("PGUSER", options.get_username().to_owned()),
        ("PGDATABASE", database(options)),
        ("PGCONNECT_TIMEOUT", "10".to_owned()),
    ]);
    let host = |server: &PgConnectOptions| match server.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => server.get_host().to_owned(),
    };
    given.insert("PGHOST", several(host));
    let mode = match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    given.insert("PGSSLMODE", mode.to_owned());
    // The options keep these to themselves; the address says them.
    if let Some(password) = options.to_url_lossy().password() {
        given.insert("PGPASSWORD", percent_decoded(password)?);
    }
    for pair in url.split_once('?').map(|(_, query)| query.split('&')).into_iter().flatten() {
        let name = match pair.split_once('=') {
            Some(("sslrootcert" | "ssl-root-cert" | "ssl-ca", _)) => "PGSSLROOTCERT",
            Some(("sslcert" | "ssl-cert", _)) => "PGSSLCERT",
            Some(("sslkey" | "ssl-key", _)) => "PGSSLKEY",
            _ => continue,
        };
        given.insert(name, percent_decoded(pair.split_once('=').map(|(_, value)| value).unwrap_or_default())?);
    }
    Ok(given)
}

fn percent_decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match hex {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| StoreError::Unavailable("the address is not UTF-8".into()))
}

fn first(address: &Address) -> Result<&PgConnectOptions, StoreError> {
    address.servers().first().ok_or_else(|| StoreError::Address("it names no server".into()))
}

/// The server that an address names; of several, the first that takes writes.
async fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let address = Address::parse(url)?;
    if let [server] = address.servers() {
        return Ok(server.clone());
    }
    for server in address.servers() {
        if let Ok(mut db) = connect(server, "homestretch").await {
            let standby: Result<bool, _> = sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut db).await;
            let _ = db.close().await;
            if matches!(standby, Ok(false)) {
                return Ok(server.clone());
            }
        }
    }
    Err(StoreError::Unavailable("none of the servers that the address names takes writes".into()))
}

/// The database an address names; one that names none means the user's own.
fn database(options: &PgConnectOptions) -> String {
    options.get_database().unwrap_or_else(|| options.get_username()).to_owned()
}

/// A connection of its own, outside every pool, that may take its time.
async fn connect(options: &PgConnectOptions, name: &str) -> Result<PgConnection, sqlx::Error> {
    let options = options
        .clone()
        .application_name(name)
        .options([
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("client_min_messages", "error"),
            ("timezone", "UTC"),
        ])
        .disable_statement_logging();
    match tokio::time::timeout(Duration::from_secs(10), PgConnection::connect_with(&options)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::other("no answer within 10 seconds"))),
    }
}

/// What the server said, in one line for people.
fn said(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(why) => StoreError::Unavailable(why.message().replace('\n', " ")),
        sqlx::Error::Io(why) => StoreError::Unavailable(why.to_string()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// A name as SQL wants it. The names come from the catalog or were checked before.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_address_becomes_what_libpq_reads() {
        let given =
            libpq("postgres://mei:p%40ss%2F1@db.example:5433/clinic?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem").unwrap();
        let of = |name: &str| given.get(name).map(String::as_str);
        assert_eq!(of("PGHOST"), Some("db.example"));
        assert_eq!(of("PGPORT"), Some("5433"));
        assert_eq!(of("PGUSER"), Some("mei"));
        assert_eq!(of("PGPASSWORD"), Some("p@ss/1"));
        assert_eq!(of("PGDATABASE"), Some("clinic"));
        assert_eq!(of("PGSSLMODE"), Some("verify-full"));
        assert_eq!(of("PGSSLROOTCERT"), Some("/etc/ca.pem"));
    }

    #[test]
    fn a_socket_is_a_host_and_no_password_is_none() {
        let given = libpq("postgres://homestretch@localhost/postgres?host=%2Fvar%2Flib%2Fx%2Frun").unwrap();
        assert_eq!(given["PGHOST"], "/var/lib/x/run");
        assert!(!given.contains_key("PGPASSWORD"));
    }
}
