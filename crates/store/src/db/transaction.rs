//! A transaction, and the task that owns its connection.
//!
//! If the caller is cancelled its channel closes, and the task rolls back; a COMMIT that was asked for is carried through. So no connection
//! goes back to the pool inside a transaction, and none carries one clinic's settings to another. Should one do so all the same (a fault of
//! this file), the first words of the next transaction end it: reset, BEGIN and settings travel together, in one round trip.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use sea_orm::{QueryResult, Value};
use sqlx::{Executor as _, postgres::PgRow};
use tokio::sync::{mpsc, oneshot};

use super::{
    Step,
    context::lock,
    pipeline::{self, Question},
    pool::{Pool, PooledConnection, look, within},
};
use crate::StoreError;

/// Ends what a connection may have brought along, then begins. A ROLLBACK alone would write a warning into the server's log each time
/// there is nothing to roll back.
const BEGIN: &str = "START TRANSACTION; ROLLBACK; START TRANSACTION";

/// An open transaction. Cheap to clone; it is rolled back when the last clone goes without [`Transaction::commit`].
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    asks: mpsc::UnboundedSender<Ask>,
    /// Statements asked for in the same poll; the first of their futures to go on sends all of them.
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
        // Spawned, so that a cancelled caller leaves no connection inside a transaction.
        tokio::spawn(async move {
            match begin(&lines, &words(&first, lines.timeouts().connect)).await {
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

    /// No transaction: each statement is one by itself, and costs one round trip. For reads that need not agree with each other.
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

    /// Runs `last` (as in [`Transaction::open`]; may be empty) and commits, in one round trip; in none when [`Transaction::finish_with`] did.
    pub(crate) async fn commit(&self, last: String) -> Result<(), StoreError> {
        let closing = lock(&self.closing).take().unwrap_or_default();
        let last = [closing, last].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ");
        self.ask(|answer| Ask::Commit { last, answer }).await
    }

    /// The statements asked for next are the last ones: `last` and COMMIT travel with them. What is asked for after them fails.
    pub(crate) fn finish_with(&self, last: String) {
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

/// BEGIN and the first statement. That may wait for locks, and says so before the limit of beginning has passed: a connection that says nothing
/// until then is taken for silent.
fn words(first: &str, limit: Duration) -> String {
    if first.is_empty() {
        return BEGIN.to_owned();
    }
    let patience = (limit * 4 / 5).as_millis();
    format!("{BEGIN}; SET LOCAL lock_timeout = {patience}; {first}; SET LOCAL lock_timeout = DEFAULT")
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
                let lost = failure.lost;
                let error = pooled.heed(failure);
                if !lost || pooled.idle.is_none() || left == 0 {
                    return Err(error);
                }
                left -= 1;
            }
        }
    }
}

/// Answers until the end is asked for, or until the last handle is dropped.
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
                let done = pooled.connection.execute(pipeline::statement(&sql, values));
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
    // The last handle was dropped.
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
    match within(limit, Step::Statement, pipeline::all(connection, prepared, &questions, last)).await {
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

/// Answers questions that were asked together outside any transaction.
async fn answer_loose(lines: &Pool, together: Vec<Waiting>) {
    let (questions, answers): (Vec<Question>, Vec<_>) = together.into_iter().unzip();
    match look(lines, &questions).await {
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
