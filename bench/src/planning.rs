//! Planning: as many reminders come due among few patients and among ten times as many.

use std::time::Instant;

use anyhow::{Result, ensure};
use store::Store;

use crate::{
    machine::Counted,
    population::{CLINICS, Population, round_at},
    report::{Goal, Report, Series},
};

const SIZES: [u32; 2] = [10_000, 100_000];

#[derive(Default)]
struct Measured {
    pace: Series,
    statements: Series,
    buffers: Series,
    wal: Series,
}

/// Measures both sizes in turn, a day a round.
pub async fn measure(due: u32, rounds: u32, report: &mut Report) -> Result<()> {
    let times = ["08:00", "08:30"];
    let early = (due / 2).next_multiple_of(CLINICS).min(SIZES[0]);
    println!("Filling two databases with {} and {} patients…", SIZES[0], SIZES[1]);
    let mut sides = Vec::new();
    for patients in SIZES {
        let population = Population::make(patients, early, &times, false).await?;
        let store = Store::connect(population.db.url()).await?;
        sides.push((population, store, Measured::default()));
    }
    for round in 0..rounds {
        for (population, store, measured) in &mut sides {
            let db = &population.db;
            db.execute("checkpoint").await;
            let before: u64 = db.row("select count(*) from notice").await.parse()?;
            Counted::reset(db).await;
            let started = Instant::now();
            worker::plan(store, round_at(round, 8, 30)?).await?;
            let seconds = started.elapsed().as_secs_f64();
            let counted = Counted::read(db).await?;
            let planned = db.row("select count(*) from notice").await.parse::<u64>()? - before;
            ensure!(planned == population.due(), "{planned} were planned and {} were due", population.due());
            let thousands = planned as f64 / 1_000.0;
            measured.pace.push(planned as f64 / seconds);
            measured.statements.push(counted.statements / thousands);
            measured.buffers.push(counted.buffers / thousands);
            measured.wal.push(counted.wal / 1024.0 / thousands);
        }
    }
    for (population, store, measured) in &sides {
        let among = format!("of {} patients", population.patients);
        report.goal(&format!("planned a second, {among}"), &measured.pace, 0, "/s", Goal::AtLeast(25_000.0));
        report.line(&format!("statements per 1,000 due, {among}"), &measured.statements, 1, "");
        report.line(&format!("buffers per 1,000 due, {among}"), &measured.buffers, 0, "");
        report.line(&format!("write-ahead log per 1,000 due, {among}"), &measured.wal, 0, " KiB");
        store.clone().close().await;
    }
    if let [(_, _, few), (_, _, many)] = &sides[..] {
        report.goal("statements, ten times the patients", &many.statements.over(&few.statements), 2, " ×", Goal::AtMost(1.15));
        report.goal("buffers, ten times the patients", &many.buffers.over(&few.buffers), 2, " ×", Goal::AtMost(1.15));
        report.line("time, ten times the patients", &few.pace.over(&many.pace), 2, " ×");
    }
    Ok(())
}
