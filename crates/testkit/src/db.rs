//! A database per test: cloned from a template that is migrated once, dropped when the test ends.
//!
//! The template's name carries a digest of the migrations, so it is made anew when one changes and several checkouts can test on
//! one server. An advisory lock in the server's own database lets any number of test processes start at once.

use std::{hash::Hasher as _, sync::LazyLock, time::Duration};

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, ValueRef as _};
use store::Store;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Names the server the tests may make databases on.
const VARIABLE: &str = "HOMESTRETCH_TEST_DATABASE_URL";

/// Held while the template is looked for or made. Any number will do, as long as nobody else uses it.
const LOCK: i64 = 0x686f_6d65_7374;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

static TEMPLATE: LazyLock<String> = LazyLock::new(|| {
    // FNV-1a: stable over processes and compilers, which std's default hasher does not promise.
    struct Fnv(u64);
    impl std::hash::Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut digest = Fnv(0xcbf2_9ce4_8422_2325);
    for migration in MIGRATIONS.iter() {
        digest.write(&migration.checksum);
    }
    format!("homestretch_template_{:016x}", digest.finish())
});

/// An empty, migrated database of one test's own.
#[derive(Debug)]
pub struct Db {
    /// The database as the program sees it.
    pub store: Store,
    name: String,
    url: String,
}

impl Db {
    /// Makes one; about 50 ms once the template exists.
    ///
    /// # Panics
    /// With a sentence that says what to do, when there is no server to test on or it refuses.
    pub async fn new() -> Self {
        match Self::make().await {
            Ok(db) => db,
            Err(error) => panic!("no database for this test: {error:#}"),
        }
    }

    async fn make() -> anyhow::Result<Self> {
        // One look per test process is enough: nobody drops a template that is in use.
        static READY: OnceCell<()> = OnceCell::const_new();
        READY.get_or_try_init(make_template).await?;

        let name = format!("homestretch_test_{}", Uuid::now_v7().simple());
        let mut server = connect(&server_url()?).await?;
        server.execute(sqlx::AssertSqlSafe(format!("create database {name} template {}", *TEMPLATE))).await?;
        server.close().await?;
        let url = url_of(&name)?;
        let store = Store::connect_with(&url, 4).await?;
        Ok(Self { store, name, url })
    }

    /// The address of this database, for code that connects by itself.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL behind the program's back, as the server's superuser (row-level security does not apply).
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn execute(&self, sql: &str) -> u64 {
        let mut direct = self.direct().await;
        match direct.execute(sqlx::AssertSqlSafe(sql.to_owned())).await {
            Ok(done) => done.rows_affected(),
            Err(error) => panic!("{error} in {sql}"),
        }
    }

    /// What the server says when it refuses this, as its superuser or whoever the words make of it.
    ///
    /// # Panics
    /// When it does not refuse.
    pub async fn refused(&self, sql: &str) -> String {
        let mut direct = self.direct().await;
        match direct.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await {
            Ok(_) => panic!("not refused: {sql}"),
            Err(error) => error.to_string(),
        }
    }

