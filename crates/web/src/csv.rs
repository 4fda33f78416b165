//! Lines of comma-separated values (RFC 4180) that no spreadsheet runs.

/// What an Excel needs to see that a file is UTF-8; other programs pass over it.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line with its end.
pub(crate) fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    cells.join(",") + "\r\n"
}

/// One cell: harmless to a spreadsheet, quoted where it must be.
fn cell(text: &str) -> String {
    // What OWASP names, with the full-width forms that a spreadsheet in Japanese or Chinese reads alike.
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let safe = if formula { format!("'{text}") } else { text.to_owned() };
    if safe.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_never_a_formula_and_never_breaks_the_line() {
        for (text, expected) in [
            ("Slept well", "Slept well"),
            ("", ""),
            ("better, less stiff", "\"better, less stiff\""),
            ("she said \"ouch\"\nand stopped", "\"she said \"\"ouch\"\"\nand stopped\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2 kg", "'-2 kg"),
            ("+60, then more", "\"'+60, then more\""),
            ("\t=1", "'\t=1"),
            ("\n=1", "\"'\n=1\""),
            ("＝1+1", "'＝1+1"),
            ("\r=1", "\"'\r=1\""),
            ("مرحبا", "مرحبا"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
