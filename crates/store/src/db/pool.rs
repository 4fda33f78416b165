//! A pool of connections in one role.
//!
//! It opens connections when they are needed, up to its size, and keeps them. It is our own because sqlx's pings each connection that
//! comes back, which costs a round trip a transaction, and cannot begin a transaction with several statements in one message.
//!
//! Every await on the wire has a limit ([`Timeouts`]). A connection past its limit is closed, and so are those that were idle
//! meanwhile: what silences one connection (a frozen machine, a path that is gone) mostly silences all that were open, and new ones work.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use sea_orm::{QueryResult, Value};
use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgRow};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    Address, Session, Step,
    context::lock,
    pipeline::{self, Prepared, Question},
};
use crate::{StoreError, Timeouts, db};

/// A connection that was idle for longer is closed instead of used: something on the way may have forgotten it.
const MOST_IDLE: Duration = Duration::from_secs(5 * 60);

/// A connection that was idle for longer is asked whether it is still there before a statement that cannot be tried twice.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A connection that is free, since when, and what is prepared on it.
struct IdleConnection {
    connection: PgConnection,
    prepared: Prepared,
    since: Instant,
}

/// Some connections, all in one role from their first moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pool(pub(super) Arc<Shared>);

pub(super) struct Shared {
    address: Address,
    session: Session,
    pub(super) timeouts: Timeouts,
    /// One for each connection; its holder may take a free connection or open one.
    permits: Arc<Semaphore>,
    pub(super) size: u32,
    free: Mutex<Vec<IdleConnection>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("session", &self.session).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Pool {
    /// At most `size` connections to the database at `address`. Nothing is opened yet.
    pub(crate) fn new(address: &Address, session: Session, timeouts: Timeouts, size: u32) -> Self {
        let permits = Arc::new(Semaphore::new(size as usize));
        Self(Arc::new(Shared { address: address.clone(), session, timeouts, permits, size, free: Mutex::default() }))
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    /// A connection that was used a moment ago or is new.
    pub(super) async fn take(&self) -> Result<PooledConnection, StoreError> {
        // Longer than one that finds its connection dead takes to open another: those who wait for it then get their turn.
        // A dead connection takes one limit to be found out, a new one as many as there are servers.
        let patience = self.0.timeouts.connect * (1 + self.0.address.count());
        let permit = match timeout(patience, self.0.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::Unavailable("the store is closed".to_owned())),
            Err(_) => return Err(StoreError::TimedOut(Step::Checkout)),
        };
        let free = {
            let mut free = self.0.free();
            free.retain(|kept| kept.since.elapsed() < MOST_IDLE);
            free.pop()
        };
        let (connection, prepared, idle) = match free {
            Some(IdleConnection { connection, prepared, since }) => (connection, prepared, Some(since.elapsed())),
            None => (db::connect(&self.0.address, self.0.session, &self.0.timeouts).await?, Prepared::default(), None),
        };
        Ok(PooledConnection { connection, prepared, idle, lost: None, shared: self.0.clone(), permit })
    }

    /// As [`Pool::take`], for what cannot be tried again on another: one that was idle is asked first.
    async fn take_alive(&self) -> Result<PooledConnection, StoreError> {
        loop {
            let mut pooled = self.take().await?;
            if pooled.idle.is_none_or(|idle| idle < ASK_AGAIN) {
                return Ok(pooled);
            }
            let limit = self.0.timeouts.connect;
            match within(limit, Step::Begin, pooled.connection.ping()).await {
                Ok(()) => return Ok(pooled),
                // Those that were idle with it go too, so that this ends.
                Err(_) => self.0.distrust(),
            }
        }
    }

    /// Opens a connection, or finds one that answers: whether the database can be used at all.
    pub(crate) async fn reach(&self) -> Result<(), StoreError> {
        self.take_alive().await?.give_back();
        Ok(())
    }

    /// Whether the server takes writes, asked on a connection that is used as pages use it.
    pub(crate) async fn check_writable(&self) -> Result<(), StoreError> {
        const SQL: &str = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only";
        let rows = look(self, &[(SQL.to_owned(), Vec::new())]).await?;
        let row = rows.into_iter().flatten().next().map(QueryResult::from);
        let read_only = row
            .ok_or_else(|| StoreError::Other("the server does not say whether it takes writes".into()))?
            .try_get::<bool>("", "read_only")
            .map_err(StoreError::from)?;
        if read_only {
            // A new connection may find the server that took over.
            self.0.distrust();
            return Err(StoreError::ReadOnly);
        }
        Ok(())
    }

    /// Reads on a bare connection, within the time of one statement; on another when the first one is dead or silent.
    pub(crate) async fn read<T>(&self, work: impl AsyncFn(&mut PgConnection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        loop {
            let mut pooled = self.take().await?;
            let (limit, fresh) = (pooled.patience_for_a_look(), pooled.idle.is_none());
            let done = timeout(limit, work(&mut pooled.connection)).await;
            let done = done.unwrap_or(Err(StoreError::TimedOut(Step::Statement)));
            match pooled.through(done.map_err(|error| Failure { lost: error.is_away(), error })) {
                // Those that were idle with it are closed too, so that the next one is new.
                Err(error) if error.is_away() && !fresh => {}
                done => return done,
            }
        }
    }

    /// The rows of one statement, which is a transaction by itself: one round trip.
    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let mut pooled = self.take_alive().await?;
        let answer = pooled.connection.fetch_all(pipeline::statement(sql, values));
        let rows = within(self.0.timeouts.answer(), Step::Statement, answer).await;
        let rows = pooled.through(rows)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// As [`Pool::rows`], for how many rows it touched.
    pub(crate) async fn count(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let mut pooled = self.take_alive().await?;
        let answer = pooled.connection.execute(pipeline::statement(sql, values));
        let done = within(self.0.timeouts.answer(), Step::Statement, answer).await;
        Ok(pooled.through(done)?.rows_affected())
    }

    /// Gives out no more connections and closes those that are free; the others close as they come back.
    pub(crate) async fn close(&self) {
        self.0.permits.close();
        let free = std::mem::take(&mut *self.0.free());
        for kept in free {
            // The server notices if saying goodbye fails.
            let _ = timeout(Duration::from_secs(1), kept.connection.close()).await;
        }
    }
}

/// The rows of questions that change nothing, outside any transaction, on whatever connection lives.
pub(super) async fn look(lines: &Pool, questions: &[Question]) -> Result<Vec<Vec<PgRow>>, StoreError> {
    let mut left = lines.0.size;
    loop {
        let mut pooled = lines.take().await?;
        let limit = pooled.patience_for_a_look();
        let PooledConnection { connection, prepared, .. } = &mut pooled;
        match within(limit, Step::Statement, pipeline::all(connection, prepared, questions, None)).await {
            Ok(rows) => {
                pooled.give_back();
                return Ok(rows);
            }
            Err(failure) => {
                let error = pooled.heed(failure);
                if pooled.idle.is_none() || left == 0 {
                    return Err(error);
                }
                // As for a transaction: a dead connection is tried once.
                left -= 1;
            }
        }
    }
}

/// What went wrong with a step on a connection.
pub(super) struct Failure {
    pub(super) error: StoreError,
    /// Whether nothing that is still said on this connection can be believed, or nothing can be done on it.
    pub(super) lost: bool,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let lost = match &error {
            // The server is still there and said no, unless it says that it ends the connection or takes no writes any more.
            sqlx::Error::Database(said) => {
                said.code().is_some_and(|code| ["08", "57P", "25P03", "25P04", "25006"].iter().any(|kind| code.starts_with(kind)))
            }
            _ => true,
        };
        Self { error: error.into(), lost }
    }
}

/// An answer within its time.
pub(super) async fn within<T>(
    limit: Duration,
    step: Step,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    match timeout(limit, answer).await {
        Ok(answered) => answered.map_err(Failure::from),
        Err(_) => Err(Failure { error: StoreError::TimedOut(step), lost: true }),
    }
}

impl Shared {
    fn free(&self) -> MutexGuard<'_, Vec<IdleConnection>> {
        lock(&self.free)
    }

