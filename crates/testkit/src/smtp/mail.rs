//! A mail as the test server accepted it.

use mail_parser::{Message, MessageParser};

/// An accepted mail: the envelope, and the bytes between `DATA` and the final dot.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope's sender, lower-case.
    pub from: String,
    /// The envelope's recipients, lower-case.
    pub to: Vec<String>,
    /// Header and body as they came over the wire.
    pub raw: Vec<u8>,
}

impl Mail {
    /// The mail read by an independent parser.
    ///
    /// # Panics
    /// When it is no mail at all, which a test wants to hear about.
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).unwrap_or_else(|| panic!("not a mail:\n{}", self.source()))
    }

    /// The bytes as text, for messages of failing tests.
    pub fn source(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// The subject, decoded.
    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap_or_default().to_owned()
    }

    /// The plain-text part, decoded.
    pub fn text(&self) -> String {
        self.parsed().body_text(0).unwrap_or_default().into_owned()
    }

    /// The HTML part, decoded.
    pub fn html(&self) -> String {
        self.parsed().body_html(0).unwrap_or_default().into_owned()
    }

    /// One header as it was written, unfolded; `None` when it is missing.
    pub fn header(&self, name: &str) -> Option<String> {
        let parsed = self.parsed();
        let raw = parsed.header_raw(name)?;
        Some(raw.split("\r\n").map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned())
    }

    /// Every http or https address in the plain-text part, in order.
    pub fn links(&self) -> Vec<String> {
        self.text()
            .split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'))
            .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
            .map(|word| word.trim_end_matches(['.', ',', ')']).to_owned())
            .collect()
    }

    /// The first link whose path begins with `path`, for example `/go/`.
    ///
    /// # Panics
    /// When there is none.
    pub fn link(&self, path: &str) -> String {
        let has_path = |link: &&String| {
            let after = link.split_once("://").map_or("", |(_, rest)| rest);
            after.find('/').is_some_and(|at| after[at..].starts_with(path))
        };
        let links = self.links();
        links.iter().find(has_path).cloned().unwrap_or_else(|| panic!("no {path} link in\n{}", self.text()))
    }
}

/// The Message-ID without its brackets and domain, read from the header alone: a bench sends many.
pub(super) fn id(raw: &[u8]) -> Option<String> {
    let mut lines = raw.split(|byte| *byte == b'\n').take_while(|line| !matches!(line, [] | [b'\r']));
    let name = b"message-id:";
    let found = lines.find(|line| line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)))?;
    let mut value = found[name.len()..].to_vec();
    // A long header may go on on the next line.
    for line in lines.take_while(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
        value.extend_from_slice(line);
    }
    let value = String::from_utf8_lossy(&value);
    let inner = value.trim().trim_start_matches('<').trim_end_matches('>');
    Some(inner.split('@').next().unwrap_or_default().to_owned())
}
