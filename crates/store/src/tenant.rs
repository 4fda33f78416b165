//! Transactions: the only way into the database, each bound to a role and, for a clinic's work, to one clinic and one person.
//!
//! The work runs in a spawned task, so that a request dropped half-way cannot leave a connection inside a transaction: the task
//! finishes or rolls back whoever is still listening. The pool also rolls back whatever a connection brings along when it is
//! taken. (sqlx hands a connection back "idle in transaction" when a BEGIN is dropped; the next write would be acknowledged and
//! lost, and the clinic's id would leak into somebody else's request.)

use std::{future::Future, sync::Arc, time::Duration};

use domain::ids::{ClinicId, MembershipId, PatientId};
use jiff::Timestamp;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, FromQueryResult, Statement,
    TransactionTrait, Value,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{StoreError, convert::to_instant};

/// The migrations, embedded. Checksums are kept in the database.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// What every connection is told when it is opened.
const SETTINGS: [(&str, &str); 4] = [
    // A transaction that nobody works on is ended by the server.
    ("idle_in_transaction_session_timeout", "60s"),
    ("statement_timeout", "30s"),
    // Nobody reads notices and warnings on these connections.
    ("client_min_messages", "error"),
    ("timezone", "UTC"),
];

/// Who is at work inside a clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An owner or a physiotherapist: sees the clinic.
    Staff(MembershipId),
    /// A patient: sees their own rows alone.
    Patient(PatientId),
    /// The program itself (setting up a clinic, composing a mail): sees the clinic.
    System,
}

/// One clinic and who is at work in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The clinic.
    pub clinic: ClinicId,
    /// The person.
    pub actor: Actor,
}

/// The database, by its pools of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: DatabaseConnection,
    /// Connections that are the worker's from their first moment: see [`Store::queue`]. Opened when first asked for.
    queue: Arc<OnceCell<DatabaseConnection>>,
    options: ConnectOptions,
}

/// An open transaction, or for [`Store::queue`] the queue's own connections. Cheap to clone; a transaction is committed when the work it
/// was given to ends well and no clone is left.
#[derive(Clone)]
pub struct Tx {
    line: Line,
    scope: Option<Scope>,
}

/// What statements go through.
#[derive(Clone)]
enum Line {
    Transaction(Arc<DatabaseTransaction>),
    /// Each statement is a transaction of its own.
    Queue(DatabaseConnection),
}

