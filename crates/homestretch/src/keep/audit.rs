//! `homestretch audit verify`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use domain::ids::ClinicId;
use store::keep::{Chains, Head, Snapshot};

use super::{Place, count, file::Backup, grouped, plain, progress::Progress};
use crate::config::Settings;

/// Follows the audit's chains and prints their heads, one line a clinic; what is wrong is a line each.
///
/// # Errors
/// A sentence for people, also when something is wrong with a chain.
pub async fn verify(settings: &Settings, only: Option<ClinicId>, anchor: Option<&Path>) -> Result<()> {
    let anchors = anchor.map(anchors).transpose()?.unwrap_or_default();
    let place = Place::to_read(settings).await?;
    let outcome = follow(&place.url, only, &anchors).await;
    place.leave().await?;
    let chains = outcome?;
    if let (Some(clinic), true) = (only, chains.heads.is_empty() && chains.faults.is_empty()) {
        bail!("there is no clinic with the id {clinic}");
    }
    // What is printed here is what --anchor reads.
    for head in &chains.heads {
        println!("{} {} {}", head.clinic, head.seq, head.hash);
    }
    for fault in &chains.faults {
        println!("FAULT {} {}: {}", fault.clinic, fault.seq, fault.what);
    }
    let followed = format!("{} in {}", entries(chains.entries), count((chains.heads.len() + broken(&chains)) as u64, "clinic"));
    if chains.faults.is_empty() {
        eprintln!(
            "{followed}: each follows from the one before it. Keep the lines above somewhere else: they are the next run's --anchor."
        );
        return Ok(());
    }
    bail!("the audit is not what was written: {} ({followed})", count(chains.faults.len() as u64, "fault"))
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(number)) }
}

fn broken(chains: &Chains) -> usize {
    let mut clinics: Vec<_> = chains.faults.iter().map(|fault| fault.clinic).collect();
    clinics.sort();
    clinics.dedup();
    clinics.len()
}

async fn follow(url: &str, only: Option<ClinicId>, anchors: &[Head]) -> Result<Chains> {
    let mut snapshot = Snapshot::open(url).await.map_err(plain)?;
    let mut progress = Progress::new("Following the audit", 0);
    let told = move |clinic, seq: i64| progress.at(&format!("{clinic}, entry {}", grouped(seq.unsigned_abs())));
    let chains = snapshot.follow_audit(only, anchors, told).await.map_err(plain)?;
    snapshot.close().await;
    Ok(chains)
}

/// Heads that were kept: what an earlier run printed, or a backup.
fn anchors(path: &Path) -> Result<Vec<Head>> {
    let bytes = fs::read(path).with_context(|| format!("--anchor: cannot read {}", path.display()))?;
    if bytes.starts_with(b"PGDMP") {
        return Ok(Backup::open(path)?.manifest.heads);
    }
    let text = String::from_utf8(bytes).ok().with_context(|| format!("--anchor: {} is no text", path.display()))?;
    let heads: Vec<Head> = text.lines().filter_map(head).collect();
    if heads.is_empty() {
        bail!(
            "--anchor: there is no head in {}; it is what an earlier `homestretch audit verify` printed, or a backup",
            path.display()
        );
    }
    Ok(heads)
}

fn head(line: &str) -> Option<Head> {
    let mut words = line.split_whitespace();
    let head = Head { clinic: words.next()?.parse().ok()?, seq: words.next()?.parse().ok()?, hash: words.next()?.to_lowercase() };
    (head.hash.len() == 64 && words.next().is_none()).then_some(head)
}
