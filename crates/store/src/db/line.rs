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
//!
//! Every await on the wire has a limit ([`Timeouts`]). A connection past it is closed, and so are those that were idle meanwhile: what
//! silences one connection (a frozen machine, a path that is gone) mostly silences all that were open, and new ones work.

use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
    time::{Duration, Instant},
};

use sea_orm::{QueryResult, Value, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, postgres::PgRow};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::{
    StoreError, Timeouts,
    db::{
        self, Address, Session, Step,
        context::lock,
        pipeline::{self, Prepared, Question},
    },
};

/// Ends what a connection may have brought along, then begins. A ROLLBACK alone would write a warning into the server's log each time
/// there is nothing to roll back.
const BEGIN: &str = "START TRANSACTION; ROLLBACK; START TRANSACTION";

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
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    address: Address,
    session: Session,
    timeouts: Timeouts,
    /// One a connection; whoever holds it may take a free one or open one.
    permits: Arc<Semaphore>,
    size: u32,
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

    /// A connection that was used a moment ago or is new.
    async fn take(&self) -> Result<PooledConnection, StoreError> {
        // Longer than one that finds its connection dead takes to open another: those who wait for it then get their turn.
        let patience = self.0.timeouts.connect * 2;
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
        let read_only = row.ok_or_else(over)?.try_get::<bool>("", "read_only").map_err(StoreError::from)?;
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
        let answer = pooled.connection.fetch_all(statement(sql, values));
        let rows = within(self.0.timeouts.answer(), Step::Statement, answer).await;
        let rows = pooled.through(rows)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// As [`Pool::rows`], for how many rows it touched.
    pub(crate) async fn count(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let mut pooled = self.take_alive().await?;
        let answer = pooled.connection.execute(statement(sql, values));
        let done = within(self.0.timeouts.answer(), Step::Statement, answer).await;
        Ok(pooled.through(done)?.rows_affected())
    }

    /// Lets nobody in any more and says goodbye on the connections that are free; the others close as they come back.
    pub(crate) async fn close(&self) {
        self.0.permits.close();
        let free = std::mem::take(&mut *self.0.free());
        for kept in free {
            // The server notices if saying goodbye fails.
            let _ = timeout(Duration::from_secs(1), kept.connection.close()).await;
        }
    }
}