impl Store {
    /// Opens the pool. The first connection is made here, so that a wrong address is known at the start.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached or refuses.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, 8).await
    }

    /// As [`Store::connect`], with a pool of at most `connections`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached or refuses.
    pub async fn connect_with(url: &str, connections: u32) -> Result<Self, StoreError> {
        // A pool tries again until its time is up and then says only that; a connection of its own says why.
        reachable(url).await?;
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .connect_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .sqlx_logging(false)
            .set_application_name("homestretch")
            .map_sqlx_postgres_opts(|options| options.options(SETTINGS))
            .map_sqlx_postgres_before_acquire(|connection, _| {
                Box::pin(async move {
                    // Ends whatever a dropped request left open. A ROLLBACK alone would write a warning into the server's log each
                    // time there is nothing to roll back. A connection that cannot do this is dead or in a failed transaction:
                    // `false` makes the pool open another.
                    Ok(sqlx::Executor::execute(connection, "START TRANSACTION; ROLLBACK").await.is_ok())
                })
            });
        let pool = Database::connect(options.clone()).await?;
        Ok(Self { pool, queue: Arc::default(), options })
    }

    /// The queue's own connections. They are in the worker's role from the start and never inside a transaction, so a statement is one
    /// round trip: no reset, no BEGIN, no role, no COMMIT around it.
    async fn queue_pool(&self) -> Result<DatabaseConnection, StoreError> {
        let open = async || {
            let mut options = self.options.clone();
            options
                .map_sqlx_postgres_opts(|options| options.options(SETTINGS).options([("role", "homestretch_worker")]))
                .map_sqlx_postgres_before_acquire(|connection, known| {
                    Box::pin(async move {
                        // Only what was idle for a while is asked whether it is still there.
                        if known.idle_for < Duration::from_secs(1) {
                            return Ok(true);
                        }
                        Ok(sqlx::Connection::ping(connection).await.is_ok())
                    })
                });
            Database::connect(options).await.map_err(StoreError::from)
        };
        self.queue.get_or_try_init(open).await.cloned()
    }

    /// Brings the schema of the database at `url` up to date, under an advisory lock. Safe to run any number of times, by any
    /// number of processes at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the server cannot be reached, [`StoreError::NotMigrated`] when a migration fails or a
    /// released one was changed.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let store = Self::connect_with(url, 1).await?;
        let outcome = MIGRATIONS
            .run(store.pool.get_postgres_connection_pool())
            .await
            .map_err(|error| StoreError::NotMigrated(error.to_string()));
        store.close().await;
        outcome
    }

    /// Whether every migration this program knows has been applied.
    ///
    /// # Errors
    /// [`StoreError::NotMigrated`] when one is missing, [`StoreError::Unavailable`] when the database is away.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let latest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        let table = self
            .pool
            .query_one_raw(Statement::from_string(DbBackend::Postgres, "select to_regclass('_sqlx_migrations')::text as name"))
            .await?;
        let exists = match table {
            Some(row) => row.try_get::<Option<String>>("", "name")?.is_some(),
            None => false,
        };
        if !exists {
            return Err(StoreError::NotMigrated("it has no tables yet".into()));
        }
        let row = self
            .pool
            .query_one_raw(Statement::from_string(
                DbBackend::Postgres,
                "select coalesce(max(version), 0) as version from _sqlx_migrations where success",
            ))
            .await?;
        let applied: i64 = row.map(|row| row.try_get("", "version")).transpose()?.unwrap_or_default();
        if applied < latest {
            return Err(StoreError::NotMigrated(format!("it is at {applied}, this program needs {latest}")));
        }
        Ok(())
    }

    /// One round trip to the database, for readiness checks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database is away.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.pool.execute_unprepared("select 1").await?;
        Ok(())
    }

    /// What time it is where the database runs: leases and dues of several workers only agree when their clocks do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database is away.
    pub async fn clock(&self) -> Result<Timestamp, StoreError> {
        let sql = Statement::from_string(DbBackend::Postgres, "select clock_timestamp() as at");
        let row = self.pool.query_one_raw(sql).await?;
        let at = row.map(|row| row.try_get::<time::OffsetDateTime>("", "at")).transpose()?;
        at.and_then(to_instant).ok_or_else(|| StoreError::Other("the database does not know the time".into()))
    }

    /// Closes every connection.
    pub async fn close(self) {
        // An error here means that the connections are gone already.
        let _ = self.pool.close().await;
        if let Some(queue) = self.queue.get() {
            let _ = queue.clone().close().await;
        }
    }

    /// Works inside one clinic, under row-level security.
    ///
    /// # Errors
    /// What `work` returns, and the store's own errors of beginning and committing. Any error rolls everything back.
    pub async fn tenant<T, E, F, Fut>(&self, scope: Scope, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let patient = match scope.actor {
            Actor::Patient(patient) => patient.0.to_string(),
            Actor::Staff(_) | Actor::System => String::new(),
        };
        self.run("homestretch_app", Some(scope), patient, work).await
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
        self.run("homestretch_signin", None, String::new(), work).await
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
        self.run("homestretch_worker", None, String::new(), work).await
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
        let store = self.clone();
        // As in `run`: whoever asked may go away, the statement goes on.
        let task = tokio::spawn(async move { work(Tx { line: Line::Queue(store.queue_pool().await?), scope: None }).await });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::Other(format!("a statement ended early: {error}")).into()),
        }
    }

    async fn run<T, E, F, Fut>(&self, role: &'static str, scope: Option<Scope>, patient: String, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(Tx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let pool = self.pool.clone();
        let task = tokio::spawn(async move {
            let inner = pool.begin().await.map_err(StoreError::from)?;
            let clinic = scope.map(|scope| scope.clinic.0.to_string()).unwrap_or_default();
            inner
                .query_one_raw(Statement::from_sql_and_values(
                    DbBackend::Postgres,
                    "select set_config('role', $1, true), set_config('app.clinic_id', $2, true), set_config('app.patient_id', $3, true)",
                    [role.into(), clinic.into(), patient.into()],
                ))
                .await
                .map_err(StoreError::from)?;
            let inner = Arc::new(inner);
            let done = work(Tx { line: Line::Transaction(inner.clone()), scope }).await?;
            match Arc::try_unwrap(inner) {
                Ok(inner) => inner.commit().await.map_err(StoreError::from)?,
                Err(_) => return Err(StoreError::Other("a transaction was kept beyond its work".into()).into()),
            }
            Ok(done)
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => Err(StoreError::Other(format!("a transaction ended early: {error}")).into()),
        }
    }
}

