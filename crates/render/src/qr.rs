//! QR codes, drawn as SVG.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder};

use crate::svg::Svg;

/// The light margin that a reader needs, in modules.
const QUIET: usize = 4;

/// A QR code of this text, black on white in light and dark pages alike: a reader looks for dark modules on a light ground, and the
/// ground reaches around them. `None` when the text is too long for one (about 2 300 bytes).
pub fn svg(text: &str) -> Option<Svg> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let side = code.size + 2 * QUIET;
    let mut dark = String::new();
    for row in 0..code.size {
        let mut column = 0;
        while column < code.size {
            let run = code[row][column..].iter().take_while(|module| module.value()).count();
            if run > 0 {
                // Writing to a String cannot fail.
                let _ = write!(dark, "M{} {}h{run}v1h-{run}z", column + QUIET, row + QUIET);
            }
            column += run.max(1);
        }
    }
    Some(Svg::drawn(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"QR code\" \
         shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{dark}\"/></svg>"
    )))
}