/// What went wrong with a step on a connection.
struct Failure {
    error: StoreError,
    /// Whether nothing that is still said on this connection can be believed, or nothing can be done on it.
    lost: bool,
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
async fn within<T>(limit: Duration, step: Step, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Failure> {
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
struct PooledConnection {
    connection: PgConnection,
    prepared: Prepared,
    /// For how long it was free; `None` for one that was opened for this very use.
    idle: Option<Duration>,
    /// Why it must not be used again.
    lost: Option<StoreError>,
    shared: Arc<Shared>,
    permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    fn timeouts(&self) -> Timeouts {
        self.shared.timeouts
    }

    /// How long to wait for an answer that can be asked for again on another connection. One that was idle may have fallen silent
    /// meanwhile, and waiting for it holds a place in the pool that others need.
    fn patience_for_a_look(&self) -> Duration {
        if self.idle.is_some() { self.timeouts().connect } else { self.timeouts().answer() }
    }

    /// Remembers whether the connection can still be used, and gives the error for the caller.
    fn heed(&mut self, failure: Failure) -> StoreError {
        let Failure { error, lost } = failure;
        if lost {
            self.lost = Some(error.clone());
            self.shared.distrust();
        }
        error
    }

    /// The end of its use: kept when it can be used again.
    fn through<T>(mut self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        let outcome = outcome.map_err(|failure| self.heed(failure));
        self.give_back();
        outcome
    }

    fn give_back(self) {
        let Self { connection, prepared, idle: _, lost, shared, permit } = self;
        if lost.is_none() && !shared.permits.is_closed() && !prepared.spoiled {
            shared.free().push(IdleConnection { connection, prepared, since: Instant::now() });
        }
        // Only now may somebody else come: they find it.
        drop(permit);
    }
}

/// An open transaction. Cheap to clone; it is rolled back when the last clone goes without [`Transaction::commit`].
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    asks: mpsc::UnboundedSender<Ask>,
    /// Asked in this very moment; whoever of them comes to speak first speaks for all.
    waiting: Arc<Mutex<Vec<Waiting>>>,
    /// What goes with the next of them, and ends the transaction.
    closing: Arc<Mutex<Option<String>>>,
}

type Waiting = (Question, Answer<Vec<PgRow>>);

#[derive(Debug)]
enum Ask {
    /// With the words that commit after them, when they are the last.
    Rows(Vec<Waiting>, Option<String>),
    Count {
        sql: String,
        values: Vec<Value>,
        answer: Answer<u64>,
    },
    Commit {
        last: String,
        answer: Answer<()>,
    },
    RollBack {
        answer: Answer<()>,
    },
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

impl Transaction {
    /// Begins a transaction whose first statement is `first`, in one round trip, and gives the rows of it. `first` goes as it stands,
    /// without parameters: it may hold nothing but ids, digests and instants that this program wrote itself.
    pub(crate) async fn open(lines: &Pool, first: String) -> Result<(Self, Vec<QueryResult>), StoreError> {
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
        Ok((
            Self { asks: line, waiting: Arc::default(), closing: Arc::default() },
            rows.into_iter().map(QueryResult::from).collect(),
        ))
    }

    /// No transaction: each statement is one by itself, and costs one round trip. For a look at rows that nobody else's look depends on.
    pub(crate) fn loose(lines: &Pool) -> Self {
        let lines = lines.clone();
        let (line, mut asks) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                match ask {
                    Ask::Rows(together, _) => answer_loose(&lines, together).await,
                    Ask::Commit { answer, .. } | Ask::RollBack { answer } => return drop(answer.send(Ok(()))),
                    Ask::Count { answer, .. } => {
                        drop(answer.send(Err(StoreError::Other("a look that would change something".into()))));
                    }
                }
            }
        });
        Self { asks: line, waiting: Arc::default(), closing: Arc::default() }
    }

    /// All rows of a statement. Those that are asked for together (`try_join!`) travel together, in one round trip.
    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let (answer, answered) = oneshot::channel();
        lock(&self.waiting).push(((sql.to_owned(), values), answer));
        a_moment().await;
        let together = std::mem::take(&mut *lock(&self.waiting));
        if !together.is_empty() {
            let closing = lock(&self.closing).take();
            self.asks.send(Ask::Rows(together, closing)).map_err(|_| over())?;
        }
        let rows: Vec<PgRow> = answered.await.map_err(|_| over())??;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn count(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.ask(|answer| Ask::Count { sql: sql.to_owned(), values, answer }).await
    }

    /// Runs `last` (as in [`Transaction::open`]; may be empty) and commits, in one round trip; in none when [`Transaction::close_with`] did.
    pub(crate) async fn commit(&self, last: String) -> Result<(), StoreError> {
        let closing = lock(&self.closing).take().unwrap_or_default();
        let last = [closing, last].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
        self.ask(|answer| Ask::Commit { last, answer }).await
    }

    /// The statements asked for next are the last ones: `last` and COMMIT travel with them. What is asked for after them fails.
    pub(crate) fn close_with(&self, last: String) {
        *lock(&self.closing) = Some(last);
    }

    /// Takes everything back; the connection is free again before this returns.
    pub(crate) async fn roll_back(&self) -> Result<(), StoreError> {
        self.ask(|answer| Ask::RollBack { answer }).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Ask) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(question(answer)).map_err(|_| over())?;
        answered.await.map_err(|_| over())?
    }
}

fn over() -> StoreError {
    StoreError::Other("a transaction was used after its end".into())
}

