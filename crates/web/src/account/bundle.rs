//! A patient's record as a FHIR Bundle: packed while it is made, and sent so or unpacked while it is sent, so that a record of any size
//! needs the memory of its packed bytes.

use std::io::{BufWriter, Cursor, IntoInnerError, Read, Write};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use domain::record::Part;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::stream::{self, Stream, StreamExt as _};
use render::fhir::{About, Bundle, MEDIA_TYPE};
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

/// As [`write()`], into packed bytes.
///
/// # Errors
/// Those of writing.
pub(super) fn pack(parts: Receiver<Part>, about: About) -> std::io::Result<Vec<u8>> {
    // Mostly ids: twice the time would make it a fifth smaller.
    write(GzEncoder::new(Vec::new(), Compression::fast()), parts, about)?.finish()
}

/// The answer: packed as it is for whoever can unpack it, else unpacked piece by piece as it is sent.
pub(super) fn answer(packed: Vec<u8>, asked: &HeaderMap) -> Response {
    let (encoding, body) =
        if takes_gzip(asked) { ("gzip", Body::from(packed)) } else { ("identity", Body::from_stream(unpacked(packed))) };
    // With its encoding named, nobody packs it once more on the way.
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::CONTENT_ENCODING, encoding),
        (header::VARY, header::ACCEPT_ENCODING.as_str()),
    ];
    (headers, body).into_response()
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    let offers =
        asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
    offers.map(|offer| offer.split_once(';').unwrap_or((offer, ""))).any(|(name, quality)| {
        let quality = quality.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && quality.parse::<f32>().is_ok_and(|quality| quality > 0.0)
    })
}

fn unpacked(packed: Vec<u8>) -> impl Stream<Item = std::io::Result<Bytes>> {
    let pieces = stream::unfold(Some(GzDecoder::new(Cursor::new(packed))), |rest| async move {
        let mut rest = rest?;
        let mut chunk = Vec::with_capacity(CHUNK);
        match Read::by_ref(&mut rest).take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(chunk)), Some(rest))),
            Err(error) => Some((Err(error), None)),
        }
    });
    // Whoever sends it may ask once more after the end.
    pieces.fuse()
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
