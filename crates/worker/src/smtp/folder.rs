//! Mail into a folder: for the demo, and for trying things out without a mail server.

use std::{io, path::Path};

use jiff::Timestamp;
use store::outbox::SendPermit;

/// Writes one mail as `<time>-<id>.eml`; the names sort by time. A reader of the folder never sees half a mail: it is written under
/// another name first.
pub(super) async fn write(folder: &Path, permit: SendPermit, now: Timestamp, content: &[u8]) -> io::Result<String> {
    tokio::fs::create_dir_all(folder).await?;
    let name = format!("{}-{}.eml", now.strftime("%Y%m%dT%H%M%S%.3fZ"), permit.claim().notice.0.simple());
    let unfinished = folder.join(format!(".{name}.part"));
    tokio::fs::write(&unfinished, content).await?;
    tokio::fs::rename(&unfinished, folder.join(&name)).await?;
    Ok(name)
}
