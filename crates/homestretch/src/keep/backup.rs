//! `homestretch backup FILE`.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result, anyhow};
use store::keep::{Reader, Snapshot};
use tokio::io::AsyncReadExt as _;

use super::{
    Place, bytes, count,
    file::{Manifest, Writer},
    plain,
    programs::{Complaints, Programs},
    progress::Progress,
};
use crate::{clock, config::Settings, serve};

/// Writes everything the database holds, as it is at one moment, into a file. Pages and workers may go on meanwhile.
///
/// # Errors
/// A sentence for people; no file is left behind then.
pub async fn backup(settings: &Settings, file: &Path, overwrite: bool) -> Result<()> {
    let writer = Writer::new(file, overwrite)?;
    let place = Place::to_read(settings).await?;
    let outcome = tokio::select! {
        outcome = write(settings, &place.url, writer) => outcome,
        () = serve::asked_to_stop() => Err(anyhow!("stopped; no backup was made")),
    };
    place.leave().await?;
    let manifest = outcome?;
    let said = format!(
        "{} in {}, {}, schema {}, as of {:.0}.",
        count(manifest.contents.rows(), "row"),
        count(manifest.contents.tables.len() as u64, "table"),
        bytes(manifest.bytes),
        manifest.contents.schema,
        manifest.made_at
    );
    if file == Path::new("-") {
        eprintln!("{said}");
    } else {
        println!("{}: {said}", file.display());
    }
    Ok(())
}

async fn write(settings: &Settings, url: &str, mut writer: Writer) -> Result<Manifest> {
    let mut snapshot = Snapshot::open(url).await.map_err(plain)?;
    let made_at = clock::now();
    let contents = {
        let mut progress = Progress::new("Counting", 0);
        snapshot.contents(move |table| progress.at(table)).await.map_err(plain)?
    };
    let heads = snapshot.heads().await.map_err(plain)?;
    let programs = Programs::find(settings.pg_bin.as_deref(), u32::try_from(contents.postgres).unwrap_or_default())?;
    let mut command = programs.command("pg_dump", url)?;
    command.args(["--format=custom", "--no-password", "--lock-wait-timeout=60s"]).arg(format!("--snapshot={}", snapshot.id()));
    if let Reader::Role(role) = snapshot.reader() {
        // Its policies let it read every row; the snapshot made sure of that.
        command.arg(format!("--role={role}")).arg("--enable-row-security");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run pg_dump")?;
    let complaints = Complaints::of(&mut child);
    let mut from = child.stdout.take().context("pg_dump has no output")?;
    let mut progress = Progress::new("Writing", 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer).await.context("cannot read from pg_dump")?;
        if read == 0 {
            break;
        }
        writer.write(&buffer[..read])?;
        progress.advance(read as u64);
    }
    complaints.end(child, "pg_dump").await?;
    drop(progress);
    snapshot.close().await;
    writer.finish(env!("CARGO_PKG_VERSION"), made_at, contents, heads)
}
