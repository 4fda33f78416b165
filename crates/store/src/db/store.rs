//! The database by its pools, and the only way into it: a transaction in a role ([`Tx`]), for a clinic's work in one clinic and for one
//! person.
//!
//! A page asks three things of the database: who is there (which also opens the clinic's transaction), what it shows, and to write
//! down who looked (which also commits). See [`Store::authenticate`], [`Store::begin`], [`Store::finish_request`].

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Address, Session, Tx,
    context::{ClinicContext, SessionRequest},
    pool::Pool,
    schema,
    transaction::Transaction,
};
use crate::{
    StoreError, Timeouts,
    convert::{At, to_instant},
    db,
    session::{self, Hold, SignedIn},
};

/// The role that works on the mail queue.
const WORKER: &str = "homestretch_worker";

/// How many connections there may be in one role, where nothing else is said.
pub const CONNECTIONS: u32 = 8;

/// How long a transaction may wait for us before the server ends it. What a request does between two statements takes no time; while a
/// transaction waits, its locks keep others waiting.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);

/// The database, by its connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    address: Address,
    timeouts: Timeouts,
    /// As the user in DATABASE_URL: for the schema's version, never for a clinic's rows.
    owner: Pool,
    app: Pool,
    signin: Pool,
    worker: Pool,
    /// For [`Store::autocommit`]: connections that are never inside a transaction.
    queue: Pool,
}

