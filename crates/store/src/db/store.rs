//! Transactions: the only way into the database, each bound to a role and, for a clinic's work, to one clinic and one person.
//!
//! The work runs in a spawned task and so does its connection (see the module `line`), so that a request dropped half-way cannot leave
//! a connection inside a transaction: the task finishes or rolls back whoever is still listening.
//!
//! A page asks three things of the database: who is there (which also opens the clinic's transaction), what it shows, and to write
//! down who looked (which also commits). See [`Store::admit`], [`Store::tenant`], [`Store::settle`].

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::ids::{ClinicId, MembershipId, PatientId};
use jiff::Timestamp;
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, Timeouts,
    audit::{Deed, Note, Subject},
    convert::{At, to_instant},
    db::{
        self, Address, Session,
        context::{Actor, Arrival, Scope, lock},
        pool::Pool,
        schema,
        transaction::Transaction,
    },
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
    /// As whoever DATABASE_URL names: for the schema's version, never for a clinic's rows.
    owner: Pool,
    app: Pool,
    signin: Pool,
    worker: Pool,
    /// For [`Store::queue`]: connections that are never inside a transaction.
    queue: Pool,
}

/// An open transaction, or for [`Store::queue`] the queue's own connections. Cheap to clone; a transaction is committed when the work it
/// was given to ends well.
#[derive(Clone)]
pub struct Tx {
    line: Executor,
    scope: Option<Scope>,
    /// For the audit, at the commit.
    notes: Arc<Mutex<Vec<Note>>>,
}

/// What statements go through.
#[derive(Clone)]
enum Executor {
    Transaction(Transaction),
    /// Each statement is a transaction of its own.
    Queue(Pool),
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
    /// away. One round trip, which also opens the clinic's transaction; with [`Arrival::stay`] it stays open for the first work in the
    /// scope that [`SignedIn`] carries.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a row the domain refuses; those of the database.
    pub async fn admit(&self, arrival: Arrival) -> Result<Option<SignedIn>, StoreError> {
        let (line, rows) = Transaction::open(&self.app, session::opening_words(&arrival)).await?;
        let admitted = session::admitted(&rows);
        match admitted {
            Ok(Some(row)) if arrival.stay => session::signed_in(row, &arrival, Some(line)).map(Some),
            Ok(Some(row)) => {
                // When it was last seen is kept. Should the answer not come, nothing of the request's own work is in doubt.
                line.commit(String::new()).await.map_err(|error| match error {
                    StoreError::Unconfirmed(why) => StoreError::Unavailable(why),
                    other => other,
                })?;
                session::signed_in(row, &arrival, None).map(Some)
            }
            Ok(None) => line.roll_back().await.map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Works inside one clinic, under row-level security. What was noted for the audit is written with the COMMIT.
    ///
    /// A request that may change something was admitted in an earlier transaction, perhaps long before its body arrived. So its session is checked
    /// again here, with BEGIN, and its row locked: ending the session, disabling the member or changing the role is committed before this work
    /// or after it.
    ///
    /// # Errors
    /// [`StoreError::SignedOut`] when the session is over or its role changed; what `work` returns, and the store's own errors of beginning and
    /// committing. Any error rolls everything back.
    pub async fn tenant<T, E, F, Fut>(&self, scope: impl Into<Scope>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.work(scope.into(), work, false).await
    }

    /// As [`Store::tenant`], for a first look before the work: within a request that holds its transaction it goes on in that one and
    /// leaves it open.
    ///
    /// # Errors
    /// As [`Store::tenant`].
    pub async fn look<T, E, F, Fut>(&self, scope: impl Into<Scope>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.work(scope.into(), work, true).await
    }

    async fn work<T, E, F, Fut>(&self, scope: Scope, work: F, look: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let app = self.app.clone();
        finished(tokio::spawn(async move {
            let (line, stays) = match scope.take_line() {
                Some(line) => (line, look),
                None => (begin(&app, &scope, if look { Hold::Nothing } else { Hold::Session }).await?, false),
            };
            let tx = Tx::over(Executor::Transaction(line.clone()), Some(scope.clone()));
            let notes = tx.notes.clone();
            let done = match work(tx).await {
                Ok(done) => done,
                Err(error) => {
                    // The error says more than a rollback that fails too.
                    let _ = line.roll_back().await;
                    return Err(error);
                }
            };
            let notes = std::mem::take(&mut *lock(&notes));
            if stays {
                scope.park(line, notes);
            } else {
                line.commit(scope.closing_words(notes)).await?;
            }
            Ok(done)
        }))
        .await
    }

    /// The end of a request: commits the transaction that it still holds, and writes what is left to note. Nothing to do for most.
    ///
    /// # Errors
    /// Those of the database; what was looked at must then not be shown.
    pub async fn settle(&self, scope: &Scope) -> Result<(), StoreError> {
        let (line, words) = (scope.take_line(), scope.closing_words_of_a_look(Vec::new()));
        match line {
            None if words.is_empty() => Ok(()),
            None => Transaction::open(&self.app, scope.settings()).await?.0.commit(words).await,
            Some(line) => line.commit(words).await,
        }
    }

    /// The end of a request that was refused: what it noted did not happen; that it was refused is written down. `detail` is the
    /// pattern of the address, not the address itself.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refuse(&self, scope: &Scope, detail: &str) -> Result<(), StoreError> {
        scope.refused(detail);
        self.settle(scope).await
    }

    /// Works before a clinic is known: accounts, sessions, links.
    ///
    /// # Errors
    /// As [`Store::tenant`].
    pub async fn signin<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        across(self.signin.clone(), None, work).await
    }

