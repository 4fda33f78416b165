//! Opening a connection: to the server that takes writes, in the role that was asked for, and nothing is believed that was not looked at.
//!
//! Role and settings are set by a statement and then read back. As startup options they would be lost without a word behind a pooler that
//! passes none on (pgbouncer), and pages would work as the user in DATABASE_URL, whom row-level security may not bind.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, postgres::PgConnectOptions};
use tokio::time::timeout;

use super::{Address, Step, Timeouts};
use crate::StoreError;

/// What a connection is told before its first use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    /// The role it works in; `None` is the user that DATABASE_URL names.
    pub(crate) role: Option<&'static str>,
    /// How long a statement may take before the server ends it; `None` is as long as it needs.
    pub(crate) statement: Option<Duration>,
    /// How long a transaction may wait for us.
    pub(crate) idle_in_transaction: Duration,
}

impl Session {
    /// The statement that sets it up, and the one that reads back what came of it.
    fn words(&self) -> String {
        let milliseconds = |of: Duration| of.as_millis().to_string();
        let settings = [
            ("statement_timeout", milliseconds(self.statement.unwrap_or_default())),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle_in_transaction)),
            // Notices and warnings on these connections are not read.
            ("client_min_messages", "error".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("row_security", "on".to_owned()),
            // How values are written into a message of several statements, and how its answers are read (see `pipeline`): a database or a role
            // may have other defaults.
            ("standard_conforming_strings", "on".to_owned()),
            ("bytea_output", "hex".to_owned()),
            ("datestyle", "ISO, YMD".to_owned()),
            ("intervalstyle", "postgres".to_owned()),
            // The driver keeps its socket to itself, so it is the server's end that notices a path that is gone: it asks on the same
            // connection, and ends the transaction, with its locks, of a client that no longer answers.
            ("tcp_keepalives_idle", "30".to_owned()),
            ("tcp_keepalives_interval", "10".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            ("tcp_user_timeout", "60000".to_owned()),
        ];
        let mut set: Vec<String> = settings.iter().map(|(name, value)| format!("set_config('{name}', '{value}', false)")).collect();
        if let Some(role) = self.role {
            set.push(format!("set_config('role', '{role}', false)"));
        }
        // A server that is working or waiting for a lock for a client that has gone stops: else it would keep its locks until the statement's
        // limit, in the way of the same client's next try. Not every system can tell.
        let check = "select set_config('client_connection_check_interval', '1000', false)
             where version() ~* '(linux|apple|darwin|bsd)' and current_setting('server_version_num')::int >= 140000";
        format!(
            "{check};
             select {};
             select current_user::text as role, r.rolsuper or r.rolbypassrls as unbound,
               pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only
             from pg_roles r where r.rolname = current_user",
            set.join(", ")
        )
    }
}

/// A connection to the first server that answers and takes writes, set up as asked. The server that was usable last is tried first. Each
/// server has the whole limit.
///
/// # Errors
/// [`StoreError::TimedOut`], [`StoreError::Unavailable`] when no server can be used; [`StoreError::WrongRole`] when the connection is not
/// in the role that was asked for, or that role is bound by no policy.
pub(crate) async fn connect(address: &Address, session: Session, timeouts: &Timeouts) -> Result<PgConnection, StoreError> {
    let mut last = StoreError::Unavailable("the address names no server".into());
    for (place, server) in address.in_turn() {
        let opened = timeout(timeouts.connect, open(server, session)).await;
        match opened {
            Ok(Ok(connection)) => {
                address.was_usable(place);
                return Ok(connection);
            }
            // Another server would be asked by another way, and say the same.
            Ok(Err(wrong @ StoreError::WrongRole { .. })) => return Err(wrong),
            Ok(Err(error)) => last = error,
            Err(_) => last = StoreError::TimedOut(Step::Connect),
        }
    }
    Err(last)
}

async fn open(server: &PgConnectOptions, session: Session) -> Result<PgConnection, StoreError> {
    let options = server
        .clone()
        .application_name("homestretch")
        // Poolers refuse what they do not know, and every server we work with writes numbers in full by itself.
        .extra_float_digits(None)
        // Every statement of the program stays prepared; there are some two hundred.
        .statement_cache_capacity(500);
    let mut connection = PgConnection::connect_with(&options).await.map_err(unopened)?;
    let answers = connection.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(session.words()))).await;
    let answers = answers.map_err(|error| match (&error, session.role) {
        // 42501: not a member of the role. 22023: there is no such role.
        (sqlx::Error::Database(said), Some(role)) if matches!(said.code().as_deref(), Some("42501" | "22023")) => {
            StoreError::WrongRole { asked: role, why: said.message().to_owned() }
        }
        _ => unopened(error),
    })?;
    let unread = || StoreError::Unavailable("the server does not say who we are".into());
    let row = answers.last().ok_or_else(unread)?;
    let read = |name: &str| row.try_get::<bool, _>(name).map_err(|_| unread());
    let is: String = row.try_get("role").map_err(|_| unread())?;
    if let Some(asked) = session.role {
        if is != asked {
            return Err(StoreError::WrongRole { asked, why: format!("the connection works as {is}") });
        }
        if read("unbound")? {
            return Err(StoreError::WrongRole { asked, why: "it is a superuser or has BYPASSRLS, so no policy binds it".into() });
        }
    }
    if read("read_only")? {
        return Err(StoreError::ReadOnly);
    }
    Ok(connection)
}

/// A server that cannot be reached and one that refuses the connection are the same to a page.
fn unopened(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(said) => StoreError::Unavailable(said.message().to_owned()),
        sqlx::Error::Io(why) => StoreError::Unavailable(why.to_string()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Whether a pooler between us and the server hands a connection on between transactions, so that what one connection is told holds for
/// another: then no role and no setting can be relied on.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn pooled_in_transactions(address: &Address, session: Session, timeouts: &Timeouts) -> Result<bool, StoreError> {
    let look = async {
        let mut one = connect(address, session, timeouts).await?;
        let mut other = connect(address, session, timeouts).await?;
        let mut shared = false;
        // A transaction of the other holds whatever server connection it was given; what the first one was told must be where it was told.
        for round in 0..3 {
            let mark = format!("{round} {}", uuid::Uuid::now_v7());
            let told: i32 = told(&mut one, &format!("set_config('homestretch.mark', '{mark}', false)")).await?.0;
            other.execute("begin").await?;
            let (theirs, seen) = told_of(&mut other).await?;
            let (ours, kept) = told_of(&mut one).await?;
            other.execute("rollback").await?;
            shared |= theirs == told || seen == mark || ours != told || kept != mark;
        }
        // They have served their purpose; the server notices if saying goodbye fails.
        let _ = one.close().await;
        let _ = other.close().await;
        Ok(shared)
    };
    // Two connections, each with the time of every server, and as much again for the questions.
    timeout(timeouts.connect * (2 * address.count() + 1), look).await.unwrap_or(Err(StoreError::TimedOut(Step::Connect)))
}

/// Which of the server's processes answers, and the mark it was left.
async fn told_of(connection: &mut PgConnection) -> Result<(i32, String), StoreError> {
    told(connection, "coalesce(current_setting('homestretch.mark', true), '')").await
}

async fn told(connection: &mut PgConnection, words: &str) -> Result<(i32, String), StoreError> {
    let sql = format!("select {words} as mark, pg_backend_pid() as process");
    let row = connection.fetch_one(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await?;
    Ok((row.try_get("process")?, row.try_get("mark")?))
}