    /// Reads behind the program's back: one string per row, the columns joined by `|`, NULL as nothing.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        self.watcher().await.rows(sql).await
    }

    /// For a test that reads behind the program's back a thousand times: one connection for all of them.
    pub async fn watcher(&self) -> Watcher {
        Watcher(self.direct().await)
    }

    /// As [`Db::rows`], when exactly one row is expected.
    ///
    /// # Panics
    /// When there is another number of rows.
    pub async fn row(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql} gave {rows:?}");
        rows.into_iter().next().unwrap_or_default()
    }

    /// Takes the database away, as when its server is restarted: cuts every connection and lets none in.
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn go_away(&self) {
        self.on_server(&format!("alter database {} allow_connections false", self.name)).await;
        self.on_server(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'", self.name)).await;
    }

    /// Brings the database back after [`Db::go_away`].
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn come_back(&self) {
        self.on_server(&format!("alter database {} allow_connections true", self.name)).await;
    }

    async fn on_server(&self, sql: &str) {
        let done = async {
            let mut server = connect(&server_url()?).await?;
            server.execute(sqlx::AssertSqlSafe(sql.to_owned())).await?;
            server.close().await?;
            anyhow::Ok(())
        };
        if let Err(error) = done.await {
            panic!("{error:#} in {sql}");
        }
    }

    async fn direct(&self) -> PgConnection {
        connect(&self.url).await.unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// A connection of the server's superuser.
#[derive(Debug)]
pub struct Watcher(PgConnection);

impl Watcher {
    /// As [`Db::rows`].
    ///
    /// # Panics
    /// When the server refuses it.
    pub async fn rows(&mut self, sql: &str) -> Vec<String> {
        // The simple protocol answers in text, whatever the columns' types.
        match self.0.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await {
            Ok(rows) => rows.iter().map(text).collect(),
            Err(error) => panic!("{error} in {sql}"),
        }
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let name = self.name.clone();
        // Drop cannot wait inside the test's own runtime, so a thread with a small one of its own does it. What a killed test
        // leaves behind stays on the server until somebody drops it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut server = connect(&server_url()?).await?;
                server.execute(sqlx::AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
                anyhow::Ok(())
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("the database {} stays behind: {error:#}", self.name);
        }
    }
}

async fn make_template() -> anyhow::Result<()> {
    let mut server = connect(&server_url()?).await?;
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut server).await?;
    let outcome = make_template_locked(&mut server).await;
    // Closing the connection gives the lock back too; this only says so.
    sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(&mut server).await?;
    server.close().await?;
    outcome
}

async fn make_template_locked(server: &mut PgConnection) -> anyhow::Result<()> {
    let name = &*TEMPLATE;
    // A template is marked as one only when it is complete; one without the mark was left by a process that was killed.
    let complete: Option<bool> = sqlx::query_scalar("select datistemplate from pg_database where datname = $1")
        .bind(name)
        .fetch_optional(&mut *server)
        .await?;
    if complete == Some(true) {
        return Ok(());
    }
    server.execute(sqlx::AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
    server.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await?;
    Store::migrate(&url_of(name)?).await?;
    // Nobody can be connected to a database while it is cloned.
    server.execute(sqlx::AssertSqlSafe(format!("alter database {name} with is_template true allow_connections false"))).await?;
    Ok(())
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let connecting = tokio::time::timeout(Duration::from_secs(10), PgConnection::connect(url)).await;
    match connecting {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(anyhow::anyhow!("{VARIABLE} leads to a server that refuses: {error}")),
        Err(_) => Err(anyhow::anyhow!("{VARIABLE} leads to a server that does not answer within 10 s")),
    }
}

fn server_url() -> anyhow::Result<String> {
    std::env::var(VARIABLE).map_err(|_| {
        anyhow::anyhow!(
            "{VARIABLE} is not set. `bin/test` starts a server and sets it; to use your own, give the address of a superuser, for \
             example postgres://postgres@127.0.0.1:5432/postgres"
        )
    })
}

/// The server's address with another database in its path; what follows a `?` (a socket's directory, for example) stays.
fn url_of(database: &str) -> anyhow::Result<String> {
    let url = server_url()?;
    let (address, query) = url.split_once('?').map_or((url.as_str(), None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_once("://").ok_or_else(|| anyhow::anyhow!("{VARIABLE} is not a postgres:// address"))?;
    let host = rest.split('/').next().unwrap_or_default();
    Ok(match query {
        Some(query) => format!("{scheme}://{host}/{database}?{query}"),
        None => format!("{scheme}://{host}/{database}"),
    })
}

fn text(row: &sqlx::postgres::PgRow) -> String {
    let columns = (0..row.len()).map(|at| match row.try_get_raw(at) {
        Ok(value) if value.is_null() => String::new(),
        Ok(value) => value.as_str().unwrap_or("?").to_owned(),
        Err(error) => error.to_string(),
    });
    columns.collect::<Vec<_>>().join("|")
}