    /// As [`Store::signin`], for a signed-in request that changes accounts or sessions: the session is checked and locked as in [`Store::tenant`],
    /// after its account.
    ///
    /// # Errors
    /// As [`Store::tenant`].
    pub async fn signin_as<T, E, F, Fut>(&self, scope: impl Into<Scope>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        across(self.signin.clone(), Some(scope.into()), work).await
    }

    /// As [`Store::signin`], for work that only looks, and whose looks need not agree with each other: without a transaction around it,
    /// one round trip each.
    ///
    /// # Errors
    /// As [`Store::tenant`]; [`StoreError::Other`] for work that writes.
    pub async fn signin_look<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let line = Transaction::loose(&self.signin);
        work(Tx::over(Executor::Transaction(line), None)).await
    }

    /// Works on the mail queue, across clinics.
    ///
    /// # Errors
    /// As [`Store::tenant`].
    pub async fn worker<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        across(self.worker.clone(), None, work).await
    }

    /// Works on the mail queue, across clinics, with statements that each commit by themselves. For work that is one statement, or
    /// only reads: it costs a sixth of the round trips of [`Store::worker`].
    ///
    /// # Errors
    /// What `work` returns. What earlier statements of it did stays done.
    pub async fn queue<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let queue = self.queue.clone();
        // As in `run`: whoever asked may go away, the statement goes on.
        let task = tokio::spawn(async move { work(Tx::over(Executor::Queue(queue), None)).await });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::Other(format!("a statement ended early: {error}")).into()),
        }
    }
}

/// Begins a transaction in this scope, if the request's session is still valid for it.
async fn begin(lines: &Pool, scope: &Scope, hold: Hold) -> Result<Transaction, StoreError> {
    let (line, rows) = Transaction::open(lines, scope.beginning(hold)).await?;
    let resumed = if scope.is_within_a_request() { session::resumed(&rows)? } else { None };
    if scope.goes_on(resumed) {
        return Ok(line);
    }
    line.roll_back().await?;
    Err(StoreError::SignedOut)
}