async fn begin(lines: &Pool, words: &str) -> Result<(PooledConnection, Vec<PgRow>), StoreError> {
    // A server that restarted, or a path that fell silent, leaves dead connections behind: each is tried once and dropped, until one is
    // new. Nothing was done on it that a new one does not do again.
    let mut left = lines.0.size;
    loop {
        let mut pooled = lines.take().await?;
        let limit = pooled.timeouts().connect;
        let answer = pooled.connection.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(words.to_owned())));
        match within(limit, Step::Begin, answer).await {
            Ok(rows) => return Ok((pooled, rows)),
            Err(failure) => {
                let error = pooled.heed(failure);
                if pooled.idle.is_none() || left == 0 {
                    return Err(error);
                }
                // Whatever it was, a new connection tells it better.
                left -= 1;
            }
        }
    }
}

/// Answers until the end is asked for or nobody is left to ask.
async fn serve(mut pooled: PooledConnection, mut asks: mpsc::UnboundedReceiver<Ask>) {
    let mut failed = false;
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Rows(together, None) => failed |= !answer_all(&mut pooled, together, None).await,
            Ask::Rows(together, Some(last)) if !failed => {
                if answer_all(&mut pooled, together, Some(&closed(&last))).await {
                    pooled.give_back();
                    return after_the_end(asks).await;
                }
                failed = true;
            }
            // Nothing is committed after a failure.
            Ask::Rows(together, Some(_)) => drop(together),
            Ask::Count { sql, values, answer } => {
                let done = pooled.connection.execute(statement(&sql, values));
                let done = within(pooled.shared.timeouts.answer(), Step::Statement, done).await;
                let done = done.map_err(|failure| pooled.heed(failure));
                failed |= done.is_err();
                let _ = answer.send(done.map(|done| done.rows_affected()));
            }
            Ask::Commit { answer, .. } if failed => {
                // The server would answer a COMMIT with a ROLLBACK, and call that a success.
                roll_back(pooled).await.ok();
                let _ = answer.send(Err(StoreError::Other("a transaction went on after one of its statements had failed".into())));
                return;
            }
            Ask::Commit { last, answer } => {
                let _ = answer.send(commit(pooled, closed(&last)).await);
                return;
            }
            Ask::RollBack { answer } => {
                let _ = answer.send(roll_back(pooled).await);
                return;
            }
        }
        if let Some(lost) = pooled.lost.clone() {
            // Closed at once: another may be opened in its place while the caller finds out.
            drop(pooled);
            return after_the_loss(&lost, asks).await;
        }
    }
    // Whoever asked is gone.
    roll_back(pooled).await.ok();
}

/// The connection is gone, and the transaction with it.
async fn after_the_loss(lost: &StoreError, mut asks: mpsc::UnboundedReceiver<Ask>) {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Rows(together, _) => together.into_iter().for_each(|(_, answer)| drop(answer.send(Err(lost.clone())))),
            Ask::Count { answer, .. } => drop(answer.send(Err(lost.clone()))),
            Ask::Commit { answer, .. } => return drop(answer.send(Err(lost.clone()))),
            Ask::RollBack { answer } => return drop(answer.send(Ok(()))),
        }
    }
}

/// The transaction was committed with its last questions. That it ends is no news; whatever else is asked gets no answer.
async fn after_the_end(mut asks: mpsc::UnboundedReceiver<Ask>) {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Commit { answer, last } if last.is_empty() => return drop(answer.send(Ok(()))),
            Ask::Commit { .. } | Ask::RollBack { .. } | Ask::Rows(..) | Ask::Count { .. } => {}
        }
    }
}

fn closed(last: &str) -> String {
    if last.is_empty() { "COMMIT".to_owned() } else { format!("{last}; COMMIT") }
}

