//! Every key that a template or the code asks for exists in English, with the arguments it needs.

#![allow(clippy::expect_used, reason = "a test that cannot read its files has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn files(folder: &Path, ending: &[&str], into: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("the folder opens") {
        let path = entry.expect("the entry reads").path();
        if path.is_dir() {
            files(&path, ending, into);
        } else if ending.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            let text = std::fs::read_to_string(&path).expect("the file reads");
            into.push((path, text));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The messages of one language: key and the whole of its text.
fn messages(language: &str) -> BTreeMap<String, String> {
    let mut sources = Vec::new();
    files(&root().join("words").join(language), &[".ftl"], &mut sources);
    let mut all = BTreeMap::new();
    for (path, text) in sources {
        let mut current: Option<String> = None;
        for line in text.lines() {
            if line.starts_with(|c: char| c.is_ascii_lowercase())
                && let Some((key, rest)) = line.split_once('=')
            {
                let key = key.trim().to_owned();
                assert!(all.insert(key.clone(), rest.to_owned()).is_none(), "{path:?}: {key} stands twice");
                current = Some(key);
            } else if let Some(text) = current.as_ref().filter(|_| line.starts_with(' ')).and_then(|key| all.get_mut(key)) {
                text.push('\n');
                text.push_str(line);
            }
        }
    }
    all
}

/// `t(key="…", a=…)` in templates: the key and the names of its arguments.
fn asked_by_templates() -> Vec<(PathBuf, String, BTreeSet<String>)> {
    let mut sources = Vec::new();
    files(&root().join("../../templates"), &[".html", ".txt"], &mut sources);
    let mut asked = Vec::new();
    for (path, text) in sources {
        for rest in text.split("t(key=\"").skip(1) {
            let (key, rest) = rest.split_once('"').expect("a closed key");
            let mut depth = 1;
            let call: String = rest
                .chars()
                .take_while(|c| {
                    depth += match c {
                        '(' => 1,
                        ')' => -1,
                        _ => 0,
                    };
                    depth > 0
                })
                .collect();
            let arguments = call
                .split(',')
                .filter_map(|part| part.split_once('='))
                .map(|(name, _)| name.trim().to_owned())
                .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'))
                .collect();
            asked.push((path.clone(), key.to_owned(), arguments));
        }
    }
    asked
}

fn wanted(message: &str) -> BTreeSet<String> {
    message
        .split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect())
        .collect()
}

#[test]
fn every_key_of_a_template_exists_and_gets_its_arguments() {
    let english = messages("en");
    let asked = asked_by_templates();
    assert!(asked.len() > 50, "the search found {} only", asked.len());
    for (path, key, given) in asked {
        let message = english.get(&key).unwrap_or_else(|| panic!("{path:?}: no words for {key}"));
        let missing: Vec<String> = wanted(message).difference(&given).cloned().collect();
        assert!(missing.is_empty(), "{path:?}: {key} lacks {missing:?}");
    }
}

#[test]
fn every_key_of_the_code_exists() {
    let english = messages("en");
    let mut sources = Vec::new();
    for folder in ["src", "../web/src", "../worker/src", "../homestretch/src"] {
        files(&root().join(folder), &[".rs"], &mut sources);
    }
    let mut found = 0;
    for (path, text) in sources {
        for rest in text.split("say(").skip(1) {
            // only `say(language, "key", …)`; a key held in a variable is a literal somewhere else
            let Some((_, second)) = rest.split_once(',') else { continue };
            let Some(key) = second.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            found += 1;
            assert!(english.contains_key(key), "{path:?}: no words for {key}");
        }
    }
    assert!(found > 15, "the search found {found} only");
}

/// A translation may lack a key (English is said instead), but may not invent one or drop an argument.
#[test]
fn other_languages_only_translate_what_english_says() {
    let english = messages("en");
    for entry in std::fs::read_dir(root().join("words")).expect("the folder opens") {
        let language = entry.expect("the entry reads").file_name().to_string_lossy().into_owned();
        for (key, text) in messages(&language) {
            let original = english.get(&key).unwrap_or_else(|| panic!("{language}: {key} is not in English"));
            let extra: Vec<String> = wanted(&text).difference(&wanted(original)).cloned().collect();
            assert!(extra.is_empty(), "{language}: {key} asks for {extra:?}");
        }
    }
}

#[test]
fn words_come_without_isolation_marks_and_count_properly() {
    use render::words::{Language, say};
    assert_eq!(say(Language::En, "days-ago", &[("days", 1.into())]), "1 day ago");
    assert_eq!(say(Language::En, "days-ago", &[("days", 6.into())]), "6 days ago");
    assert_eq!(say(Language::Zh, "sign-out", &[]), "Sign out");
}
