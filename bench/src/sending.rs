//! Sending: the engine beside raw SMTP, in turn, to the same server; then what its layers cost.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use store::Store;

use crate::{
    machine::{self, Counted},
    population::{Population, round_at},
    process::{self, Sink, family},
    report::{Goal, Report, Series},
};

/// What one of the sides cost in one round.
struct Round {
    pace: f64,
    /// CPU microseconds a mail: the side's own, the mail server's, Postgres's.
    cpu: [f64; 3],
    peak: f64,
}

struct Bench {
    population: Population,
    /// The tests' mail server, which the comparison is made with.
    server: Sink,
    /// As little of a mail server as can be.
    least: Sink,
    postmaster: u32,
    mails: u32,
    days: u32,
}

#[derive(Default)]
struct Side {
    pace: Series,
    own: Series,
    server: Series,
    postgres: Series,
    peak: Series,
}

impl Side {
    fn push(&mut self, round: &Round) {
        self.pace.push(round.pace);
        self.own.push(round.cpu[0]);
        self.server.push(round.cpu[1]);
        self.postgres.push(round.cpu[2]);
        self.peak.push(round.peak);
    }
}

/// What the database did for each mail, in the engine's rounds.
#[derive(Default)]
struct Database {
    statements: Series,
    mails_a_commit: Series,
    wal: Series,
    one_commit: Series,
}

/// Measures all of it.
pub async fn measure(mails: u32, rounds: u32, out: &Path, report: &mut Report) -> Result<()> {
    println!("Filling a database with {mails} patients…");
    let population = Population::make(mails, mails, &["08:00"], true).await?;
    let postmaster = machine::postmaster(&population.db).await?;
    let mut bench = Bench {
        population,
        server: Sink::start("mail-server").await?,
        least: Sink::start("sink").await?,
        postmaster,
        mails,
        days: 0,
    };

    // Not measured: warms everything up, and gives the mail that the others send.
    bench.engine(true).await?;
    std::mem::swap(&mut bench.server, &mut bench.least);
    bench.engine(true).await?;
    let message = out.join("reminder.eml");
    let bytes = bench.server.last(&message).await?;
    std::mem::swap(&mut bench.server, &mut bench.least);
    ensure!(bytes > 1_000, "a reminder of {bytes} bytes");

    let (mut floor, mut bare) = (Side::default(), Side::default());
    let (mut engine, mut lazy) = (Side::default(), Side::default());
    let mut database = Database::default();
    for round in 1..=rounds {
        println!("Round {round} of {rounds}…");
        floor.push(&bench.plain("floor", &message).await?);
        database.one_commit.push(machine::commit(&bench.population.db).await?);
        engine.push(&bench.engine_counted(&mut database).await?);
        lazy.push(&bench.engine(false).await?);
        std::mem::swap(&mut bench.server, &mut bench.least);
        bare.push(&bench.plain("floor", &message).await?);
        std::mem::swap(&mut bench.server, &mut bench.least);
    }
    let written = bench.compose().await?;

    report.line("the mail, as it goes over the wire", &Series::single(bytes as f64), 0, " bytes");
    report.line("floor: raw pipelined SMTP, 16 connections", &floor.pace, 0, " mails/s");
    report.line("the same to a server that only looks for the dot", &bare.pace, 0, " mails/s");
    report.line("the engine", &engine.pace, 0, " mails/s");
    report.goal("the engine, of the floor", &engine.pace.over(&floor.pace), 2, "", Goal::AtLeast(0.35));
    report.line("the engine if commits did not wait for the disk", &lazy.pace.over(&engine.pace), 2, " ×");
    let hundred = Series::single(100_000.0 / engine.pace.median());
    report.goal("100,000 reminders at that pace", &hundred, 0, " s", Goal::AtMost(60.0));
    report.line("one commit on this disk, one connection", &database.one_commit, 0, " µs");
    report.line("mails a commit (claims, intents and results together)", &database.mails_a_commit, 1, "");
    report.line("statements a mail", &database.statements, 2, "");
    report.line("write-ahead log a mail", &database.wal, 0, " bytes");
    report.line("CPU a mail: floor's client", &floor.own, 0, " µs");
    report.line("CPU a mail: mail server, floor", &floor.server, 0, " µs");
    report.line("CPU a mail: the engine", &engine.own, 0, " µs");
    report.line("CPU a mail: mail server, engine", &engine.server, 0, " µs");
    report.line("CPU a mail: Postgres, engine", &engine.postgres, 0, " µs");
    report.line("CPU a mail: the engine, of that writing it (templates, links, MIME)", &Series::single(written), 0, " µs");
    report.goal("greatest memory of the worker", &engine.peak, 1, " MiB", Goal::AtMost(40.0));
    Ok(())
}

