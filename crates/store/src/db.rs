//! The connection itself: where the database is, how long each step on the wire may take, and who we are on it.

mod address;
mod connect;
pub(crate) mod context;
mod error;
mod pipeline;
mod pool;
pub(crate) mod schema;
mod store;
pub(crate) mod transaction;
mod tx;

use std::time::Duration;

pub(crate) use address::Address;
pub(crate) use connect::{Session, connect, pooled_in_transactions};
pub use context::{Actor, ClinicContext, SessionRequest};
pub use error::StoreError;
pub use store::{CONNECTIONS, Store};
pub use tx::Tx;

/// Whether an address can be used, without connecting.
///
/// # Errors
/// What is wrong, in words that do not repeat the address: it may hold a password.
pub fn check_address(url: &str) -> Result<(), String> {
    match Address::parse(url) {
        Err(StoreError::Address(why)) => Err(why),
        Err(other) => Err(other.to_string()),
        Ok(_) => Ok(()),
    }
}

/// How long each step with the database may take. A connection on which a step takes longer is closed, never used again: what its
/// server still says belongs to no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection, and the first answer of one that was idle where another can be asked instead: beginning a transaction, and a
    /// look outside any. Waiting for a free one may take this long more for each server of the address.
    pub connect: Duration,
    /// One statement. The server is told to end it by then; what it does not answer a little later is given up.
    pub statement: Duration,
    /// A COMMIT, with what is written in the same message.
    pub commit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), statement: Duration::from_secs(20), commit: Duration::from_secs(10) }
    }
}

impl Timeouts {
    /// How long to wait for the answer to a statement. The server's own limit comes first, because it says what was too slow, and its
    /// connection can be used again.
    pub(crate) fn answer(&self) -> Duration {
        self.statement + Duration::from_secs(2)
    }
}

/// A step with the database that has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening a connection, up to the role it works in.
    Connect,
    /// Waiting for one of the pool's connections to be free.
    Checkout,
    /// Beginning a transaction.
    Begin,
    /// A statement.
    Statement,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Checkout => "checkout",
            Self::Begin => "begin",
            Self::Statement => "statement",
        })
    }
}
