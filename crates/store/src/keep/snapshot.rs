//! One moment of a database, held open so that what is counted here and what pg_dump writes are the same rows.

use domain::ids::ClinicId;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    Chains, Contents, Head,
    chain::{follow, heads},
    connect, options, quoted, restore, said,
};
use crate::StoreError;

/// The role that may read everything where the database's user is an ordinary one.
const ROLE: &str = "homestretch_backup";

/// A connection inside a transaction that sees one moment and changes nothing.
#[derive(Debug)]
pub struct Snapshot {
    db: PgConnection,
    id: String,
    reader: Reader,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A superuser, or somebody else whom row-level security does not bind.
    Unbound,
    /// This role, by policies that let it read every row.
    Role(&'static str),
}

impl Snapshot {
    /// Opens one on the database at `url`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database is away or its user may not read everything, [`StoreError::NotMigrated`] when it is
    /// none of ours, is newer than this program, or was not restored to the end.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let mut db = connect(&options(url).await?, "homestretch backup").await.map_err(said)?;
        if let Some(words) = restore::unfinished(&mut db).await? {
            return Err(StoreError::HalfRestored(words));
        }
        let ours: bool = scalar(&mut db, "select to_regclass('public._sqlx_migrations') is not null").await?;
        if !ours {
            return Err(StoreError::NotMigrated("it has no tables yet".into()));
        }
        let schema: i64 = scalar(&mut db, "select coalesce(max(version), 0) from public._sqlx_migrations where success").await?;
        if schema > restore::newest_schema() {
            return Err(StoreError::NotMigrated(format!(
                "it is at {schema}, and this program knows up to {}; use the version that runs on it",
                restore::newest_schema()
            )));
        }
        run(&mut db, "begin isolation level repeatable read read only").await?;
        let id = scalar(&mut db, "select pg_export_snapshot()").await?;
        let reader = see_everything(&mut db).await?;
        Ok(Self { db, id, reader })
    }

    /// The name pg_dump is given, to see the same moment.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As whom pg_dump must read.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// What there is. `counted` is told each table before its rows are counted, which takes its time in a large database.
    ///
    /// # Errors
    /// The store's own.
    pub async fn contents(&mut self, mut counted: impl FnMut(&str) + Send) -> Result<Contents, StoreError> {
        Contents::read(&mut self.db, &mut counted).await
    }

    /// Follows the audit's chains, all of them or one clinic's, and holds them against heads kept from earlier. `told` hears the clinic and
    /// the entry it has come to.
    ///
    /// # Errors
    /// The store's own.
    pub async fn follow_audit(
        &mut self,
        only: Option<ClinicId>,
        anchors: &[Head],
        mut told: impl FnMut(Uuid, i64) + Send,
    ) -> Result<Chains, StoreError> {
        follow(&mut self.db, only, anchors, &mut told).await
    }

    /// The heads as they are, without following the chains.
    ///
    /// # Errors
    /// The store's own.
    pub async fn heads(&mut self) -> Result<Vec<Head>, StoreError> {
        heads(&mut self.db).await
    }

    /// Lets go of the moment.
    pub async fn close(self) {
        // Nothing was changed; the server ends the transaction with the connection either way.
        let _ = self.db.close().await;
    }
}

/// Makes the open transaction see every row of every table, or says why it cannot. A backup that leaves rows out without a word is the
/// worst kind, so whether the policies let everything through is asked of the catalog and not assumed.
pub(super) async fn see_everything(db: &mut PgConnection) -> Result<Reader, StoreError> {
    let unbound: bool = scalar(db, "select rolsuper or rolbypassrls from pg_roles where rolname = current_user").await?;
    if unbound {
        return Ok(Reader::Unbound);
    }
    let member: Option<bool> =
        sqlx::query_scalar("select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = $1")
            .bind(ROLE)
            .fetch_optional(&mut *db)
            .await
            .map_err(said)?;
    if member != Some(true) {
        return Err(StoreError::Unavailable(format!(
            "its user may not read every row: run `homestretch migrate`, which makes the role {ROLE} for that, or use a superuser"
        )));
    }
    let closed: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c, pg_roles r
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and r.rolname = $1
           and (not has_table_privilege(r.oid, c.oid, 'select')
             or c.relrowsecurity and (
               not exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
                           and p.polroles && array[r.oid, 0::oid] and pg_get_expr(p.polqual, p.polrelid) = 'true')
               or exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('r', '*')
                          and p.polroles && array[r.oid, 0::oid])))
         order by 1",
    )
    .bind(ROLE)
    .fetch_all(&mut *db)
    .await
    .map_err(said)?;
    if !closed.is_empty() {
        return Err(StoreError::Unavailable(format!("{ROLE} may not read all of {}; use a superuser", closed.join(", "))));
    }
    run(db, &format!("set local role {}", quoted(ROLE))).await?;
    Ok(Reader::Role(ROLE))
}

pub(super) async fn run(db: &mut PgConnection, sql: &str) -> Result<(), StoreError> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(db).await.map_err(said)?;
    Ok(())
}

pub(super) async fn scalar<T>(db: &mut PgConnection, sql: &'static str) -> Result<T, StoreError>
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(sql).fetch_one(db).await.map_err(said)
}