impl Tx {
    /// The clinic at work in; the nil id outside a tenant's transaction (which then matches no row).
    pub fn clinic(&self) -> ClinicId {
        self.scope.map_or(ClinicId(Uuid::nil()), |scope| scope.clinic)
    }

    /// Who is at work; [`Actor::System`] outside a tenant's transaction.
    pub fn actor(&self) -> Actor {
        self.scope.map_or(Actor::System, |scope| scope.actor)
    }

    /// The member of staff at work, if it is one.
    pub fn staff(&self) -> Option<MembershipId> {
        match self.actor() {
            Actor::Staff(id) => Some(id),
            Actor::Patient(_) | Actor::System => None,
        }
    }

    /// All rows of a statement. Parameters are `$1…` in order.
    pub(crate) async fn all<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<R>, StoreError> {
        let asked = statement(sql, values);
        let rows = match &self.line {
            Line::Transaction(inner) => inner.query_all_raw(asked).await?,
            Line::Queue(pool) => pool.query_all_raw(asked).await?,
        };
        Ok(rows.iter().map(|row| R::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }

    /// The first row of a statement, if there is one. Not for a statement that writes in [`Store::queue`]: the answer may come before the
    /// commit does.
    pub(crate) async fn one<R: FromQueryResult>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<R>, StoreError> {
        let asked = statement(sql, values);
        let row = match &self.line {
            Line::Transaction(inner) => inner.query_one_raw(asked).await?,
            Line::Queue(pool) => pool.query_one_raw(asked).await?,
        };
        Ok(row.map(|row| R::from_query_result(&row, "")).transpose()?)
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn run(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Result<u64, StoreError> {
        let asked = statement(sql, values);
        let done = match &self.line {
            Line::Transaction(inner) => inner.execute_raw(asked).await?,
            Line::Queue(pool) => pool.execute_raw(asked).await?,
        };
        Ok(done.rows_affected())
    }
}

async fn reachable(url: &str) -> Result<(), StoreError> {
    let away = |why: String| StoreError::Unavailable(why);
    let once = <sqlx::PgConnection as sqlx::Connection>::connect(url);
    match tokio::time::timeout(Duration::from_secs(5), once).await {
        Ok(Ok(connection)) => {
            // It has served its purpose; the server notices if saying goodbye fails.
            let _ = sqlx::Connection::close(connection).await;
            Ok(())
        }
        Ok(Err(sqlx::Error::Database(said))) => Err(away(said.message().to_owned())),
        Ok(Err(sqlx::Error::Io(why))) => Err(away(why.to_string())),
        Ok(Err(sqlx::Error::Configuration(why))) => Err(away(format!("the address cannot be read: {why}"))),
        Ok(Err(other)) => Err(away(other.to_string())),
        Err(_) => Err(away("no answer within 5 seconds".to_owned())),
    }
}

fn statement(sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}
