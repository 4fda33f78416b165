//! What the program is made of, read from the lock file and the crates' own manifests without any network: where they come from, under
//! which licences, who encrypts. `deny.toml` says the same to `cargo deny`, which also knows the advisories.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use cargo_metadata::MetadataCommand;

/// Crates that must be there once: two versions of what encrypts or hashes are two sets of faults. The exceptions are named, with who
/// asks for the older one.
const ONCE: [&str; 16] = [
    "argon2",
    "blake2",
    "hmac",
    "md-5",
    "password-hash",
    "ring",
    "rustls",
    "rustls-pki-types",
    "rustls-webpki",
    "secrecy",
    "sha1",
    "sha2",
    "subtle",
    "tokio-rustls",
    "totp-rs",
    "webpki-roots",
];

/// Older versions that somebody else's crate still asks for.
const TWICE: [(&str, &str); 1] = [
    // For the checksums of migrations and for SCRAM; the rest of the program uses 0.11.
    ("sha2", "0.10"),
];

/// The packages of the lock file: name, version, source.
fn locked() -> Vec<(String, String, Option<String>)> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let packages: Vec<_> = lock
        .split("[[package]]")
        .skip(1)
        .map(|package| {
            let field = |name: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")))?;
                Some(line.trim_matches('"').to_owned())
            };
            (field("name").unwrap(), field("version").unwrap(), field("source"))
        })
        .collect();
    assert!(packages.len() > 300, "the lock file was read");
    packages
}

/// A list of texts in deny.toml.
fn denied(name: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml")).unwrap();
    let (_, list) = text.split_once(&format!("\n{name} = [")).unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.lines()
        .filter_map(|line| line.trim().trim_end_matches(',').strip_prefix('"')?.strip_suffix('"'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn everything_comes_from_the_registry_of_rust() {
    for (name, version, source) in locked() {
        let from = source.as_deref().unwrap_or("here");
        assert!(
            from == "here" || from == "registry+https://github.com/rust-lang/crates.io-index",
            "{name} {version} comes from {from}"
        );
        // A package without a source is one of ours.
        let ours = ["bench", "domain", "homestretch", "render", "store", "stories", "testkit", "web", "worker"];
        assert!(from != "here" || ours.contains(&name.as_str()), "{name} is a path and none of ours");
    }
}

#[test]
fn one_library_encrypts() {
    let never = denied("deny");
    assert!(never.contains("openssl") && never.contains("aws-lc-rs"));
    let found: Vec<_> =
        locked().into_iter().map(|(name, version, _)| (name, version)).filter(|(name, _)| never.contains(name)).collect();
    assert_eq!(found, []);
    assert!(locked().iter().any(|(name, _, _)| name == "ring"));
}

#[test]
fn what_hashes_and_encrypts_is_there_once() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version, _) in locked() {
        versions.entry(name).or_default().push(version);
    }
    for name in ONCE {
        let Some(there) = versions.get(name) else { continue };
        let asked: Vec<_> = there
            .iter()
            .filter(|version| !TWICE.iter().any(|(twice, older)| *twice == name && version.starts_with(&format!("{older}."))))
            .collect();
        assert_eq!(asked.len(), 1, "{name} is there as {there:?}");
    }
    for (name, older) in TWICE {
        assert!(
            versions[name].iter().any(|version| version.starts_with(older)),
            "the exception for {name} {older} is not needed any more"
        );
    }
}

#[test]
fn every_licence_is_one_we_may_ship() {
    let allowed = denied("allow");
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .other_options(["--offline".to_owned(), "--locked".to_owned(), "--filter-platform".to_owned(), host()])
        .exec()
        .expect("cargo metadata answers");
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(licence) = &package.license else {
            wrong.push(format!("{} names no licence", package.name));
            continue;
        };
        if !permits(licence, &allowed) {
            wrong.push(format!("{} is under {licence}", package.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(metadata.packages.len() > 300);
}

fn host() -> String {
    let said = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// Whether this SPDX expression can be met with these licences. A slash is an old way to write OR.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "_WITH_");
    let mut words = spaced.split_whitespace().peekable();
    let met = either(&mut words, allowed);
    assert!(words.next().is_none(), "{expression} cannot be read");
    met
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        // Both sides are read, whatever the first says.
        met |= both(words, allowed);
    }
    met
}

fn both(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let met = either(words, allowed);
            assert_eq!(words.next(), Some(")"));
            met
        }
        Some(name) => allowed.contains(&name.replace("_WITH_", " WITH ")),
        None => false,
    }
}

#[test]
fn expressions_are_understood() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for yes in
        ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR X) AND ISC", "Apache-2.0 WITH LLVM-exception OR X", "X OR MIT AND ISC"]
    {
        assert!(permits(yes, &allowed), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND GPL-3.0", "(X OR Y) AND MIT", "Apache-2.0", "X AND (MIT OR ISC)"] {
        assert!(!permits(no, &allowed), "{no}");
    }
}