    /// One connection is gone, and what took it may have pooled all that were open: those that are free are closed.
    fn distrust(&self) {
        let free = std::mem::take(&mut *self.free());
        if !free.is_empty() {
            tracing::warn!(
                count = free.len(),
                role = self.session.role,
                "a database connection is gone; those that were idle are closed"
            );
        }
    }
}

/// A connection in use. Dropped, it is closed; only [`PooledConnection::give_back`] keeps it.
pub(super) struct PooledConnection {
    pub(super) connection: PgConnection,
    pub(super) prepared: Prepared,
    /// For how long it was free; `None` for one that was opened for this very use.
    pub(super) idle: Option<Duration>,
    /// Why it must not be used again.
    pub(super) lost: Option<StoreError>,
    pub(super) shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    pub(super) fn timeouts(&self) -> Timeouts {
        self.shared.timeouts
    }

    /// How long to wait for an answer that can be asked for again on another connection. One that was idle may have fallen silent
    /// meanwhile, and waiting for it holds a place in the pool that others need.
    fn patience_for_a_look(&self) -> Duration {
        if self.idle.is_some() { self.timeouts().connect } else { self.timeouts().answer() }
    }

    /// Remembers whether the connection can still be used, and gives the error for the caller.
    pub(super) fn heed(&mut self, failure: Failure) -> StoreError {
        let Failure { error, lost } = failure;
        if lost {
            self.lost = Some(error.clone());
            self.shared.distrust();
        }
        error
    }

    /// The end of its use: kept when it can be used again.
    pub(super) fn through<T>(mut self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        let outcome = outcome.map_err(|failure| self.heed(failure));
        self.give_back();
        outcome
    }

    pub(super) fn give_back(self) {
        let Self { connection, prepared, idle: _, lost, shared, permit } = self;
        if lost.is_none() && !shared.permits.is_closed() && !prepared.spoiled {
            shared.free().push(IdleConnection { connection, prepared, since: Instant::now() });
        }
        // Only now, so that the next holder finds the connection.
        drop(permit);
    }
}
