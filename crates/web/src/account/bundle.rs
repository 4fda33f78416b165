//! A patient's record as a FHIR Bundle: packed while it is made, unpacked while it is sent, so that a record of any size needs the memory
//! of its compressed bytes.

use std::io::{BufWriter, Cursor, IntoInnerError, Read, Write};

use axum::body::{Body, Bytes};
use domain::record::Part;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::stream;
use render::fhir::{About, Bundle};
use tokio::sync::mpsc::Receiver;

/// How much is packed and unpacked at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// Writes the parts down as they come, until no more do; nothing when none do. Blocks: run it where that is allowed.
///
/// # Errors
/// Those of writing.
pub(super) fn write<W: Write>(to: W, mut parts: Receiver<Part>, about: About) -> std::io::Result<W> {
    // Whoever reads the record says what went wrong, if it never came to the opening.
    let Some(Part::Opening(opening)) = parts.blocking_recv() else { return Ok(to) };
    // It is written a few letters at a time, and packed best by the piece.
    let mut bundle = Bundle::begin(BufWriter::with_capacity(CHUNK, to), about, *opening)?;
    while let Some(part) = parts.blocking_recv() {
        bundle.add(part)?;
    }
    bundle.end()?.into_inner().map_err(IntoInnerError::into_error)
}

/// As [`write`], into packed bytes.
///
/// # Errors
/// Those of writing.
pub(super) fn pack(parts: Receiver<Part>, about: About) -> std::io::Result<Vec<u8>> {
    // What is packed is mostly ids, which pack alike at every level.
    write(GzEncoder::new(Vec::new(), Compression::fast()), parts, about)?.finish()
}

/// The body of an answer, unpacked piece by piece as it is sent.
pub(super) fn body(packed: Vec<u8>) -> Body {
    Body::from_stream(stream::unfold(Some(GzDecoder::new(Cursor::new(packed))), |rest| async move {
        let mut rest = rest?;
        let mut chunk = Vec::with_capacity(CHUNK);
        match Read::by_ref(&mut rest).take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(chunk)), Some(rest))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}