impl Store {
    /// Opens the database with a pool of the usual size and the usual times to wait. The first connection is made here, so that a wrong
    /// address is known at the start.
    ///
    /// # Errors
    /// [`StoreError::Address`] for an address that cannot be used; [`StoreError::Unavailable`] and the like when the server cannot be
    /// reached, refuses, or takes no writes.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_within(url, CONNECTIONS, Timeouts::default()).await
    }

    /// As [`Store::connect`], with a pool of at most `connections`.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub async fn connect_with(url: &str, connections: u32) -> Result<Self, StoreError> {
        Self::connect_within(url, connections, Timeouts::default()).await
    }

    /// As [`Store::connect`], with a pool of at most `connections` and other times to wait.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub async fn connect_within(url: &str, connections: u32, timeouts: Timeouts) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let pool = |role, size| Pool::new(&address, session(role, timeouts), timeouts, size);
        let store = Self {
            owner: pool(None, 2),
            app: pool(Some("homestretch_app"), connections),
            // Apart, so that a page which holds a transaction and asks for a sign-in cannot wait for itself.
            signin: pool(Some("homestretch_signin"), connections.div_ceil(2).max(2)),
            worker: pool(Some(WORKER), connections),
            queue: pool(Some(WORKER), connections),
            address: address.clone(),
            timeouts,
        };
        store.owner.reach().await?;
        Ok(store)
    }

    /// Brings the schema of the database at `url` up to date, under an advisory lock. Safe to run any number of times, by any
    /// number of processes at once.
    ///
    /// # Errors
    /// As [`Store::connect`]; [`StoreError::NotMigrated`] when a migration fails or a released one was changed.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let timeouts = Timeouts::default();
        // An index of a large table takes what it takes; each migration says how long it waits for its locks.
        let patient = Session { statement: None, ..session(None, timeouts) };
        let mut connection = db::connect(&Address::parse(url)?, patient, &timeouts).await?;
        let outcome = schema::migrate(&mut connection).await;
        // The server notices if saying goodbye fails.
        let _ = sqlx::Connection::close(connection).await;
        outcome
    }

    /// Whether every migration this program knows has been applied.
    ///
    /// # Errors
    /// [`StoreError::NotMigrated`] when one is missing or a restore was not finished, [`StoreError::Unavailable`] and the like when the
    /// database is away.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        self.owner.read(schema::check).await
    }

    /// Whether this program may work here at all, asked once at the start: the schema is the one it needs, each pool is in the role it
    /// asked for and bound by policies, and no pooler hands connections on between transactions.
    ///
    /// # Errors
    /// As [`Store::check_schema`]; [`StoreError::WrongRole`], [`StoreError::PooledInTransactions`].
    pub async fn check(&self) -> Result<(), StoreError> {
        self.check_schema().await?;
        for pool in [&self.app, &self.signin, &self.worker] {
            pool.reach().await?;
        }
        if db::pooled_in_transactions(&self.address, session(Some("homestretch_app"), self.timeouts), &self.timeouts).await? {
            return Err(StoreError::PooledInTransactions);
        }
        Ok(())
    }

    /// Whether pages can be served now: the pools that pages use have a connection that answers and takes writes, and the schema is the
    /// one this program needs.
    ///
    /// # Errors
    /// As [`Store::check_schema`]; [`StoreError::ReadOnly`] for a standby.
    pub async fn ready(&self) -> Result<(), StoreError> {
        tokio::try_join!(self.app.check_writable(), self.signin.check_writable(), self.check_schema()).map(|_| ())
    }

    /// What time it is where the database runs: leases and dues of several workers only agree when their clocks do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and the like when the database is away.
    pub async fn clock(&self) -> Result<Timestamp, StoreError> {
        let rows = self.owner.rows("select clock_timestamp() as at", Vec::new()).await?;
        let at = rows.first().map(|row| row.try_get::<At>("", "at")).transpose()?;
        at.and_then(to_instant).ok_or_else(|| StoreError::Other("the database does not know the time".into()))
    }

    /// Closes every connection.
    pub async fn close(self) {
        for lines in [&self.owner, &self.app, &self.signin, &self.worker, &self.queue] {
            lines.close().await;
        }
    }

    /// Who comes with this token, if its session lives: not past its end, not idle for too long, its seat neither disabled nor taken
    /// away. One round trip, which also opens the clinic's transaction; with [`SessionRequest::keep_open`] it stays open for the first work in the
    /// scope that [`SignedIn`] carries.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a row the domain refuses; those of the database.
    pub async fn authenticate(&self, request: SessionRequest) -> Result<Option<SignedIn>, StoreError> {
        let (transaction, rows) = Transaction::open(&self.app, session::opening_words(&request)).await?;
        let admitted = session::admitted(&rows);
        match admitted {
            Ok(Some(row)) if request.keep_open => session::signed_in(row, &request, Some(transaction)).map(Some),
            Ok(Some(row)) => {
                // When it was last seen is kept. Should the answer not come, nothing of the request's own work is in doubt.
                transaction.commit(String::new()).await.map_err(|error| match error {
                    StoreError::Unconfirmed(why) => StoreError::Unavailable(why),
                    other => other,
                })?;
                session::signed_in(row, &request, None).map(Some)
            }
            Ok(None) => transaction.roll_back().await.map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Begins a transaction inside one clinic, under row-level security. A request that looked its session up and held that transaction open
    /// goes on in it.
    ///
    /// A request that may change something was admitted in an earlier transaction, perhaps long before its body arrived. So its session is
    /// checked again here, with BEGIN, and its row locked: ending the session, disabling the member or changing the role is committed before
    /// this transaction or after it.
    ///
    /// # Errors
    /// [`StoreError::SignedOut`] when the session is over or its role changed; those of the database.
    pub async fn begin(&self, context: &ClinicContext) -> Result<Tx, StoreError> {
        match context.take_open() {
            Some(transaction) => Ok(Tx::resumed(transaction, context)),
            None => Ok(Tx::begun(open_in(&self.app, context, Hold::Session).await?, Some(context))),
        }
    }

    /// As [`Store::begin`], for a first look before the work: nothing is locked, and [`Tx::hold_open`] leaves the request's transaction to
    /// the work that follows.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub async fn begin_look(&self, context: &ClinicContext) -> Result<Tx, StoreError> {
        match context.take_open() {
            Some(transaction) => Ok(Tx::resumed(transaction, context)),
            None => Ok(Tx::begun(open_in(&self.app, context, Hold::Nothing).await?, Some(context))),
        }
    }

    /// Begins a transaction before a clinic is known: accounts, sign-in sessions, links.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_sign_in(&self) -> Result<Tx, StoreError> {
        Ok(Tx::begun(Transaction::open(&self.signin, String::new()).await?.0, None))
    }

    /// As [`Store::begin_sign_in`], for a signed-in request that changes accounts or sessions: the session is checked and locked as in
    /// [`Store::begin`], after its account.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub async fn begin_sign_in_as(&self, context: &ClinicContext) -> Result<Tx, StoreError> {
        Ok(Tx::begun(open_in(&self.signin, context, Hold::Account).await?, None))
    }

    /// For reads as in [`Store::begin_sign_in`] that need not agree with each other: no transaction, one round trip each. A statement that
    /// writes is refused.
    pub fn sign_in_reads(&self) -> Tx {
        Tx::begun(Transaction::loose(&self.signin), None)
    }

    /// Begins a transaction on the mail queue, across clinics.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_worker(&self) -> Result<Tx, StoreError> {
        Ok(Tx::begun(Transaction::open(&self.worker, String::new()).await?.0, None))
    }

    /// For the mail queue, across clinics, with statements that each commit by themselves. For work that is one statement, or only reads:
    /// it costs a sixth of the round trips of [`Store::begin_worker`].
    pub fn autocommit(&self) -> Tx {
        Tx::autocommit(&self.queue)
    }

    /// The end of a request: commits the transaction that it still holds, and writes what is left to note. Nothing to do for most.
    ///
    /// # Errors
    /// Those of the database; what was looked at must then not be shown.
    pub async fn finish_request(&self, scope: &ClinicContext) -> Result<(), StoreError> {
        let (transaction, words) = (scope.take_open(), scope.audit_of_reads(Vec::new()));
        match transaction {
            None if words.is_empty() => Ok(()),
            None => Transaction::open(&self.app, scope.settings()).await?.0.commit(words).await,
            Some(transaction) => transaction.commit(words).await,
        }
    }

    /// The end of a request that was refused: what it noted did not happen; that it was refused is written down. `detail` is the
    /// pattern of the address, not the address itself.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refuse_request(&self, scope: &ClinicContext, detail: &str) -> Result<(), StoreError> {
        scope.refused(detail);
        self.finish_request(scope).await
    }
}

/// Opens a transaction in this context, if the request's session is still valid for it.
async fn open_in(pool: &Pool, context: &ClinicContext, hold: Hold) -> Result<Transaction, StoreError> {
    let (transaction, rows) = Transaction::open(pool, context.beginning(hold)).await?;
    let resumed = if context.is_within_a_request() { session::resumed(&rows)? } else { None };
    if context.goes_on(resumed) {
        return Ok(transaction);
    }
    transaction.roll_back().await?;
    Err(StoreError::SignedOut)
}

/// What a pool's connections are told before their first use.
fn session(role: Option<&'static str>, timeouts: Timeouts) -> Session {
    Session { role, statement: Some(timeouts.statement), idle_in_transaction: IDLE_IN_TRANSACTION }
}
