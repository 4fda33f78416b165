//! `bench reminders`: the engine's promises about speed, in one table.

use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::Db;

use crate::{Reminders, machine, planning, population, report::Report, sending};

/// Measures, prints, and writes `reminders.json` and `reminders.md`.
pub async fn run(wanted: &Reminders) -> Result<()> {
    std::fs::create_dir_all(&wanted.out).with_context(|| format!("cannot make {}", wanted.out.display()))?;
    let out = std::fs::canonicalize(&wanted.out)?;
    let db = Db::new().await;
    let machine = machine::describe(&db).await?;
    drop(db);
    // Clinics of the same size.
    let mails = wanted.mails.next_multiple_of(population::CLINICS);
    let sizes = json!({
        "mails_a_round": mails,
        "due_a_round": wanted.due,
        "rounds": wanted.rounds,
        "clinics": population::CLINICS,
        "mail_domains": population::DOMAINS,
    });
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let head = format!(
        "{} cores of {}, {:.0} GiB, Linux {}; PostgreSQL {} with fsync {} and synchronous_commit {}; {} rounds of {mails} mails and {} \
         dues; load before the run {}.",
        machine["cores"],
        text(&machine["cpu"]),
        machine["memory_gib"].as_f64().unwrap_or_default(),
        text(&machine["kernel"]),
        text(&machine["postgres"]),
        text(&machine["settings"]["fsync"]),
        text(&machine["settings"]["synchronous_commit"]),
        wanted.rounds,
        wanted.due,
        text(&machine["load_before"]),
    );
    println!("{head}\n");

    let mut report = Report::default();
    let wants = |part| wanted.only.as_deref().is_none_or(|only| only == part);
    if wants("planning") {
        planning::measure(wanted.due, wanted.rounds, &mut report).await?;
    }
    if wants("sending") {
        sending::measure(mails, wanted.rounds, &out, &mut report).await?;
    }
    let (as_json, as_markdown) = (out.join("reminders.json"), out.join("reminders.md"));
    std::fs::write(&as_json, format!("{:#}\n", report.json(&machine, &sizes)))?;
    std::fs::write(&as_markdown, report.markdown(&head))?;
    println!("\nWritten to {} and {}", as_json.display(), as_markdown.display());
    Ok(())
}