/// Answers questions that were asked together, and ends with `last`; whether all went well. Nothing is shown before it is written down
/// who sees it.
async fn answer_all(pooled: &mut PooledConnection, together: Vec<Waiting>, last: Option<&str>) -> bool {
    let (questions, answers): (Vec<Question>, Vec<_>) = together.into_iter().unzip();
    let limit = pooled.timeouts().answer() + last.map_or(Duration::ZERO, |_| pooled.timeouts().commit);
    let PooledConnection { connection, prepared, .. } = &mut *pooled;
    match within(limit, Step::Statement, all(connection, prepared, &questions, last)).await {
        Ok(rows) => {
            // Who asked may be gone; what was done stays in the transaction.
            answers.into_iter().zip(rows).for_each(|(answer, rows)| drop(answer.send(Ok(rows))));
            true
        }
        Err(failure) => {
            let error = pooled.heed(failure);
            answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
            false
        }
    }
}

/// The rows of each question, in one round trip where they can be written so.
async fn all(
    connection: &mut PgConnection,
    prepared: &mut Prepared,
    questions: &[Question],
    last: Option<&str>,
) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    if (questions.len() > 1 || last.is_some())
        && let Some(answers) = pipeline::ask(connection, prepared, questions, last).await
    {
        return answers;
    }
    let mut found = Vec::with_capacity(questions.len());
    for (sql, values) in questions {
        found.push(connection.fetch_all(statement(sql, values.clone())).await?);
    }
    if let Some(last) = last {
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(last.to_owned()))).await?;
    }
    Ok(found)
}

/// Answers questions that were asked together outside any transaction.
async fn answer_loose(lines: &Pool, together: Vec<Waiting>) {
    let (questions, answers): (Vec<Question>, Vec<_>) = together.into_iter().unzip();
    match look(lines, &questions).await {
        Ok(rows) => answers.into_iter().zip(rows).for_each(|(answer, rows)| drop(answer.send(Ok(rows)))),
        Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
    }
}

/// The rows of questions that change nothing, outside any transaction, on whatever connection lives.
async fn look(lines: &Pool, questions: &[Question]) -> Result<Vec<Vec<PgRow>>, StoreError> {
    let mut left = lines.0.size;
    loop {
        let mut pooled = lines.take().await?;
        let limit = pooled.patience_for_a_look();
        let PooledConnection { connection, prepared, .. } = &mut pooled;
        match within(limit, Step::Statement, all(connection, prepared, questions, None)).await {
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

/// Lets the futures beside this one say what they want.
async fn a_moment() {
    let mut passed = false;
    poll_fn(|context| {
        if passed {
            return Poll::Ready(());
        }
        passed = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Ends the transaction; the connection is kept when it comes out of it, and closed when it does not.
async fn commit(mut pooled: PooledConnection, words: String) -> Result<(), StoreError> {
    let answer = pooled.connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(words)));
    match within(pooled.shared.timeouts.commit, Step::Statement, answer).await {
        Ok(_) => {
            pooled.give_back();
            Ok(())
        }
        Err(failure) if failure.lost => {
            // The question was asked. Where no answer came, the server may have done it.
            Err(match pooled.heed(failure) {
                StoreError::TimedOut(_) => {
                    StoreError::Unconfirmed(format!("no answer to COMMIT within {:?}", pooled.timeouts().commit))
                }
                StoreError::ReadOnly => StoreError::ReadOnly,
                other => StoreError::Unconfirmed(other.to_string()),
            })
        }
        // The server said no, and closed as it is the connection brings nothing along.
        Err(refused) => Err(refused.error),
    }
}

/// As [`commit`], with everything pooled back.
async fn roll_back(mut pooled: PooledConnection) -> Result<(), StoreError> {
    let answer = pooled.connection.execute(sqlx::raw_sql("ROLLBACK"));
    let done = within(pooled.shared.timeouts.connect, Step::Statement, answer).await;
    pooled.through(done.map(drop))
}

fn statement(sql: &str, values: Vec<Value>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(sqlx::AssertSqlSafe(sql), SqlxValues(Values(values)))
}
