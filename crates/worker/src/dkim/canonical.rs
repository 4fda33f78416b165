//! The `relaxed` canonicalisations of RFC 6376 §3.4: what stays the same whatever servers on the way do to spaces and folds.

/// A header as it stands in the mail.
pub(super) struct Header<'a> {
    /// The name as written.
    pub(super) name: &'a str,
    /// All after the colon, with its folds, without the line end.
    value: &'a str,
}

/// The headers in their order, and the body. Headers are ASCII: what is not is left out of both, and no signature covers it.
pub(super) fn split(mail: &[u8]) -> (Vec<Header<'_>>, &[u8]) {
    let end = find(mail, b"\r\n\r\n");
    let (head, body) = end.map_or((mail, &[][..]), |at| (&mail[..at], &mail[at + 4..]));
    let head = std::str::from_utf8(head).unwrap_or_default();
    let mut headers = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let end = end_of_header(rest);
        if let Some((name, value)) = rest[..end].split_once(':') {
            headers.push(Header { name: name.trim_end(), value });
        }
        rest = rest[end..].strip_prefix("\r\n").unwrap_or_default();
    }
    (headers, body)
}

/// Where a header ends: at the first line end that no space or tab follows.
fn end_of_header(text: &str) -> usize {
    let is_fold = |at: usize| matches!(text.as_bytes().get(at + 2), Some(b' ' | b'\t'));
    text.match_indices("\r\n").map(|(at, _)| at).find(|at| !is_fold(*at)).unwrap_or(text.len())
}

/// `name:value`, in lower case, unfolded, with single spaces and none at the ends; no line end.
pub(super) fn header(header: &Header<'_>) -> String {
    let words: Vec<&str> = header.value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect();
    format!("{}:{}", header.name.to_ascii_lowercase(), words.join(" "))
}

/// Single spaces, none at line ends, no empty lines at the end, and a line end after the last line if there is any.
pub(super) fn body(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    let mut rest = body;
    while !rest.is_empty() {
        let end = find(rest, b"\r\n");
        line(&rest[..end.unwrap_or(rest.len())], &mut out);
        out.extend_from_slice(b"\r\n");
        rest = end.map_or(&[][..], |at| &rest[at + 2..]);
    }
    while out.ends_with(b"\r\n\r\n") {
        out.truncate(out.len() - 2);
    }
    if out == b"\r\n" {
        out.clear();
    }
    out
}

fn line(line: &[u8], out: &mut Vec<u8>) {
    let mut gap = false;
    for &byte in line {
        if matches!(byte, b' ' | b'\t') {
            gap = true;
            continue;
        }
        // Spaces at the end never get here.
        if std::mem::take(&mut gap) {
            out.push(b' ');
        }
        out.push(byte);
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6376 §3.4.5.
    #[test]
    fn the_example_of_the_standard() {
        let mail = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (headers, rest) = split(mail);
        let all: Vec<String> = headers.iter().map(header).collect();
        assert_eq!(all, ["a:X", "b:Y Z"]);
        assert_eq!(body(rest), b" C\r\nD E\r\n");
    }

    #[test]
    fn an_empty_body_stays_empty_and_an_open_line_is_closed() {
        assert_eq!(body(b""), b"");
        assert_eq!(body(b"\r\n\r\n"), b"");
        assert_eq!(body(b"a"), b"a\r\n");
        // What a server got whose client took the last line end away, or put one there.
        assert_eq!(body(b"a \r\n"), body(b"a\r\n\r\n\r\n"));
        assert_eq!(body(b"\r\na\r\n"), b"\r\na\r\n", "empty lines before something count");
    }
}
