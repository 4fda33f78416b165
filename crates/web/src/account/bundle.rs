//! A patient's record as a FHIR Bundle, written and packed while it is sent.

use std::io::{BufWriter, IntoInnerError, Write};

use axum::http::{HeaderMap, HeaderName, header};
use domain::record::Part;
use flate2::{Compression, write::GzEncoder};
use render::fhir::{About, Bundle, MEDIA_TYPE};
use tokio::sync::mpsc::Receiver;

use super::download::Whole;

/// How much is packed at a time, in bytes.
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

/// As [`write()`], packed on the way where that is wanted.
///
/// # Errors
/// Those of writing; when not all was read.
pub(super) fn make(to: impl Write, parts: Receiver<Part>, whole: Whole, about: About, packed: bool) -> std::io::Result<()> {
    if packed {
        // Mostly ids: twice the time would make it a fifth smaller.
        let packer = write(GzEncoder::new(to, Compression::fast()), parts, about)?;
        whole.check()?;
        packer.finish()?.flush()
    } else {
        let mut to = write(to, parts, about)?;
        whole.check()?;
        to.flush()
    }
}

/// The headers of its answer.
pub(super) fn headers(packed: bool) -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        // With its encoding named, nobody packs it once more on the way.
        (header::CONTENT_ENCODING, if packed { "gzip" } else { "identity" }),
        (header::VARY, header::ACCEPT_ENCODING.as_str()),
    ]
}

/// Whether the client can unpack it.
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    let offers =
        asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    offers.map(|offer| offer.split_once(';').unwrap_or((offer, ""))).any(|(name, quality)| {
        let quality = quality.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && quality.parse::<f32>().is_ok_and(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_packed_for_whoever_says_so() {
        let takes = |value: &'static str| takes_gzip(&[(header::ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect());
        for value in ["gzip", "deflate, GZIP;q=0.5, br", "br , gzip ; q=1", "gzip;q=0.001"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip", "gzip;q=soon", "identity, *;q=0"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
