//! The migrations, as an installation with patients in it meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, time::Duration};

use sqlx::{
    Connection as _, Executor as _, PgConnection,
    migrate::{Migration, Migrator},
};
use store::{Store, StoreError};
use testkit::Db;

/// The last migration of the release whose data and words are kept beside this file.
const RELEASED: i64 = 5;

const FILLED: &str = include_str!("migrations/filled_0005.sql");
const OLD_WORDS: &str = include_str!("migrations/old_words.sql");

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
}

async fn all() -> Vec<Migration> {
    Migrator::new(folder()).await.unwrap().iter().cloned().collect()
}

/// An empty database brought to this version.
async fn database_at(version: i64) -> Db {
    let db = Db::new().await;
    db.execute("drop schema public cascade; create schema public; grant usage on schema public to public").await;
    let first = all().await.into_iter().filter(|migration| migration.version <= version).collect();
    let mut direct = PgConnection::connect(db.url()).await.unwrap();
    Migrator::with_migrations(first).run(&mut direct).await.unwrap();
    direct.close().await.unwrap();
    db
}

async fn filled() -> Db {
    let db = database_at(RELEASED).await;
    db.execute(FILLED).await;
    let empty = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
                   and (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from public.%I', relname), false, true, '')))[1]::text = '0'";
    assert_eq!(db.rows(empty).await, Vec::<String>::new(), "every table has a row");
    db
}

/// Every row of these columns of these tables, as text.
async fn rows(db: &Db, columns: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for line in columns {
        let (table, columns) = line.split_once('|').unwrap();
        found.extend(db.rows(&format!("select '{table}', row({columns})::text from {table} order by 2")).await);
    }
    found
}

/// "table|column, column": what there is now.
async fn columns(db: &Db) -> Vec<String> {
    db.rows(
        "select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> '_sqlx_migrations' and a.attnum > 0 and not a.attisdropped
         group by 1 order by 1",
    )
    .await
}

/// Says what the released program says, each as its role; every one must be understood. Gives how many rows each reached.
async fn say_the_old_words(db: &Db) -> Vec<(u64, &'static str)> {
    let mut direct = PgConnection::connect(db.url()).await.unwrap();
    let mut role = "";
    let mut said = Vec::new();
    for line in OLD_WORDS.lines() {
        if let Some(next) = line.strip_prefix("-- role ") {
            role = next;
        } else if !line.starts_with("--") && !line.is_empty() {
            let begin = format!(
                "begin; set local role {role};
                 select set_config('app.clinic_id', '00000000-0000-7000-8000-0000000000a1', true), set_config('app.patient_id', '', true)"
            );
            direct.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(begin))).await.unwrap();
            match direct.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(line.to_owned()))).await {
                Ok(done) => said.push((done.rows_affected(), line)),
                Err(error) => panic!("as {role}: {error}\n{line}"),
            }
            direct.execute("commit").await.unwrap();
        }
    }
    assert!(said.len() > 50);
    direct.close().await.unwrap();
    said
}

#[test]
fn every_file_waits_for_its_locks_a_few_seconds_and_no_longer() {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    assert!(files.len() >= 5);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("--")).unwrap_or_default();
        assert_eq!(first, "set local lock_timeout = '5s';", "{}", file.display());
        assert!(text.starts_with("-- "), "{} says in a comment what it is for", file.display());
        // A migration is one transaction; these would end it, or cannot be in one.
        let lower = text.to_lowercase();
        for never in ["\ncommit", "\nbegin;", "concurrently", "\nvacuum"] {
            assert!(!lower.contains(never), "{} says {}", file.display(), never.trim());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_counted_once() {
    let mut versions: Vec<i64> = all().await.iter().map(|migration| migration.version).collect();
    let count = versions.len();
    versions.dedup();
    assert_eq!(versions.len(), count, "two files have the same number: {versions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_the_released_schema_comes_through_as_it_was() {
    let db = filled().await;
    let columns = columns(&db).await;
    let before = rows(&db, &columns).await;
    assert!(before.len() > 30);
    Store::migrate(db.url()).await.unwrap();
    let after = rows(&db, &columns).await;
    assert_eq!(before, after);
    Store::connect(db.url()).await.unwrap().check_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_released_program_goes_on_while_the_schema_is_newer() {
    // They are that program's words: its own schema understands them.
    let old = filled().await;
    let then = say_the_old_words(&old).await;
    let new = filled().await;
    Store::migrate(new.url()).await.unwrap();
    let now = say_the_old_words(&new).await;
    // Row-level security hides rows without a word, so what each statement reached is compared as well.
    for (then, now) in then.into_iter().zip(now) {
        assert_eq!(then, now);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_makes_it_fail_in_time_and_it_can_be_run_again() {
    let db = filled().await;
    let mut long = PgConnection::connect(db.url()).await.unwrap();
    long.execute("begin; update patient set name = name; update clinic set name = name").await.unwrap();
    // Its lock_timeout is 5 s; without one it would wait for as long as the transaction lasts.
    let refused = tokio::time::timeout(Duration::from_secs(120), Store::migrate(db.url())).await.expect("it gives up").unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("nothing was changed; run it again") && !said.contains('\n'), "{said}");
    // Nothing of it is there: the old program's words still do their work, once the long transaction is over.
    let last: i64 = db.row("select max(version) from _sqlx_migrations").await.parse().unwrap();
    assert!(last < all().await.last().unwrap().version);
    long.execute("rollback").await.unwrap();
    Store::migrate(db.url()).await.unwrap();
    let store = Store::connect(db.url()).await.unwrap();
    store.check_schema().await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_apply_each_migration_once() {
    let db = filled().await;
    let (a, b, c) = tokio::join!(Store::migrate(db.url()), Store::migrate(db.url()), Store::migrate(db.url()));
    for outcome in [a, b, c] {
        outcome.unwrap();
    }
    assert_eq!(db.row("select count(*) from _sqlx_migrations where success").await, all().await.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_migrated_database_is_refused_in_a_line() {
    let newest = all().await.last().unwrap().version;
    let refused = async |db: &Db| {
        let said = homestretch::serve::open(db.url(), store::Timeouts::default()).await.unwrap_err().to_string();
        assert!(!said.contains('\n'), "{said}");
        said
    };
    let behind = database_at(RELEASED).await;
    assert_eq!(
        refused(&behind).await,
        format!(
            "the database is not up to date: it is at {RELEASED}, this program needs {newest}. Run `homestretch migrate` first."
        )
    );
    let db = Db::new().await;
    db.execute("delete from _sqlx_migrations where version = 3").await;
    assert!(refused(&db).await.contains("migration 3 is missing among those applied"));
    let db = Db::new().await;
    db.execute("update _sqlx_migrations set checksum = '\\x00' where version = 4").await;
    assert!(refused(&db).await.contains("migration 4 is not the one that was released"));
    // A newer one is fine: its migrations leave room for the program before it.
    let db = Db::new().await;
    db.execute("insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) values (9999, 'later', now(), true, '', 0)").await;
    homestretch::serve::open(db.url(), store::Timeouts::default()).await.unwrap();
    // Nothing at all.
    let db = Db::new().await;
    db.execute("drop schema public cascade; create schema public").await;
    assert!(refused(&db).await.contains("it has no tables yet"));
}
