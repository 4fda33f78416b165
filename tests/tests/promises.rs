//! docs/security.md says what is promised and which test holds it. A promise whose test is not there is no promise.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What stands between backticks and is `file.rs::name`.
fn named(line: &str) -> Vec<(&str, &str)> {
    line.split('`').skip(1).step_by(2).filter_map(|text| text.split_once("::")).filter(|(file, _)| file.contains('/')).collect()
}

/// Why this is no test that runs, if it is none.
fn wrong_with(file: &str, name: &str) -> Option<String> {
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Some(format!("there is no file {file}")) };
    let name = name.rsplit("::").next().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // A macro that makes one test for each of a list has the names before a colon.
    let is_it = |line: &&str| line.contains(&format!("fn {name}(")) || line.trim().starts_with(&format!("{name}: "));
    let Some(at) = lines.iter().position(is_it) else { return Some(format!("{file} has no test {name}")) };
    // Attributes and doc comments stand right above it; a list of names is that of a macro which makes tests.
    let above: Vec<&&str> = lines[..at].iter().rev().take_while(|line| line.trim().starts_with(['#', '/', ')'])).collect();
    if !lines[at].contains("fn ") {
        return None;
    }
    if above.iter().any(|line| line.contains("ignore")) {
        return Some(format!("{file}::{name} is ignored"));
    }
    let marked = above.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"));
    // Inside proptest! the attribute stands there as well.
    (!marked).then(|| format!("{file}::{name} is not marked as a test"))
}

fn rows() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    text.lines().filter(|line| line.starts_with("| ")).map(str::to_owned).collect()
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let mut promises = 0;
    let mut faults = Vec::new();
    for row in rows() {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells[0].starts_with("---") || cells.first() == Some(&"Promise") {
            continue;
        }
        promises += 1;
        let tests = named(&row);
        if tests.is_empty() {
            faults.push(format!("no test is named for: {}", cells[0]));
        }
        faults.extend(tests.iter().filter_map(|(file, name)| wrong_with(file, name)));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(promises > 40, "the table was read: {promises}");
}

#[test]
fn a_name_that_is_not_there_is_found() {
    assert_eq!(wrong_with("tests/tests/promises.rs", "every_promise_names_a_test_that_exists"), None);
    assert!(wrong_with("tests/tests/promises.rs", "nobody_wrote_this").is_some());
    assert!(wrong_with("tests/tests/promises.rs", "wrong_with").is_some_and(|why| why.contains("not marked")));
    assert!(wrong_with("tests/tests/nowhere.rs", "x").is_some());
    assert_eq!(
        named("| x | `tests/a.rs::b`, `c.rs`, `crates/d.rs::tests::e` |"),
        [("tests/a.rs", "b"), ("crates/d.rs", "tests::e")]
    );
}

/// The pages that operators and reporters read lead somewhere.
#[test]
fn links_between_the_documents_lead_to_files() {
    let documents =
        ["README.md", "SECURITY.md", "docs/security.md", "docs/security-scan.md", "docs/operating.md", "migrations/README.md"];
    for document in documents {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let folder = root().join(document).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !link.is_empty() && !link.contains("://") {
                assert!(folder.join(link).exists(), "{document} leads to {link}");
            }
        }
    }
}
