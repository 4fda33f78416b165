//! Connections in one role, and transactions on them: one task a transaction.
//!
//! Whoever asked may go away at any moment: the task sees that nobody is left who could ask, and rolls back; a COMMIT that was asked
//! for is carried through. So no connection goes back inside a transaction, and none brings somebody else's clinic along. Should one
//! do so all the same (a fault of this file), the first words of the next transaction end it: reset, BEGIN and settings travel
//! together and cost one round trip.
//!
//! The pool is our own because sqlx's asks each connection that comes back whether it still lives, which is a round trip a
//! transaction, and has no way to begin with several words at once. It opens connections when they are needed, up to its size, keeps
//! them, and tries a dead one no more than once.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{QueryResult, Value, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    Connection as _, Executor as _, PgConnection, Postgres,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::StoreError;

/// Ends what a connection may have brought along, then begins. A ROLLBACK alone would write a warning into the server's log each time
/// there is nothing to roll back.
const BEGIN: &str = "START TRANSACTION; ROLLBACK; START TRANSACTION";

/// How long to wait for a connection before the database counts as away.
const PATIENCE: Duration = Duration::from_secs(5);

/// What every connection is told when it is opened.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    // A transaction that nobody works on is ended by the server.
    ("idle_in_transaction_session_timeout", "60s"),
    ("statement_timeout", "30s"),
    // Nobody reads notices and warnings on these connections.
    ("client_min_messages", "error"),
    ("timezone", "UTC"),
];

/// Some connections, all in one role from their first moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    /// One a connection; whoever holds it may take a free one or open one.
    permits: Arc<Semaphore>,
    size: u32,
    free: Mutex<Vec<PgConnection>>,
}

impl Lines {
    /// At most `size` connections to the database at `url`, in `role`. Nothing is opened yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the address cannot be read.
    pub(crate) fn new(url: &str, role: &'static str, size: u32) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
            .options(SETTINGS)
            .options([("role", role)])
            .application_name("homestretch")
            // Every statement of the program stays prepared; there are some two hundred.
            .statement_cache_capacity(500);
        let permits = Arc::new(Semaphore::new(size as usize));
        Ok(Self(Arc::new(Shared { options, permits, size, free: Mutex::default() })))
    }

    async fn take(&self) -> Result<Taken, StoreError> {
        let away = |why: &str| StoreError::Unavailable(why.to_owned());
        let permit = match timeout(PATIENCE, self.0.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(away("the store is closed")),
            Err(_) => return Err(away("every connection is in use")),
        };
        let free = self.0.free().pop();
        let (connection, fresh) = match free {
            Some(connection) => (connection, false),
            None => match timeout(PATIENCE, PgConnection::connect_with(&self.0.options)).await {
                Ok(opened) => (opened.map_err(unopened)?, true),
                Err(_) => return Err(away("no answer within 5 seconds")),
            },
        };
        Ok(Taken { connection, fresh, shared: self.0.clone(), permit })
    }

    /// Lets nobody in any more and says goodbye on the connections that are free; the others close as they come back.
    pub(crate) async fn close(&self) {
        self.0.permits.close();
        let free = std::mem::take(&mut *self.0.free());
        for connection in free {
            // The server notices if saying goodbye fails.
            let _ = connection.close().await;
        }
    }
}

/// A server that cannot be reached and one that refuses to let us in are the same to whoever waits for a page.
fn unopened(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unavailable(why) => StoreError::Unavailable(why),
        other => StoreError::Unavailable(other.to_string()),
    }
}

