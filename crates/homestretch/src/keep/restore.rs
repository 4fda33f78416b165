//! `homestretch restore FILE`.

use std::{io::Read as _, path::Path, process::Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use store::keep::{Existing, Finished, Target, newest_schema};
use tokio::io::AsyncWriteExt as _;

use super::{
    Place, bytes, count,
    file::{Backup, Manifest},
    plain,
    programs::{Complaints, Programs},
    progress::Progress,
};
use crate::{clock, config::Settings, serve};

/// Before this schema reminders could not be held, and without that nothing may be restored.
const OLDEST_SCHEMA: i64 = 5;

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Only read the file and check it.
    Check,
    /// Restore into a database that holds nothing.
    IntoEmpty,
    /// Put the backup in the place of the installation that is there.
    Replace,
}

/// Brings a backup back: checks the file, restores it, compares what is there with what the backup held, and holds reminders.
///
/// # Errors
/// A sentence for people. The database is then as it was before.
pub async fn restore(settings: &Settings, file: &Path, wish: Wish) -> Result<()> {
    let mut backup = Backup::open(file)?;
    check(&mut backup).with_context(|| file.display().to_string())?;
    let manifest = backup.manifest.clone();
    if wish == Wish::Check {
        println!("{}: the file is whole. {}", file.display(), summary(&manifest));
        return Ok(());
    }
    let place = Place::to_write(settings).await?;
    let outcome = into(settings, &place.url, &mut backup, file, wish).await;
    place.leave().await?;
    let (name, finished) = outcome?;
    println!(
        "Restored into the database {name}: {} Rows, policies, grants, functions and the audit's chains are as they were.",
        summary(&manifest)
    );
    println!("Reminders are held back. `homestretch reminders release` lets them go out again, once you have looked around.");
    if finished.account_mail > 0 {
        println!(
            "{} waited when the backup was made and may have been sent since: {} too. `homestretch reminders release --account-mail send` or `drop` decides.",
            count(u64::try_from(finished.account_mail).unwrap_or_default(), "account mail"),
            if finished.account_mail == 1 { "it is held back" } else { "they are held back" }
        );
    }
    tell(&finished, &manifest);
    if manifest.contents.schema < newest_schema() {
        println!(
            "The backup is of schema {}, this program needs {}: run `homestretch migrate` next.",
            manifest.contents.schema,
            newest_schema()
        );
    }
    Ok(())
}

fn summary(manifest: &Manifest) -> String {
    format!(
        "{} in {}, {}, schema {}, as of {:.0} (Homestretch {}).",
        count(manifest.contents.rows(), "row"),
        count(manifest.contents.tables.len() as u64, "table"),
        bytes(manifest.bytes),
        manifest.contents.schema,
        manifest.made_at,
        manifest.made_by
    )
}

fn tell(finished: &Finished, manifest: &Manifest) {
    println!(
        "{} and {} to a new password ended, because they may have been ended or used since; everybody signs in again. {} open.",
        count(finished.sessions, "session"),
        count(finished.resets, "link"),
        match finished.invitations {
            1 => "1 invitation is".to_owned(),
            other => format!("{other} invitations are"),
        }
    );
    println!(
        "Whatever was changed after {:.0} is undone: look at the team (who was disabled?), and whose password or second factor was changed.",
        manifest.made_at
    );
}

fn check(backup: &mut Backup) -> Result<()> {
    let schema = backup.manifest.contents.schema;
    if schema > newest_schema() {
        bail!(
            "it was made by a newer Homestretch ({}): its schema is {schema}, and this program knows up to {}. Restore it with that version.",
            backup.manifest.made_by,
            newest_schema()
        );
    }
    if schema < OLDEST_SCHEMA {
        bail!(
            "its schema is {schema}, from before reminders could be held back. Restore it with pg_restore, as that version's guide says."
        );
    }
    let mut progress = Progress::new("Checking the file", backup.manifest.bytes);
    backup.verify(|more| progress.advance(more))
}

