//! The schema's versions: bringing a database up to date, and refusing one that is not.

use std::collections::BTreeMap;

use sqlx::{PgConnection, migrate::MigrateError};

use crate::{StoreError, keep};

/// The migrations, embedded. Checksums are kept in the database.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Applies what is missing, one transaction each, under an advisory lock.
pub(crate) async fn migrate(db: &mut PgConnection) -> Result<(), StoreError> {
    if let Some(words) = keep::unfinished(db).await? {
        return Err(StoreError::HalfRestored(words));
    }
    MIGRATIONS.run(db).await.map_err(|error| match error {
        MigrateError::ExecuteMigration(why, version) => refused(&why, version),
        other => StoreError::NotMigrated(other.to_string()),
    })
}

/// A migration is one transaction: when it fails, nothing of it is there.
fn refused(why: &sqlx::Error, version: i64) -> StoreError {
    let said = why.as_database_error();
    // lock_not_available: each migration waits for its locks a few seconds and no longer, because whoever comes after it waits too.
    if said.and_then(|said| said.code()).as_deref() == Some("55P03") {
        return StoreError::Locked { version };
    }
    let words = said.map_or_else(|| why.to_string(), |said| said.message().to_owned());
    StoreError::NotMigrated(format!("migration {version} failed and changed nothing: {words}"))
}

/// Whether every migration this program knows has been applied, as it is here, and nobody is in the middle of a restore. More than this
/// program knows is fine: a newer program's migrations leave room for the one before it.
pub(crate) async fn check(db: &mut PgConnection) -> Result<(), StoreError> {
    if let Some(words) = keep::unfinished(db).await? {
        return Err(StoreError::HalfRestored(words));
    }
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *db).await?;
    if !exists {
        return Err(StoreError::NotMigrated("it has no tables yet".into()));
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success").fetch_all(&mut *db).await?;
    let applied: BTreeMap<_, _> = applied.into_iter().collect();
    let at = applied.keys().max().copied().unwrap_or_default();
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            None if migration.version > at => {
                return Err(StoreError::NotMigrated(format!("it is at {at}, this program needs {}", keep::newest_schema())));
            }
            None => return Err(StoreError::NotMigrated(format!("migration {} is missing among those applied", migration.version))),
            Some(checksum) if *checksum != *migration.checksum => {
                return Err(StoreError::NotMigrated(format!("migration {} is not the one that was released", migration.version)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