/// Works in a role that no policy binds to one clinic, within a request or for the program itself.
async fn across<T, E, F, Fut>(lines: Pool, who: Option<Scope>, work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnOnce(Tx) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    finished(tokio::spawn(async move {
        let line = match &who {
            Some(scope) => begin(&lines, scope, Hold::Account).await?,
            None => Transaction::open(&lines, String::new()).await?.0,
        };
        match work(Tx::over(Executor::Transaction(line.clone()), None)).await {
            Ok(done) => line.commit(String::new()).await.map(|()| done).map_err(E::from),
            Err(error) => {
                let _ = line.roll_back().await;
                Err(error)
            }
        }
    }))
    .await
}

async fn finished<T, E: From<StoreError>>(task: tokio::task::JoinHandle<Result<T, E>>) -> Result<T, E> {
    match task.await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Other(format!("a transaction ended early: {error}")).into()),
    }
}

impl Tx {
    /// The clinic at work in; the nil id outside a tenant's transaction (which then matches no row).
    pub fn clinic(&self) -> ClinicId {
        self.scope.as_ref().map_or(ClinicId(Uuid::nil()), |scope| scope.clinic)
    }

    /// Who is at work; [`Actor::System`] outside a tenant's transaction.
    pub fn actor(&self) -> Actor {
        self.scope.as_ref().map_or(Actor::System, |scope| scope.actor)
    }

    /// The member of staff at work, if it is one.
    pub fn staff(&self) -> Option<MembershipId> {
        match self.actor() {
            Actor::Staff(id) => Some(id),
            Actor::Patient(_) | Actor::System => None,
        }
    }

    /// To be written into the clinic's audit when this transaction commits: who is at work did this. What the program itself does is
    /// nobody's looking.
    pub fn note(&self, deed: Deed, subject: Subject, patient: Option<PatientId>) {
        lock(&self.notes).push(Note { deed, subject, patient, detail: None });
    }

    /// As [`Tx::note`], with more in words of this program's own and ids: never anything a person typed.
    pub(crate) fn note_of(&self, deed: Deed, subject: Subject, detail: String) {
        lock(&self.notes).push(Note { deed, subject, patient: None, detail: Some(detail) });
    }

    /// For the last questions of work that only reads: the audit's entries and the COMMIT travel with those that `questions` asks first
    /// (all of a `try_join!`), so a page costs a round trip less. Nothing can be asked after them.
    ///
    /// # Errors
    /// Those of `questions`.
    pub async fn last<T, E>(&self, questions: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if let (Executor::Transaction(line), Some(scope)) = (&self.line, &self.scope) {
            line.close_with(scope.closing_words_of_a_look(std::mem::take(&mut *lock(&self.notes))));
        }
        questions.await
    }

    fn over(line: Executor, scope: Option<Scope>) -> Self {
        Self { line, scope, notes: Arc::default() }
    }

    /// All rows of a statement. Parameters are `$1…` in order.
    pub(crate) async fn all<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<R>, StoreError> {
        let rows = match &self.line {
            Executor::Transaction(line) => line.rows(sql, values.into_iter().collect()).await?,
            Executor::Queue(lines) => lines.rows(sql, values.into_iter().collect()).await?,
        };
        Ok(rows.iter().map(|row| R::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// The first row of a statement, if there is one.
    pub(crate) async fn one<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<R>, StoreError> {
        let row = match &self.line {
            Executor::Transaction(line) => line.rows(sql, values.into_iter().collect()).await?.into_iter().next(),
            Executor::Queue(lines) => lines.rows(sql, values.into_iter().collect()).await?.into_iter().next(),
        };
        Ok(row.map(|row| R::from_query_result(&row, "")).transpose()?)
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn run(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        match &self.line {
            Executor::Transaction(line) => line.count(sql, values.into_iter().collect()).await,
            Executor::Queue(lines) => lines.count(sql, values.into_iter().collect()).await,
        }
    }
}

/// What a pool's connections are told before their first use.
fn session(role: Option<&'static str>, timeouts: Timeouts) -> Session {
    Session { role, statement: Some(timeouts.statement), idle_in_transaction: IDLE_IN_TRANSACTION }
}
