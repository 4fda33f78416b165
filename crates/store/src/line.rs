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
    future::poll_fn,
    ops::{Deref, DerefMut},
    str::FromStr as _,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
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

use crate::{
    StoreError,
    scope::held,
    together::{self, Prepared, Question},
};

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

/// A connection and what is prepared on it.
type Kept = (PgConnection, Prepared);

/// Some connections, all in one role from their first moment. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    /// One a connection; whoever holds it may take a free one or open one.
    permits: Arc<Semaphore>,
    size: u32,
    free: Mutex<Vec<Kept>>,
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
        let ((connection, prepared), fresh) = match free {
            Some(kept) => (kept, false),
            None => match timeout(PATIENCE, PgConnection::connect_with(&self.0.options)).await {
                Ok(opened) => ((opened.map_err(unopened)?, Prepared::default()), true),
                Err(_) => return Err(away("no answer within 5 seconds")),
            },
        };
        Ok(Taken { connection, prepared, fresh, shared: self.0.clone(), permit })
    }

    /// Lets nobody in any more and says goodbye on the connections that are free; the others close as they come back.
    pub(crate) async fn close(&self) {
        self.0.permits.close();
        let free = std::mem::take(&mut *self.0.free());
        for (connection, _) in free {
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
    fn free(&self) -> MutexGuard<'_, Vec<Kept>> {
        held(&self.free)
    }
}

/// A connection in use. Dropped, it is closed; only [`Taken::give_back`] keeps it.
struct Taken {
    connection: PgConnection,
    prepared: Prepared,
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
        let Self { connection, prepared, fresh: _, shared, permit } = self;
        if !shared.permits.is_closed() && !prepared.spoiled {
            shared.free().push((connection, prepared));
        }
        // Only now may somebody else come: they find it.
        drop(permit);
    }
}

/// An open transaction. Cheap to clone; it is rolled back when the last clone goes without [`Line::commit`].
#[derive(Debug, Clone)]
pub(crate) struct Line {
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
        Ok((
            Self { asks: line, waiting: Arc::default(), closing: Arc::default() },
            rows.into_iter().map(QueryResult::from).collect(),
        ))
    }

    /// No transaction: each statement is one by itself, and costs one round trip. For a look at rows that nobody else's look depends on.
    pub(crate) fn loose(lines: &Lines) -> Self {
        let lines = lines.clone();
        let (line, mut asks) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                match ask {
                    Ask::Rows(together, _) => look(&lines, together).await,
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
        held(&self.waiting).push(((sql.to_owned(), values), answer));
        a_moment().await;
        let together = std::mem::take(&mut *held(&self.waiting));
        if !together.is_empty() {
            let closing = held(&self.closing).take();
            self.asks.send(Ask::Rows(together, closing)).map_err(|_| over())?;
        }
        let rows: Vec<PgRow> = answered.await.map_err(|_| over())??;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn count(&self, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        self.ask(|answer| Ask::Count { sql: sql.to_owned(), values, answer }).await
    }

    /// Runs `last` (as in [`Line::open`]; may be empty) and commits, in one round trip; in none when [`Line::close_with`] did.
    pub(crate) async fn commit(&self, last: String) -> Result<(), StoreError> {
        let closing = held(&self.closing).take().unwrap_or_default();
        let last = [closing, last].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
        self.ask(|answer| Ask::Commit { last, answer }).await
    }

    /// The statements asked for next are the last ones: `last` and COMMIT travel with them. What is asked for after them fails.
    pub(crate) fn close_with(&self, last: String) {
        *held(&self.closing) = Some(last);
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
            Ask::Rows(together, None) => failed |= !answer_all(&mut connection, together, None).await,
            Ask::Rows(together, Some(last)) if !failed => {
                if answer_all(&mut connection, together, Some(&closed(&last))).await {
                    connection.give_back();
                    return after_the_end(asks).await;
                }
                failed = true;
            }
            // Nothing is committed after a failure.
            Ask::Rows(together, Some(_)) => drop(together),
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
                let _ = answer.send(end(connection, closed(&last)).await);
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
async fn answer_all(taken: &mut Taken, together: Vec<Waiting>, last: Option<&str>) -> bool {
    let (questions, answers): (Vec<Question>, Vec<_>) = together.into_iter().unzip();
    let Taken { connection, prepared, .. } = taken;
    match all(connection, prepared, &questions, last).await {
        Ok(rows) => {
            // Who asked may be gone; what was done stays in the transaction.
            answers.into_iter().zip(rows).for_each(|(answer, rows)| drop(answer.send(Ok(rows))));
            true
        }
        Err(error) => {
            let error = StoreError::from(error);
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
        && let Some(answers) = together::ask(connection, prepared, questions, last).await
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

/// Answers questions outside any transaction, on whatever connection lives.
async fn look(lines: &Lines, together: Vec<Waiting>) {
    let mut left = lines.0.size;
    let (questions, answers): (Vec<Question>, Vec<_>) = together.into_iter().unzip();
    let found = loop {
        let mut taken = match lines.take().await {
            Ok(taken) => taken,
            Err(error) => break Err(error),
        };
        let Taken { connection, prepared, fresh, .. } = &mut taken;
        let (asked, fresh) = (all(connection, prepared, &questions, None).await, *fresh);
        match asked {
            Ok(rows) => {
                taken.give_back();
                break Ok(rows);
            }
            Err(error) if fresh || left == 0 => break Err(error.into()),
            // As for a transaction: a dead connection is tried once.
            Err(_) => left -= 1,
        }
    };
    match found {
        Ok(rows) => answers.into_iter().zip(rows).for_each(|(answer, rows)| drop(answer.send(Ok(rows)))),
        Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
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

/// Gives the connection back when it comes out of its transaction, and drops it when it does not.
async fn end(mut connection: Taken, words: String) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(words))).await?;
    connection.give_back();
    Ok(())
}

fn statement(sql: &str, values: Vec<Value>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(sqlx::AssertSqlSafe(sql), SqlxValues(Values(values)))
}
