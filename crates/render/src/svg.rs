//! Markup that this crate drew itself.

use serde::Serialize;

/// A finished drawing (`<svg …>…</svg>` or a small group of markup), safe to print unescaped.
///
/// Only this crate makes one, from numbers and escaped words, so a template may write
/// `{{ strip_svg | safe }}`; by convention the field's name ends in `svg`, and a test refuses
/// `| safe` on anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(transparent)]
pub struct Svg(String);

impl Svg {
    /// Takes markup as finished. The caller has escaped every word in it.
    pub(crate) fn drawn(markup: String) -> Self {
        Self(markup)
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Escapes a word for use inside an element or a double-quoted attribute.
pub(crate) fn escape(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 8);
    for c in word.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
    out
}
