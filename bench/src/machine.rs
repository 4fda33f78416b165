//! What it was measured on, and how fast its disk commits.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::Db;

/// Cores, processor, system, Postgres and its settings.
pub async fn describe(db: &Db) -> Result<Value> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut settings = serde_json::Map::new();
    for name in
        ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers", "max_wal_size", "autovacuum"]
    {
        settings.insert(name.to_owned(), db.row(&format!("show {name}")).await.into());
    }
    Ok(json!({
        "cores": std::thread::available_parallelism()?.get(),
        "cpu": model.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':'])),
        "memory_gib": kilobytes / 1024.0 / 1024.0,
        "kernel": kernel.trim(),
        "load_before": load.split(' ').next().unwrap_or_default(),
        "postgres": db.row("show server_version").await,
        "settings": settings,
    }))
}

/// Commits of one connection, one after the other: what the disk under the write-ahead log gives. Microseconds each.
pub async fn commit(db: &Db) -> Result<f64> {
    let mut connection = PgConnection::connect(db.url()).await?;
    connection
        .execute(
            "create table if not exists bench_commit (n bigint); truncate bench_commit; insert into bench_commit values (0);
             set synchronous_commit = on",
        )
        .await?;
    let (started, mut commits) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        sqlx::query("update bench_commit set n = n + 1").execute(&mut connection).await?;
        commits += 1;
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(commits);
    connection.close().await?;
    Ok(micros)
}

/// The process at the head of the server.
pub async fn postmaster(db: &Db) -> Result<u32> {
    let folder = db.row("show data_directory").await;
    let file = fs::read_to_string(format!("{folder}/postmaster.pid"));
    let file = file.with_context(|| format!("the bench has to run beside Postgres and to see {folder}"))?;
    Ok(file.lines().next().unwrap_or_default().trim().parse()?)
}

/// What statements of a database have cost since [`Counted::reset`], by `pg_stat_statements`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counted {
    /// Statements, those that begin and end transactions included.
    pub statements: f64,
    /// Of these, changes of the queue, each a commit of its own: claims, intents, results.
    pub commits: f64,
    /// Blocks looked at, in memory or not.
    pub buffers: f64,
    /// Bytes of write-ahead log.
    pub wal: f64,
    /// Milliseconds of carrying statements out.
    pub millis: f64,
}

impl Counted {
    /// Begins to count anew.
    pub async fn reset(db: &Db) {
        db.execute("create extension if not exists pg_stat_statements").await;
        db.row("select pg_stat_statements_reset() is not null").await;
    }

    /// What was counted.
    pub async fn read(db: &Db) -> Result<Self> {
        let row = db
            .row(
                "select coalesce(sum(calls), 0), coalesce(sum(calls) filter (where query ~ '^(update notice|with given)'), 0),
                   coalesce(sum(shared_blks_hit + shared_blks_read), 0), coalesce(sum(wal_bytes), 0),
                   coalesce(sum(total_exec_time), 0)
                 from pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())
                   and query not ilike '%pg_stat_statements%' and query not ilike 'checkpoint'",
            )
            .await;
        let numbers: Vec<f64> = row.split('|').map(str::parse).collect::<Result<_, _>>()?;
        let [statements, commits, buffers, wal, millis] = numbers[..] else { anyhow::bail!("five numbers expected: {row}") };
        Ok(Self { statements, commits, buffers, wal, millis })
    }
}