async fn into(settings: &Settings, url: &str, backup: &mut Backup, file: &Path, wish: Wish) -> Result<(String, Finished)> {
    let mut target = Target::open(url).await.map_err(plain)?;
    let name = target.name().to_owned();
    match target.existing().await.map_err(plain)? {
        Existing::Empty => {}
        Existing::Unfinished => eprintln!("An earlier restore of the database {name} did not finish; beginning again."),
        Existing::Foreign(things) => {
            bail!(
                "the database {name} holds something that is not Homestretch's ({things}). Name an empty database in DATABASE_URL."
            )
        }
        Existing::Ours(clinics) if wish == Wish::Replace => {
            eprintln!(
                "Setting aside what the database {name} holds ({}) until the backup is in its place.",
                count(clinics, "clinic")
            );
        }
        Existing::Ours(clinics) => bail!(
            "the database {name} is not empty ({}). Name an empty database in DATABASE_URL, or give --replace to put the backup in its place.",
            count(clinics, "clinic")
        ),
    }
    target.alone().await.map_err(plain)?;
    // Found before anything is touched.
    let manifest = backup.manifest.clone();
    let programs = Programs::find(settings.pg_bin.as_deref(), u32::try_from(manifest.contents.postgres).unwrap_or_default())?;
    let from = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    target.prepare(&manifest.contents.roles, &from, clock::now()).await.map_err(plain)?;

    let outcome = tokio::select! {
        outcome = fill(&programs, url, backup) => outcome,
        () = serve::asked_to_stop() => Err(anyhow!("stopped")),
    };
    let outcome = match outcome {
        Ok(()) => compare(&mut target, &manifest).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok((name, target.finish(clock::now()).await.map_err(plain)?)),
        Err(error) => {
            // The reason is what people need; that putting things back failed too is told after it.
            match target.give_up().await {
                Ok(()) => Err(error.context(format!("nothing was restored, and the database {name} is as it was"))),
                Err(why) => Err(error.context(format!("the database {name} is half restored and locked ({why}); restore again"))),
            }
        }
    }
}

async fn fill(programs: &Programs, url: &str, backup: &mut Backup) -> Result<()> {
    let mut command = programs.command("pg_restore", url)?;
    // Everything or nothing; whoever restores owns it, as whoever migrates does.
    command.args(["--single-transaction", "--exit-on-error", "--no-owner", "--no-password"]);
    command.arg(format!("--dbname={}", store::keep::libpq(url).map_err(plain)?.remove("PGDATABASE").unwrap_or_default()));
    let mut child = command.stdin(Stdio::piped()).spawn().context("cannot run pg_restore")?;
    let complaints = Complaints::of(&mut child);
    let mut progress = Progress::new("Restoring", backup.manifest.bytes);
    let mut to = child.stdin.take().context("pg_restore has no input")?;
    let mut from = backup.rewind()?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).context("cannot read the backup")?;
        if read == 0 {
            break;
        }
        // It closes its input when it gives up; its own words say why.
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        progress.advance(read as u64);
    }
    drop(to);
    complaints.end(child, "pg_restore").await
}

async fn compare(target: &mut Target, manifest: &Manifest) -> Result<()> {
    target.give_back(&manifest.contents.owners).await.map_err(plain)?;
    let mut progress = Progress::new("Comparing", 0);
    let there = target.contents(move |table| progress.at(table)).await.map_err(plain)?;
    let mut differences = manifest.contents.differences(&there);
    let chains = target.follow_audit(&manifest.heads).await.map_err(plain)?;
    differences.extend(chains.faults.iter().map(|fault| format!("the audit of {} at {}: {}", fault.clinic, fault.seq, fault.what)));
    if chains.faults.is_empty()
        && chains.heads.iter().filter(|head| head.seq > 0).ne(manifest.heads.iter().filter(|head| head.seq > 0))
    {
        differences.push("the audit's heads are not the backup's".to_owned());
    }
    if differences.is_empty() {
        return Ok(());
    }
    let (few, more) = (differences.iter().take(5).cloned().collect::<Vec<_>>().join("; "), differences.len().saturating_sub(5));
    bail!(
        "what was restored is not what was backed up: {few}{}",
        if more > 0 { format!("; and {more} more") } else { String::new() }
    )
}
