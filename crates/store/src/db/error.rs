//! What can go wrong in the store, told apart by what the caller can do about it.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::db::Step;

/// An error of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The row is not there, or not within the caller's scope: the two are never told apart.
    #[error("not found")]
    NotFound,
    /// The request's session ended, its member was disabled or has another role, or its record was closed, after the request was admitted. Nothing was
    /// changed.
    #[error("signed out")]
    SignedOut,
    /// A constraint refused the change; `constraint` is its name in the schema (a caller that expects it matches on it).
    #[error("conflict with {constraint}")]
    Conflict {
        /// The name of the constraint or unique index.
        constraint: String,
    },
    /// A row holds what the domain refuses. The row was written by something else than this program, or by a wrong version of it.
    #[error("corrupt row in {table}.{column} (id {id}): {why}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The id of the row, as text.
        id: String,
        /// What the domain said.
        why: String,
    },
    /// The database cannot be reached, is starting or stopping, or has no connection to spare. Trying again later may work.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A step took longer than it may ([`Timeouts`](crate::Timeouts)); its connection is closed. Nothing of the transaction was saved.
    #[error("the database did not answer in time (step: {0})")]
    TimedOut(Step),
    /// The answer to a COMMIT did not come: whether the work was saved is unknown.
    #[error("unknown whether it was saved: {0}")]
    Unconfirmed(String),
    /// The server takes no writes: a standby, or one that was made read-only.
    #[error("the database takes no writes (it is a standby or read-only)")]
    ReadOnly,
    /// The connection does not work in the role that was asked for, or that role is bound by no policy. Nothing may be served over it.
    #[error(
        "the database connection is not in the role {asked}: {why}. Nothing is served, because row-level security may not hold"
    )]
    WrongRole {
        /// The role that was asked for.
        asked: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A pooler hands connections on between transactions, so that no role can be relied on.
    #[error(
        "there is a pooler in transaction or statement mode before the database: roles and settings would pass to other clients. Use \
         its session mode, or connect without it"
    )]
    PooledInTransactions,
    /// DATABASE_URL cannot be used. The text does not repeat it.
    #[error("the address cannot be read: {0}")]
    Address(String),
    /// The schema is not the one this program expects.
    #[error("the database needs `homestretch migrate`: {0}")]
    NotMigrated(String),
    /// A restore of this database was begun and not finished: nothing may work on it. The text is for people.
    #[error("the database cannot be used: {0}")]
    HalfRestored(String),
    /// A migration could not have the locks it needs in time. Nothing was changed; it can be run again.
    #[error(
        "migration {version} could not have its locks, because something else is using the database: nothing was changed; run it again, at a quieter time or with the long transaction ended"
    )]
    Locked {
        /// The migration's number.
        version: i64,
    },
    /// A rule of the domain refused what was asked inside a transaction; nothing was changed. The text is for people.
    #[error("{0}")]
    Refused(String),
    /// Anything else: a fault in the program.
    #[error("database error: {0}")]
    Other(String),
}

impl StoreError {
    /// A row that the domain refuses.
    pub fn corrupt(table: &'static str, column: &'static str, id: impl ToString, why: impl ToString) -> Self {
        Self::Corrupt { table, column, id: id.to_string(), why: why.to_string() }
    }

    /// Whether the database is away, for whatever reason: trying again later may work.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut(_) | Self::Unconfirmed(_) | Self::ReadOnly)
    }

    /// Whether this is a conflict with the named constraint.
    pub fn conflicts_with(&self, name: &str) -> bool {
        matches!(self, Self::Conflict { constraint } if constraint == name)
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(error.to_string()),
            DbErr::Exec(RuntimeErr::SqlxError(sqlx)) | DbErr::Query(RuntimeErr::SqlxError(sqlx)) => from_sqlx(sqlx),
            DbErr::RecordNotFound(_) => Self::NotFound,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<SqlxError> for StoreError {
    fn from(error: SqlxError) -> Self {
        from_sqlx(&error)
    }
}

fn from_sqlx(error: &SqlxError) -> StoreError {
    match error {
        SqlxError::Database(db) => match db.code().as_deref() {
            // unique, foreign key, check and exclusion violations
            Some("23505" | "23503" | "23514" | "23P01") => {
                StoreError::Conflict { constraint: db.constraint().unwrap_or("unknown").to_owned() }
            }
            Some("57014") => StoreError::TimedOut(Step::Statement),
            Some("25006") => StoreError::ReadOnly,
            // Connection exceptions, shutting down or starting up, no disk or memory or connection left, a lock that was not to be had in time
            // or not without a deadlock, a transaction that was ended because it waited, an error of the machine's.
            Some(code)
                if ["08", "57P", "53", "55P03", "40P01", "25P03", "25P04", "58"].iter().any(|kind| code.starts_with(kind)) =>
            {
                StoreError::Unavailable(db.message().to_owned())
            }
            _ => StoreError::Other(error.to_string()),
        },
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed | SqlxError::Tls(_) => {
            StoreError::Unavailable(error.to_string())
        }
        SqlxError::RowNotFound => StoreError::NotFound,
        _ => StoreError::Other(error.to_string()),
    }
}