impl Shared {
    fn free(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Dropped, it is closed; only [`Taken::give_back`] keeps it.
struct Taken {
    connection: PgConnection,
    /// Opened for this very use.
    fresh: bool,
    shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
}

impl Deref for Taken {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Taken {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Taken {
    fn give_back(self) {
        let Self { connection, fresh: _, shared, permit } = self;
        if !shared.permits.is_closed() {
            shared.free().push(connection);
        }
        // Only now may somebody else come: they find it.
        drop(permit);
    }
}

/// An open transaction. Cheap to clone; it is rolled back when the last clone goes without [`Line::commit`].
#[derive(Debug, Clone)]
pub(crate) struct Line(mpsc::UnboundedSender<Ask>);

#[derive(Debug)]
enum Ask {
    Rows { sql: String, values: Vec<Value>, answer: Answer<Vec<PgRow>> },
    Count { sql: String, values: Vec<Value>, answer: Answer<u64> },
    Commit { last: String, answer: Answer<()> },
    RollBack { answer: Answer<()> },
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

impl Line {
    /// Begins a transaction whose first statement is `first`, in one round trip, and gives the rows of it. `first` goes as it stands,
    /// without parameters: it may hold nothing but ids, digests and instants that this program wrote itself.
    pub(crate) async fn open(lines: &Lines, first: String) -> Result<(Self, Vec<QueryResult>), StoreError> {
        let lines = lines.clone();
        let (line, asks) = mpsc::unbounded_channel();
        let (answer, begun) = oneshot::channel();
        // From here on nothing hangs on whoever asked.
        tokio::spawn(async move {
            match begin(&lines, &format!("{BEGIN}; {first}")).await {
                Ok((connection, rows)) => {
                    let _ = answer.send(Ok(rows));
                    serve(connection, asks).await;
                }
                Err(error) => {
                    let _ = answer.send(Err(error));
                }
            }
        });
        let rows = begun.await.map_err(|_| over())??;
        Ok((Self(line), rows.into_iter().map(QueryResult::from).collect()))
    }

    /// All rows of a statement.
    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let rows = self.ask(|answer| Ask::Rows { sql: sql.to_owned(), values, answer }).await?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn count(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.ask(|answer| Ask::Count { sql: sql.to_owned(), values, answer }).await
    }

    /// Runs `last` (as in [`Line::open`]; may be empty) and commits, in one round trip.
    pub(crate) async fn commit(&self, last: String) -> Result<(), StoreError> {
        self.ask(|answer| Ask::Commit { last, answer }).await
    }

    /// Takes everything back; the connection is free again before this returns.
    pub(crate) async fn roll_back(&self) -> Result<(), StoreError> {
        self.ask(|answer| Ask::RollBack { answer }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Ask) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.0.send(question(answer)).map_err(|_| over())?;
        answered.await.map_err(|_| over())?
    }
}

fn over() -> StoreError {
    StoreError::Other("a transaction was used after its end".into())
}

async fn begin(lines: &Lines, words: &str) -> Result<(Taken, Vec<PgRow>), StoreError> {
    // A server that restarted leaves dead connections behind: each is tried once and dropped, until one is new.
    let mut left = lines.0.size;
    loop {
        let mut connection = lines.take().await?;
        match connection.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(words.to_owned()))).await {
            Ok(rows) => return Ok((connection, rows)),
            Err(error) if connection.fresh || left == 0 => return Err(error.into()),
            // Whatever it was, a new connection tells it better.
            Err(_) => left -= 1,
        }
    }
}

/// Answers until the end is asked for or nobody is left to ask.
async fn serve(mut connection: Taken, mut asks: mpsc::UnboundedReceiver<Ask>) {
    let mut failed = false;
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Rows { sql, values, answer } => {
                let rows = connection.fetch_all(statement(&sql, values)).await;
                failed |= rows.is_err();
                // Who asked may be gone; what was done stays in the transaction.
                let _ = answer.send(rows.map_err(StoreError::from));
            }
            Ask::Count { sql, values, answer } => {
                let done = connection.execute(statement(&sql, values)).await;
                failed |= done.is_err();
                let _ = answer.send(done.map(|done| done.rows_affected()).map_err(StoreError::from));
            }
            Ask::Commit { answer, .. } if failed => {
                // The server would answer a COMMIT with a ROLLBACK, and call that a success.
                end(connection, "ROLLBACK".into()).await.ok();
                let _ = answer.send(Err(StoreError::Other("a transaction went on after one of its statements had failed".into())));
                return;
            }
            Ask::Commit { last, answer } => {
                let words = if last.is_empty() { "COMMIT".to_owned() } else { format!("{last}; COMMIT") };
                let _ = answer.send(end(connection, words).await);
                return;
            }
            Ask::RollBack { answer } => {
                let _ = answer.send(end(connection, "ROLLBACK".into()).await);
                return;
            }
        }
    }
    // Whoever asked is gone.
    end(connection, "ROLLBACK".into()).await.ok();
}

/// Gives the connection back when it comes out of its transaction, and drops it when it does not.
async fn end(mut connection: Taken, words: String) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(words))).await?;
    connection.give_back();
    Ok(())
}

fn statement(sql: &str, values: Vec<Value>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(sqlx::AssertSqlSafe(sql), SqlxValues(Values(values)))
}