impl Bench {
    /// A day's reminders through the engine, with what the database did for it.
    async fn engine_counted(&mut self, database: &mut Database) -> Result<Round> {
        let arguments = self.next_day("engine", true).await?;
        Counted::reset(&self.population.db).await;
        let round = self.timed(arguments, true).await?;
        let counted = Counted::read(&self.population.db).await?;
        self.all_sent().await?;
        let mails = f64::from(self.mails);
        database.statements.push(counted.statements / mails);
        database.mails_a_commit.push(mails / counted.commits);
        database.wal.push(counted.wal / mails);
        Ok(round)
    }

    async fn engine(&mut self, durable: bool) -> Result<Round> {
        let arguments = self.next_day("engine", durable).await?;
        let round = self.timed(arguments, true).await?;
        self.all_sent().await?;
        Ok(round)
    }

    async fn all_sent(&self) -> Result<()> {
        let left = self.population.db.rows("select state, count(*) from notice where state <> 'sent' group by state").await;
        ensure!(left.is_empty(), "not all mails were sent: {left:?}");
        Ok(())
    }

    /// One of the floors.
    async fn plain(&mut self, which: &str, message: &Path) -> Result<Round> {
        let mails = self.mails.to_string();
        let arguments = [which, "--server", &self.server.address, "--mails", &mails, "--message", &message.to_string_lossy()];
        let arguments = arguments.map(str::to_owned).into();
        self.timed(arguments, false).await
    }

    /// Microseconds to write one mail.
    async fn compose(&mut self) -> Result<f64> {
        let arguments = self.next_day("compose", true).await?;
        let said = process::run(arguments).await?;
        Ok(number(&said, "cpu")? * 1e6 / number(&said, "mails")?)
    }

    /// Queues a day's reminders, which is not measured here, and says how to start what works on them.
    async fn next_day(&mut self, which: &str, durable: bool) -> Result<Vec<String>> {
        let db = &self.population.db;
        let now = round_at(self.days, 8, 0)?;
        self.days += 1;
        let store = Store::connect(db.url()).await?;
        let planned = worker::plan(&store, now).await?;
        store.close().await;
        ensure!(planned == u64::from(self.mails), "{planned} reminders were planned instead of {}", self.mails);
        // Sessions begun from now on follow it; the engine's own are among them.
        let commit = if durable { "on" } else { "off" };
        let alter = format!("execute format('alter database %I set synchronous_commit = {commit}', current_database());");
        db.execute(&format!("do $$ begin {alter} end $$")).await;
        db.execute("vacuum analyze notice").await;
        db.execute("checkpoint").await;
        let now = now.to_string();
        Ok([which, "--database", db.url(), "--server", &self.server.address, "--now", &now].map(str::to_owned).into())
    }

    async fn timed(&mut self, arguments: Vec<String>, database: bool) -> Result<Round> {
        let (server, postgres) = (self.server.cpu()?, family(self.postmaster)?);
        let said = process::run(arguments).await?;
        let each = |seconds: f64| seconds * 1e6 / f64::from(self.mails);
        let cpu = [
            each(number(&said, "cpu")?),
            each(self.server.cpu()? - server),
            if database { each(family(self.postmaster)? - postgres) } else { 0.0 },
        ];
        let accepted = self.server.count().await?;
        ensure!(accepted == u64::from(self.mails), "the server counted {accepted} mails instead of {}", self.mails);
        Ok(Round { pace: f64::from(self.mails) / number(&said, "seconds")?, cpu, peak: number(&said, "peak_mib")? })
    }
}

fn number(said: &Value, name: &str) -> Result<f64> {
    said.get(name).and_then(Value::as_f64).with_context(|| format!("no {name} in {said}"))
}
